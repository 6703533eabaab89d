using System.Diagnostics;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests.HarnessTests;

/// <summary>What a test does to one broker happens to that one, and nothing is left of it afterwards.</summary>
public sealed class TestClusterTests
{
    private const string Topic = "t";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Paused_broker_answers_nothing_until_it_is_resumed()
    {
        await using var cluster = await TestCluster.StartAsync(new TestClusterOptions { Brokers = 2, AreIndependent = true });
        await using var client = await cluster.ConnectAsync(1);
        await cluster[1].PauseAsync();
        var asking = client.Admin.ListTopicsAsync(Token);
        await (await cluster.ConnectAsync(2)).DisposeAsync();
        Assert.False(asking.IsCompleted);
        cluster[1].Resume();
        await asking;
    }

    [Fact]
    public async Task Loss_of_power_takes_from_one_broker_what_was_not_synced()
    {
        await using var cluster = await TestCluster.StartAsync(
            new TestClusterOptions { Brokers = 2, AreIndependent = true, DiskMegabytes = 64 });
        await using (var client = await cluster.ConnectAsync(1))
        {
            await client.Admin.CreateTopicAsync(Topic, null, Token);
            await using var producer = client.CreateProducer(Topic);
            await producer.SendAsync(new OutgoingRecord { Value = new byte[10] }, Token);
        }

        // A sync by the broker may be one of its whole file system.
        foreach (var broker in cluster.Brokers)
        {
            await broker.PauseAsync();
            await File.WriteAllTextAsync(UnsyncedFileOf(broker), "not synced", Token);
        }

        await cluster.CutPowerAsync(1);
        Assert.False(cluster[1].IsRunning);
        Assert.Equal(string.Empty, await ReadUnsyncedAsync(cluster[1]));
        Assert.Equal("not synced", await ReadUnsyncedAsync(cluster[2]));
        Assert.True(cluster[2].IsRunning);
        cluster[2].Resume();
        cluster[1].Start();
        await cluster.ServesAsync();
        await using var reader = await cluster.ConnectAsync(1);
        await using var consumer = reader.CreateConsumer(Topic);
        await using var records = consumer.ReadAllAsync(Token).GetAsyncEnumerator(Token);
        Assert.True(await records.MoveNextAsync());
    }

    [Fact]
    public async Task Disk_that_lost_power_comes_back_when_processes_with_mounts_of_their_own_let_it_go()
    {
        using var disk = new LoopFileSystem(megabytes: 16);
        using var holder = Process.Start(new ProcessStartInfo("unshare", ["--mount", "sh", "-c", "echo has it; read end"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        Assert.Equal("has it", await holder.StandardOutput.ReadLineAsync(Token));
        disk.CutPower();
        var restart = Task.Run(
            () =>
            {
                disk.Unmount();
                disk.Mount();
            },
            Token);
        await Eventually.HoldsAsync("the disk is unmounted", () => !disk.IsMounted || restart.IsCompleted);
        await holder.StandardInput.WriteLineAsync();
        await restart;
        await File.WriteAllTextAsync(Path.Combine(disk.MountPoint, "file"), "written", Token);
    }

    [Fact]
    public async Task Broker_that_is_stopped_wiped_or_killed_starts_again_at_its_address()
    {
        await using var cluster = await TestCluster.StartAsync(new TestClusterOptions { Brokers = 1, AreIndependent = true });
        await using (var client = await cluster.ConnectAsync())
        {
            await client.Admin.CreateTopicAsync(Topic, null, Token);
        }

        await cluster[1].StopAsync();
        cluster[1].Start();
        Assert.Equal(1, await TopicsAsync(cluster));
        cluster.Kill();
        cluster[1].Wipe();
        cluster[1].Start();
        Assert.Equal(0, await TopicsAsync(cluster));
    }

    [Fact]
    public async Task Broker_under_strace_meets_the_fault_and_takes_signals_itself()
    {
        await using var cluster = TestCluster.Create(new TestClusterOptions { Brokers = 1, AreIndependent = true });
        cluster[1].StartUnderStrace("fdatasync:error=EIO:when=1+");
        await cluster.EventuallyAsync("the broker is stopped by the failed sync", () => !cluster[1].IsRunning);
        Assert.Contains("exited with", cluster[1].DescribeOutput(), StringComparison.Ordinal);
        cluster[1].StartUnderStrace("fdatasync:delay_exit=1000");
        await cluster.ServesAsync();
        Assert.Contains("weir", await File.ReadAllTextAsync($"/proc/{cluster[1].ProcessId}/comm", Token), StringComparison.Ordinal);
        await cluster[1].StopAsync();
    }

    [Fact]
    public async Task What_a_killed_run_left_behind_is_removed_by_the_next()
    {
        Machine.RequireRoot();
        var killed = Lease.Take();
        var network = new NetworkNamespaces(killed, nodes: 1);
        var disk = new LoopFileSystem(Directory.CreateDirectory(Path.Combine(killed.Directory, "disk")).FullName, 16);
        var marker = Path.Combine(disk.MountPoint, "marker");
        await File.WriteAllTextAsync(marker, "left\n", Token);
        var command = network.CommandOn(1);
        using var process = Process.Start(
            new ProcessStartInfo(command[0], [.. command[1..], "tail", "-f", marker]) { RedirectStandardOutput = true })!;
        Assert.Equal("left", await process.StandardOutput.ReadLineAsync(Token));
        killed.Abandon();
        using var next = Lease.Take();
        await process.WaitForExitAsync(Token);
        Assert.False(File.Exists(marker));
        Assert.NotEqual(0, process.ExitCode);
    }

    private static string UnsyncedFileOf(BrokerNode broker) => Path.Combine(broker.Disk!.MountPoint, "unsynced");

    /// <summary>Its name may have become durable with a sync of something else; its content has not.</summary>
    private static async Task<string> ReadUnsyncedAsync(BrokerNode broker) =>
        File.Exists(UnsyncedFileOf(broker)) ? await File.ReadAllTextAsync(UnsyncedFileOf(broker), Token) : string.Empty;

    private static async Task<int> TopicsAsync(TestCluster cluster)
    {
        await using var client = await cluster.ConnectAsync();
        return (await client.Admin.ListTopicsAsync(Token)).Count;
    }
}
