using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Weir.Cluster.Tests.Workloads;
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

    private static WorkloadOptions Load { get; } = new() { ReplicationFactor = 3, DeliveryTimeout = TimeSpan.FromSeconds(5) };

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

    /// <summary>Id of the controller, as the cluster's brokers tell it.</summary>
    public async Task<int> ControllerAsync()
    {
        await using var client = await Cluster.ConnectAsync();
        return (await client.Admin.GetMetadataAsync([])).ControllerId;
    }

    /// <summary>Brokers other than one.</summary>
    public IReadOnlyList<BrokerNode> Except(BrokerNode broker) => [.. Cluster.Brokers.Where(other => other != broker)];

    /// <summary>Waits until every partition has a leader and all replicas in sync.</summary>
    public Task InSyncAsync() => Cluster.EventuallyAsync(
        "all replicas are in sync",
        async token => (await DescribeAsync(token)).Partitions.All(
            static partition => partition.Placement is { Leader: > 0, Isr.Count: 3 }));

    /// <summary>
    /// The end of every scenario: faults are healed, all brokers run, get in sync and take records; then the history is
    /// checked.
    /// </summary>
    public async Task<CheckReport> EndAsync()
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
