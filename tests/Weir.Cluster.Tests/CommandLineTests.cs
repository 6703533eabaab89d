using System.Text;
using System.Text.Json;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>The weir command as a shell sees it.</summary>
public sealed class CommandLineTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task File_is_published_and_read_back_byte_for_byte()
    {
        using var shell = await CommandShell.StartAsync();
        var lines = Enumerable.Range(0, 5000).Select(static i => $"key-{i % 13}\tline {i} ö\r").ToList();
        await File.WriteAllTextAsync(shell.PathTo("in"), string.Join('\n', lines) + "\n", Token);
        await shell.RunAsync(0, "topic", "create", "t", "--partitions", "1");
        var produced = await shell.RunAsync(
            0, "produce", "t", "--file", shell.PathTo("in"), "--key", "\\t", "--compression", "zstd", "--output", "json");
        var report = JsonDocument.Parse(produced.Output).RootElement;
        Assert.Equal(5000, report.GetProperty("acknowledged").GetInt64());
        var consumed = await shell.RunAsync(0, "consume", "t", "--output", "json");
        var read = consumed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => JsonDocument.Parse(line).RootElement)
            .Select(static record => $"{record.GetProperty("key").GetString()}\t{record.GetProperty("value").GetString()}");
        Assert.Equal(lines, read);
    }

    [Fact]
    public async Task Json_lines_are_keyed_by_a_field_and_a_line_without_it_is_named()
    {
        using var shell = await CommandShell.StartAsync();
        await shell.RunAsync(0, "topic", "create", "t");
        await File.WriteAllTextAsync(shell.PathTo("in"), "{\"id\":7,\"v\":[1,2]}\n{\"v\":1}\n", Token);
        var produced = await shell.RunAsync(2, "produce", "t", "--file", shell.PathTo("in"), "--format", "json", "--key", "id");
        Assert.Contains("line 2 has no field 'id'", produced.Error, StringComparison.Ordinal);
        var consumed = await shell.RunAsync(0, "consume", "t", "--output", "json");
        var record = JsonDocument.Parse(consumed.Output).RootElement;
        Assert.Equal("7", record.GetProperty("key").GetString());
        Assert.Equal("{\"id\":7,\"v\":[1,2]}", record.GetProperty("value").GetString());
    }

    [Fact]
    public async Task Dead_broker_ends_produce_with_the_count_and_exit_code_4()
    {
        using var shell = await CommandShell.StartAsync();
        await shell.RunAsync(0, "topic", "create", "t");
        var lines = new StringBuilder();
        for (var i = 0; i < 2_000_000; i++)
        {
            lines.Append("record ").Append(i).Append('\n');
        }

        await File.WriteAllTextAsync(shell.PathTo("in"), lines.ToString(), Token);
        using var producing = shell.Start("produce", "t", "--file", shell.PathTo("in"), "--delivery-timeout", "2", "--output", "json");
        while (await HighWatermarkAsync(shell) == 0)
        {
            Token.ThrowIfCancellationRequested();
        }

        shell.Broker.Kill();
        var outcome = await producing.WaitAsync();
        var acknowledged = JsonDocument.Parse(outcome.Output).RootElement.GetProperty("acknowledged").GetInt64();
        Assert.True(outcome.ExitCode == 4 || acknowledged == 2_000_000, outcome.Error);
        shell.Broker.Start();
        await using var client = await shell.Broker.ConnectAsync();
        Assert.True(await HighWatermarkAsync(shell) >= acknowledged);
    }

    [Fact]
    public async Task Failures_have_their_exit_codes_and_say_what_to_do()
    {
        using var shell = await CommandShell.StartAsync();
        Assert.Contains("Create the topic", (await shell.RunAsync(1, "topic", "describe", "none")).Error, StringComparison.Ordinal);
        Assert.Contains("retention.ms", (await shell.RunAsync(1, "topic", "create", "t", "--config", "retension.ms=1")).Error, StringComparison.Ordinal);
        await shell.RunAsync(2, "topic", "create");
        Assert.Contains("--from", (await shell.RunAsync(2, "consume", "t", "--from", "yesterdayish")).Error, StringComparison.Ordinal);
        var unreachable = await WeirProcess.RunAsync("topic", "list", "--server", "127.0.0.1:1");
        Assert.Equal(3, unreachable.ExitCode);
        Assert.Contains("weir broker --data", unreachable.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Broker_that_cannot_start_says_why()
    {
        using var shell = await CommandShell.StartAsync();
        var inUse = await WeirProcess.RunAsync("broker", "--data", shell.PathTo("data"), "--listen", "127.0.0.1:0", "--http", "none");
        Assert.Equal(1, inUse.ExitCode);
        Assert.Contains(shell.PathTo("data"), inUse.Error, StringComparison.Ordinal);
        var portTaken = await WeirProcess.RunAsync("broker", "--data", shell.PathTo("other"), "--listen", shell.Broker.Address, "--http", "none");
        Assert.Equal(1, portTaken.ExitCode);
        Assert.Contains("--listen", portTaken.Error, StringComparison.Ordinal);
        var faults = await WeirProcess.RunAsync("broker", "--listen", "nonsense", "--http", "none");
        Assert.Equal(2, faults.ExitCode);
        Assert.Contains("--data DIR", faults.Error, StringComparison.Ordinal);
        Assert.Contains("nonsense", faults.Error, StringComparison.Ordinal);
        var unknown = await WeirProcess.RunAsync("broker", "--data", shell.PathTo("other"), "--set", "MaxConnection=5");
        Assert.Equal(2, unknown.ExitCode);
        Assert.Contains("did you mean 'MaxConnections'", unknown.Error, StringComparison.Ordinal);
        await File.WriteAllTextAsync(shell.PathTo("config"), "{not json", Token);
        var notJson = await WeirProcess.RunAsync("broker", "--data", shell.PathTo("other"), "--config", shell.PathTo("config"));
        Assert.Equal(2, notJson.ExitCode);
        Assert.DoesNotContain("   at ", notJson.Error, StringComparison.Ordinal);
        await File.WriteAllTextAsync(shell.PathTo("file"), "no directory", Token);
        var noDirectory = await WeirProcess.RunAsync("broker", "--data", shell.PathTo("file"), "--http", "none", "--listen", "127.0.0.1:0");
        Assert.Equal(1, noDirectory.ExitCode);
        Assert.Contains(shell.PathTo("file"), noDirectory.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", noDirectory.Error + noDirectory.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Demo_loses_nothing()
    {
        var demo = await WeirProcess.RunAsync("demo");
        Assert.True(demo.ExitCode == 0, demo.Output + demo.Error);
        Assert.Contains("killed (SIGKILL)", demo.Output, StringComparison.Ordinal);
        Assert.Contains("its data is deleted", demo.Output, StringComparison.Ordinal);
    }

    private static async Task<long> HighWatermarkAsync(CommandShell shell)
    {
        var described = await shell.RunAsync(0, "topic", "describe", "t", "--output", "json");
        return JsonDocument.Parse(described.Output).RootElement.GetProperty("partitions")[0].GetProperty("highWatermark").GetInt64();
    }
}
