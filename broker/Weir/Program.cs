using Weir.Cli.Commands;

return await WeirCommand.InvokeAsync(args).ConfigureAwait(false);
