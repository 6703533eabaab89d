using Weir.Client;
using Weir.Protocol.Errors;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>Acknowledged means kept, with real processes and real disks.</summary>
public sealed class DurabilityTests
{
    private const string Topic = "history";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_acknowledged_survives_kills_of_the_broker_under_load()
    {
        var directory = Directory.CreateTempSubdirectory("weir-kill-");
        using var broker = new BrokerUnderTest(directory.FullName);
        broker.Start();
        await using var client = await broker.ConnectAsync();
        await CreateTopicAsync(client);
        var history = new History(Topic);
        using var stop = new CancellationTokenSource();
        var publishing = history.PublishAsync(client, window: 2000, Patience, stop.Token);
        for (var kill = 1; kill <= 5; kill++)
        {
            await WaitForAsync(history, kill * 3000);
            broker.Kill();
            broker.Start();
        }

        await WaitForAsync(history, 20_000);
        await stop.CancelAsync();
        Assert.Null(await publishing);
        await history.CheckAsync(client);
    }

    [Fact]
    public async Task Everything_acknowledged_survives_the_loss_of_power_under_load()
    {
        using var disk = new LoopFileSystem(megabytes: 512);
        for (var cut = 0; cut < 3; cut++)
        {
            using var broker = new BrokerUnderTest(Path.Combine(disk.MountPoint, $"data-{cut}"));
            broker.Start();
            var history = new History(Topic);
            await using (var client = await broker.ConnectAsync())
            {
                await CreateTopicAsync(client);
                using var stop = new CancellationTokenSource();
                var publishing = history.PublishAsync(client, window: 2000, TimeSpan.FromSeconds(2), stop.Token);
                await WaitForAsync(history, 10_000);
                broker.Freeze();
                Machine.CutPower(disk.MountPoint);
                Assert.NotNull(await publishing);
            }

            broker.Kill();
            disk.Unmount();
            disk.Mount();
            broker.Start();
            await using var reader = await broker.ConnectAsync();
            await history.CheckAsync(reader);
            broker.Kill();
        }
    }

    [Fact]
    public async Task Failed_sync_is_never_acknowledged_and_stops_the_log()
    {
        Machine.RequireTool("strace");
        var directory = Directory.CreateTempSubdirectory("weir-eio-");
        using var broker = new BrokerUnderTest(directory.FullName);
        broker.StartUnder(
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=40+");
        var history = new History(Topic);
        await using (var client = await broker.ConnectAsync())
        {
            await client.Admin.CreateTopicAsync(Topic, null, Token);
            var error = await history.PublishAsync(client, window: 1, TimeSpan.FromSeconds(2), CancellationToken.None);
            Assert.NotNull(error);
            var acknowledged = history.Acknowledged;
            Assert.True(acknowledged > 0, "some were acknowledged before the disk failed");

            // Once failed, the log takes nothing more, whatever the disk says now.
            Assert.NotNull(await history.PublishAsync(client, window: 1, TimeSpan.FromSeconds(1), CancellationToken.None));
            Assert.Equal(acknowledged, history.Acknowledged);
            var described = await client.Admin.DescribeTopicAsync(Topic, Token);
            Assert.Equal(ErrorCode.LogStopped, described.Partitions[0].Error);
        }

        broker.Kill();
        broker.Start();
        await using var reader = await broker.ConnectAsync();
        await history.CheckAsync(reader);
    }

    [Fact]
    public async Task Full_disk_refuses_produce_serves_reads_and_recovers_when_space_returns()
    {
        using var disk = new LoopFileSystem(megabytes: 96);
        using var broker = new BrokerUnderTest(Path.Combine(disk.MountPoint, "data"));
        var filler = Path.Combine(disk.MountPoint, "filler");
        await File.WriteAllBytesAsync(filler, new byte[32 * 1024 * 1024], Token);
        broker.Start();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync(
            Topic, new TopicSpec { Configs = new Dictionary<string, string?> { ["segment.bytes"] = "8388608" } }, Token);
        var history = new History(Topic);
        var error = await history.PublishAsync(client, window: 5000, TimeSpan.FromSeconds(3), CancellationToken.None);
        Assert.NotNull(error);
        Assert.Equal(ErrorCode.StorageFull, (await client.Admin.DescribeTopicAsync(Topic, Token)).Partitions[0].Error);
        var acknowledged = history.Acknowledged;
        await history.CheckAsync(client);

        File.Delete(filler);
        using var stop = new CancellationTokenSource();
        var publishing = history.PublishAsync(client, window: 100, Patience, stop.Token);
        await WaitForAsync(history, acknowledged + 1000);
        await stop.CancelAsync();
        Assert.Null(await publishing);
        await history.CheckAsync(client);
    }

    private static async Task CreateTopicAsync(WeirClient client) =>
        await client.Admin.CreateTopicAsync(
            Topic,
            new TopicSpec { Partitions = 6, Configs = new Dictionary<string, string?> { ["segment.bytes"] = "1048576" } },
            Token);

    /// <summary>Waits for a state that the load reaches; the runner's own timeout ends it otherwise.</summary>
    private static async Task WaitForAsync(History history, int acknowledged)
    {
        while (history.Acknowledged < acknowledged)
        {
            await Task.Yield();
            Token.ThrowIfCancellationRequested();
        }
    }
}
