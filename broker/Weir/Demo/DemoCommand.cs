using System.CommandLine;
using Weir.Cli.Commands;
using Weir.Cli.Output;

namespace Weir.Cli.Demo;

/// <summary>Shows what a broker keeps through a crash, with nothing installed but the SDK.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var command = WeirCommand.Create(
            "demo", "Start a broker on a temporary directory, publish a small story, kill the broker in the middle, and show "
                + "that everything acknowledged was read, in order, once.");
        command.SetAction(static (_, cancellationToken) => Terminal.RunAsync(async () =>
        {
            var directory = Directory.CreateTempSubdirectory("weir-demo-");
            try
            {
                using var broker = new BrokerProcess(Path.Combine(directory.FullName, "data"));
                return await new PayrollStory(broker).RunAsync(cancellationToken).ConfigureAwait(false)
                    ? ExitCode.Success
                    : ExitCode.Failed;
            }
            finally
            {
                directory.Delete(recursive: true);
            }
        }));
        return command;
    }
}
