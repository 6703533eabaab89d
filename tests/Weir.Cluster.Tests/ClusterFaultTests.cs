using System.Diagnostics;
using System.Globalization;
using Weir.Client;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>Three broker processes, a client that publishes through all that happens to them, and the same checker as ever.</summary>
public sealed class ClusterFaultTests
{
    private const string Topic = "history";
    private const int Partitions = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Kills of one run; a campaign sets more.</summary>
    private static int Kills =>
        int.Parse(Environment.GetEnvironmentVariable("WEIR_CLUSTER_KILLS") ?? "4", CultureInfo.InvariantCulture);

    [Fact]
    public Task Kills_of_leaders_lose_nothing() => RunAsync(async (cluster, client, history) =>
    {
        for (var kill = 0; kill < Kills; kill++)
        {
            await AdvanceAsync(history, 1000);
            var leader = await LeaderAsync(client, kill % Partitions);
            cluster.Kill(leader);
            await AdvanceAsync(history, 1000);
            cluster.Start(leader);
            await AllInSyncAsync(cluster, client);
        }
    });

    [Fact]
    public Task A_rolling_restart_loses_nothing_and_ends_each_broker_in_order() => RunAsync(async (cluster, client, history) =>
    {
        for (var id = 1; id <= 3; id++)
        {
            await AdvanceAsync(history, 1000);
            var outcome = await cluster.StopAsync(id);
            Assert.True(outcome.ExitCode == 0, $"broker {id} ended with {outcome.ExitCode}: {outcome.Output}{outcome.Error}");
            await AdvanceAsync(history, 1000);
            cluster.Start(id);
            await AllInSyncAsync(cluster, client);
        }
    });

    [Fact]
    public Task A_broker_whose_disk_is_replaced_gets_everything_again() => RunAsync(async (cluster, client, history) =>
    {
        await AdvanceAsync(history, 5000);
        var leader = await LeaderAsync(client, 0);
        cluster.Kill(leader);
        cluster.Wipe(leader);
        await AdvanceAsync(history, 2000);
        cluster.Start(leader);
        await AllInSyncAsync(cluster, client);

        // What it got must carry alone what the others have.
        foreach (var other in new[] { 1, 2, 3 }.Where(id => id != leader).Take(1))
        {
            cluster.Kill(other);
            await AdvanceAsync(history, 2000);
            cluster.Start(other);
            await AllInSyncAsync(cluster, client);
        }
    });

    [Fact]
    public Task A_bit_flipped_on_the_disk_of_a_stopped_leader_is_repaired() => RunAsync(async (cluster, client, history) =>
    {
        await AdvanceAsync(history, 20_000);
        var leader = await LeaderAsync(client, 0);
        cluster.Kill(leader);
        foreach (var log in Directory.GetFiles(cluster.DirectoryOf(leader), "*.log", SearchOption.AllDirectories)
            .Where(static path => path.Contains("partitions", StringComparison.Ordinal)))
        {
            FlipBit(log, position: 5000);
        }

        await AdvanceAsync(history, 1000);
        cluster.Start(leader);
        await AllInSyncAsync(cluster, client);
        foreach (var other in new[] { 1, 2, 3 }.Where(id => id != leader))
        {
            cluster.Kill(other);
            await cluster.WaitForAsync(client, Topic, "another leader", topic => topic.Partitions.All(p => p.Placement.Leader != other));
            cluster.Start(other);
            await AllInSyncAsync(cluster, client);
        }
    });

