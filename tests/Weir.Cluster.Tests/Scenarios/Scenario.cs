using System.Globalization;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Weir.Cluster.Tests.Workloads;
using Weir.Testing.Support;
using Weir.Testing.Support.History;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>A cluster under load, and what scenarios of faults ask of it. Each test makes one.</summary>
public sealed class Scenario : IAsyncDisposable
{
    private Scenario(TestCluster cluster, Workload workload)
    {
        Cluster = cluster;
        Workload = workload;
    }

    public TestCluster Cluster { get; }

    public Workload Workload { get; }

    /// <summary>Small segments, so that most of what is written lies in closed ones; time enough for each send to succeed.</summary>
    private static WorkloadOptions Load { get; } = new()
    {
        ReplicationFactor = 3,
        DeliveryTimeout = TimeSpan.FromSeconds(60),
        Configs = new Dictionary<string, string?> { ["segment.bytes"] = "65536" },
    };

    /// <summary>Chances of a test: the same ones, but for <c>WEIR_SEED</c>.</summary>
    public static SeededRandom NewRandom()
    {
        var seed = ulong.Parse(Environment.GetEnvironmentVariable("WEIR_SEED") ?? "1", CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"WEIR_SEED={seed}");
        return new SeededRandom(seed);
    }

    /// <summary>Starts three brokers and a load on a topic with three replicas, and waits for the first acknowledgements.</summary>
    public static async Task<Scenario> StartAsync(
        TestClusterOptions? options = null, Func<WorkloadOptions, WorkloadOptions>? configure = null)
    {
        var cluster = await TestCluster.StartAsync(options);
        Workload? workload = null;
        try
        {
            workload = await Workload.StartAsync(cluster, configure?.Invoke(Load) ?? Load);
            await workload.ProgressAsync("before the first fault", 500);
            return new Scenario(cluster, workload);
        }
        catch
        {
            await (workload?.DisposeAsync() ?? ValueTask.CompletedTask);
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The broker that leads a partition; waits until one does that runs.</summary>
    public async Task<BrokerNode> LeaderAsync(int partition = 0)
    {
        var leader = -1;
        await Cluster.EventuallyAsync(
            $"partition {partition} has a leader",
            async token =>
            {
                leader = (await DescribeAsync(token)).Partitions[partition].Placement.Leader;
                return leader > 0 && Cluster[leader].IsRunning;
            });
        return Cluster[leader];
    }

    /// <summary>The controller, as the cluster's brokers tell it; waits until there is one.</summary>
    public async Task<BrokerNode> ControllerAsync()
    {
        await using var client = await Cluster.ConnectAsync();
        var controller = -1;
        await Cluster.EventuallyAsync(
            "there is a controller",
            async token => (controller = (await client.Admin.GetMetadataAsync([], token)).ControllerId) > 0);
        return Cluster[controller];
    }

    /// <summary>Brokers other than one.</summary>
    public IReadOnlyList<BrokerNode> Except(BrokerNode broker) => [.. Cluster.Brokers.Where(other => other != broker)];

    /// <summary>Waits until every partition has a leader and all replicas in sync.</summary>
    public Task InSyncAsync() => Cluster.EventuallyAsync(
        "all replicas are in sync",
        async token => (await DescribeAsync(token)).Partitions.All(
            static partition => partition.Placement is { Leader: > 0, Isr.Count: 3 }));

    /// <summary>Waits until all of the topic's partitions have a leader other than one.</summary>
    public Task LedByOthersAsync(BrokerNode broker) => Cluster.EventuallyAsync(
        $"others than broker {broker.Id} lead",
        async token => (await DescribeAsync(token)).Partitions.All(
            partition => partition.Placement.Leader > 0 && partition.Placement.Leader != broker.Id));

    /// <summary>
    /// The end of every scenario: faults are healed, all brokers run, get in sync and take records; then the history is
    /// checked. No fault is a reason to fail a send for good, nor to fail one at all that had time enough.
    /// </summary>
    /// <param name="sendsMayTimeOut">Whether there was a time without brokers enough that was longer than a send waits.</param>
    public async Task<CheckReport> EndAsync(bool sendsMayTimeOut = false)
    {
        if (Cluster.Options.OwnNetworks)
        {
            Cluster.Network.Heal();
        }

        Cluster.StartAll();
        await Cluster.ServesAsync();
        await InSyncAsync();
        await Workload.ProgressAsync("after the last fault", 500);
        var report = await Workload.CheckAsync();
        Assert.Empty(Workload.ConsumerErrors);
        Assert.True(Workload.Refused == 0, $"sends failed for good: {Workload.Errors}");
        Assert.True(sendsMayTimeOut || Workload.Missed == 0, $"sends failed: {Workload.Errors}");
        return report;
    }

    public async ValueTask DisposeAsync()
    {
        await Workload.DisposeAsync();
        await Cluster.DisposeAsync();
    }

    private async Task<TopicDescription> DescribeAsync(CancellationToken token)
    {
        await using var client = await WeirClient.ConnectAsync(
            new WeirClientOptions { Servers = Cluster.Servers, RequestTimeout = TimeSpan.FromSeconds(3) }, token);
        return await client.Admin.DescribeTopicAsync(Load.Topic, token);
    }
}
