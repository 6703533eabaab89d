using System.Text.Json;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>A directory with a broker in it and commands that go to it.</summary>
internal sealed class CommandShell : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-shell-");

    private CommandShell() => Broker = new BrokerUnderTest(PathTo("data"));

    public BrokerUnderTest Broker { get; }

    public static async Task<CommandShell> StartAsync()
    {
        var shell = new CommandShell();
        shell.Broker.Start();
        await using var client = await shell.Broker.ConnectAsync();
        return shell;
    }

    public string PathTo(string name) => Path.Combine(_directory.FullName, name);

    public WeirProcess Start(params string[] arguments) => WeirProcess.Start([.. arguments, "--server", Broker.Address]);

    public async Task<ProcessOutcome> RunAsync(int exitCode, params string[] arguments)
    {
        using var process = Start(arguments);
        var outcome = await process.WaitAsync();
        Assert.True(outcome.ExitCode == exitCode, $"{string.Join(' ', arguments)} gave {outcome.ExitCode}: {outcome.Error}");
        return outcome;
    }

    /// <summary>What a command that succeeds prints as JSON.</summary>
    public async Task<JsonElement> JsonAsync(params string[] arguments) =>
        JsonDocument.Parse((await RunAsync(0, [.. arguments, "--output", "json"])).Output).RootElement;

    public void Dispose()
    {
        Broker.Dispose();
        _directory.Delete(recursive: true);
    }
}
