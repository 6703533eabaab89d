using System.CommandLine;
using Weir.Cli.Commands;
using Weir.Cli.Output;

namespace Weir.Cli.Demo;

/// <summary>Shows what a cluster keeps through crashes, with nothing installed but the SDK.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var command = WeirCommand.Create(
            "demo", "Start three brokers on a temporary directory, publish a small story, kill its leader twice and wipe a "
                + "broker in the middle, and show that everything acknowledged was read, in order, once.");
        command.SetAction(static (_, cancellationToken) => Terminal.RunAsync(async () =>
        {
            var directory = Directory.CreateTempSubdirectory("weir-demo-");
            try
            {
                using var cluster = new DemoCluster(directory.FullName);
                return await new PayrollStory(cluster).RunAsync(cancellationToken).ConfigureAwait(false)
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