    [Fact]
    public async Task The_loss_of_power_of_all_brokers_at_once_loses_nothing()
    {
        using var first = new LoopFileSystem(megabytes: 256);
        using var second = new LoopFileSystem(megabytes: 256);
        using var third = new LoopFileSystem(megabytes: 256);
        LoopFileSystem[] disks = [first, second, third];
        using var cluster = new ThreeBrokers([.. disks.Select(static disk => Path.Combine(disk.MountPoint, "data"))]);
        cluster.StartAll();
        await using var client = await cluster.ConnectAsync();
        await CreateTopicAsync(cluster, client);
        var history = new History(Topic);
        using var stop = new CancellationTokenSource();
        var publishing = history.PublishAsync(client, window: 500, Patience, stop.Token);
        for (var cut = 0; cut < 2; cut++)
        {
            await AdvanceAsync(history, 5000);
            for (var id = 1; id <= 3; id++)
            {
                cluster.Freeze(id);
            }

            foreach (var disk in disks)
            {
                Machine.CutPower(disk.MountPoint);
            }

            for (var id = 1; id <= 3; id++)
            {
                cluster.Kill(id);
                disks[id - 1].Unmount();
                disks[id - 1].Mount();
            }

            cluster.StartAll();
            await AllInSyncAsync(cluster, client);
        }

        await AdvanceAsync(history, 1000);
        await stop.CancelAsync();
        Assert.Null(await publishing);
        await history.CheckAsync(client);
    }

    [Fact]
    public async Task A_failing_disk_ends_its_broker_and_nothing_is_acknowledged_falsely()
    {
        Machine.RequireTool("strace");
        using var cluster = new ThreeBrokers();
        cluster.Start(1);
        cluster.Start(2);
        cluster.StartUnder(
            3, "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync,syncfs", "-e",
            "inject=fdatasync,fsync,syncfs:error=EIO:when=400+");
        await using var client = await cluster.ConnectAsync();
        await CreateTopicAsync(cluster, client);
        var history = new History(Topic);
        using var stop = new CancellationTokenSource();
        var publishing = history.PublishAsync(client, window: 50, Patience, stop.Token);
        while (!cluster.HasExited(3))
        {
            await AdvanceAsync(history, 100);
        }

        await AdvanceAsync(history, 1000);
        cluster.Start(3);
        await AllInSyncAsync(cluster, client);
        await stop.CancelAsync();
        Assert.Null(await publishing);
        await history.CheckAsync(client);
    }

    private static async Task RunAsync(Func<ThreeBrokers, WeirClient, History, Task> play)
    {
        using var cluster = new ThreeBrokers();
        cluster.StartAll();
        await using var client = await cluster.ConnectAsync();
        await CreateTopicAsync(cluster, client);
        var history = new History(Topic);
        using var stop = new CancellationTokenSource();
        var publishing = history.PublishAsync(client, window: 500, Patience, stop.Token);
        await play(cluster, client, history);
        await AdvanceAsync(history, 1000);
        await stop.CancelAsync();
        Assert.Null(await publishing);
        await history.CheckAsync(client);
    }

    private static async Task CreateTopicAsync(ThreeBrokers cluster, WeirClient client)
    {
        // All three must be there to hold a replica each.
        while ((await client.Admin.GetMetadataAsync(ct: Token)).Brokers.Count < 3)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), Token);
        }

        await client.Admin.CreateTopicAsync(Topic, new TopicSpec { Partitions = Partitions, ReplicationFactor = 3 }, Token);
        await AllInSyncAsync(cluster, client);
    }

    private static async Task<int> LeaderAsync(WeirClient client, int partition) =>
        (await client.Admin.DescribeTopicAsync(Topic, Token)).Partitions[partition].Placement.Leader;

    private static Task<TopicDescription> AllInSyncAsync(ThreeBrokers cluster, WeirClient client) => cluster.WaitForAsync(
        client, Topic, "all replicas in sync",
        static topic => topic.Partitions.All(static p => p.Placement.Leader > 0 && p.Placement.Isr.Count == 3));

    /// <summary>Waits until so many more records are acknowledged.</summary>
    private static async Task AdvanceAsync(History history, int more)
    {
        var target = history.Acknowledged + more;
        var started = Stopwatch.StartNew();
        while (history.Acknowledged < target)
        {
            Assert.True(started.Elapsed < Patience, $"{history.Acknowledged} of {target} records were acknowledged in {Patience}");
            await Task.Delay(TimeSpan.FromMilliseconds(5), Token);
        }
    }

    private static void FlipBit(string path, int position)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        if (file.Length <= position)
        {
            return;
        }

        file.Position = position;
        var value = file.ReadByte();
        file.Position = position;
        file.WriteByte((byte)(value ^ 4));
    }
}
