using Weir.Cluster.Tests.Harness;
using Weir.Cluster.Tests.Workloads;
using Xunit;
using Xunit.Sdk;

namespace Weir.Cluster.Tests.HarnessTests;

/// <summary>The workload goes on through faults, and its history shows what a broker lost.</summary>
public sealed class WorkloadTests
{
    private static readonly TestClusterOptions One = new() { Brokers = 1, AreIndependent = true };

    [Fact]
    public async Task Workload_goes_on_through_a_kill_and_finds_nothing_lost()
    {
        await using var cluster = await TestCluster.StartAsync(One);
        await using var workload = await Workload.StartAsync(cluster);
        await workload.ProgressAsync("before the kill", 500);
        cluster.Kill();
        cluster.StartAll();
        await workload.ProgressAsync("after the kill", 500);
        var report = await workload.CheckAsync();
        Assert.Equal(workload.Acknowledged, report.Figures.Acknowledged);
        Assert.True(workload.Polled > 0);
        Assert.Empty(workload.ConsumerErrors);
    }

    [Fact]
    public async Task Workload_shows_that_a_broker_went_back_to_an_earlier_state()
    {
        await using var cluster = await TestCluster.StartAsync(One);
        await using var workload = await Workload.StartAsync(cluster);
        await workload.ProgressAsync("before the copy", 200);
        cluster.Kill();
        var copy = cluster[1].DataDirectory + "-copy";
        Machine.Run("cp", "-a", cluster[1].DataDirectory, copy);
        cluster.StartAll();
        await workload.ProgressAsync("after the copy", 200);
        await workload.StopAsync();
        cluster.Kill();
        cluster[1].Wipe();
        Directory.Move(copy, cluster[1].DataDirectory);
        cluster.StartAll();
        var failure = await Assert.ThrowsAnyAsync<XunitException>(() => workload.CheckAsync());

        // Which one depends on how far the readers were.
        Assert.True(
            failure.Message.Contains("Unseen", StringComparison.Ordinal) || failure.Message.Contains("Vanished", StringComparison.Ordinal),
            failure.Message);
    }
}
