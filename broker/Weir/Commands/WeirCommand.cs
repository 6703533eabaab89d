using System.CommandLine;
using Weir.Cli.Demo;
using Weir.Cli.Output;
using Weir.Client;

namespace Weir.Cli.Commands;

/// <summary>The command line's root and what all commands share.</summary>
internal static class WeirCommand
{
    public static Option<string> Server { get; } = new("--server")
    {
        Description = "Where to start: HOST:PORT[,HOST:PORT...]. Also WEIR_SERVER.",
        DefaultValueFactory = static _ => Environment.GetEnvironmentVariable("WEIR_SERVER") ?? "127.0.0.1:9650",
        Recursive = true,
    };

    public static Option<bool> ThroughServer { get; } = new("--through-server")
    {
        Description = "Reach every broker through the server given, as over a port-forward.",
        Recursive = true,
    };

    public static Option<OutputFormat> Output { get; } = new("--output", "-o")
    {
        Description = "How to print results: table, json or value.",
        DefaultValueFactory = static _ => OutputFormat.Table,
        Recursive = true,
    };

    /// <summary>Parses and runs; returns the exit code.</summary>
    public static async Task<int> InvokeAsync(string[] args)
    {
        var root = Create();
        var result = root.Parse(args);
        var exitCode = await result.InvokeAsync(new InvocationConfiguration
        {
            ProcessTerminationTimeout = TimeSpan.FromSeconds(40),
            EnableDefaultExceptionHandler = true,
        }).ConfigureAwait(false);
        return result.Errors.Count > 0 ? ExitCode.Usage : exitCode;
    }

    /// <summary>Connects as the options say.</summary>
    public static Task<WeirClient> ConnectAsync(ParseResult parsed, CancellationToken cancellationToken) =>
        WeirClient.ConnectAsync(
            new WeirClientOptions
            {
                Servers = parsed.GetRequiredValue(Server),
                ThroughServers = parsed.GetValue(ThroughServer),
                ClientId = "weir",
            },
            cancellationToken);

    /// <summary>Makes a command whose body runs with a connected client.</summary>
    public static Command WithClient(
        string name, string description, Func<ParseResult, WeirClient, CancellationToken, Task<int>> body,
        params Symbol[] symbols)
    {
        var command = Create(name, description, symbols);
        command.SetAction((parsed, cancellationToken) => Terminal.RunAsync(async () =>
        {
            var client = await ConnectAsync(parsed, cancellationToken).ConfigureAwait(false);
            await using (client.ConfigureAwait(false))
            {
                return await body(parsed, client, cancellationToken).ConfigureAwait(false);
            }
        }));
        return command;
    }

    /// <summary>Makes a command with its arguments, options and subcommands.</summary>
    public static Command Create(string name, string description, params Symbol[] symbols)
    {
        var command = new Command(name, description);
        foreach (var symbol in symbols)
        {
            switch (symbol)
            {
                case Argument argument:
                    command.Arguments.Add(argument);
                    break;
                case Option option:
                    command.Options.Add(option);
                    break;
                case Command subcommand:
                    command.Subcommands.Add(subcommand);
                    break;
                default:
                    throw new ArgumentException($"{symbol.Name} is no part of a command", nameof(symbols));
            }
        }

        return command;
    }

    private static RootCommand Create() => new(
        "Weir, an event broker. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no broker reached, 4 not everything "
            + "acknowledged, 130 interrupted.")
    {
        Server,
        ThroughServer,
        Output,
        BrokerCommand.Create(),
        TopicCommands.Create(),
        GroupCommands.Create(),
        DeadLetterCommands.Create(),
        ClusterCommands.Create(),
        ProduceCommand.Create(),
        ConsumeCommand.Create(),
        GetCommand.Create(),
        PerfCommands.Create(),
        DemoCommand.Create(),
    };
}
