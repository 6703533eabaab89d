using System.Text.Json;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Weir.Protocol.Errors;
using Xunit;

namespace Weir.Cluster.Tests.HarnessTests;

/// <summary>The network between brokers loses what it is told to lose, and nothing else.</summary>
public sealed class NetworkNamespacesTests(SharedCluster shared) : IClassFixture<SharedCluster>, IDisposable
{
    private static readonly TestClusterOptions Options = new() { AreIndependent = true, OwnNetworks = true };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => shared.WriteOutput();

    [Fact]
    public async Task Client_that_is_cut_off_from_a_broker_times_out_there_and_goes_on_after_healing()
    {
        var cluster = await HealedAsync();
        await using var first = await cluster.ConnectAsync(1, static options => options.RequestTimeout = TimeSpan.FromMilliseconds(500));
        await using var second = await cluster.ConnectAsync(2);
        cluster.Network.Partition(NetworkNamespaces.Client, 1);
        var error = await Assert.ThrowsAsync<WeirException>(() => first.Admin.ListTopicsAsync(Token));
        Assert.True(error.Code is ErrorCode.RequestTimedOut or ErrorCode.ConnectionLost, error.Message);
        await second.Admin.ListTopicsAsync(Token);
        Assert.True(cluster.Network.Lost(NetworkNamespaces.Client, 1) > 0);
        cluster.Network.Heal();
        await cluster.EventuallyAsync("broker 1 answers again", async token => (await first.Admin.ListTopicsAsync(token)).Count >= 0);
    }

    [Fact]
    public async Task Brokers_that_are_partitioned_still_reach_clients_and_each_other_after_healing()
    {
        var cluster = await HealedAsync();
        Assert.True(await ReachesAsync(cluster, 1, 2));
        cluster.Network.Partition(1, 2);
        Assert.False(await ReachesAsync(cluster, 1, 2));
        Assert.False(await ReachesAsync(cluster, 2, 1));
        Assert.True(await ReachesAsync(cluster, 3, 1));
        Assert.True(await ReachesAsync(cluster, 3, 2));
        await (await cluster.ConnectAsync(1)).DisposeAsync();
        cluster.Network.Heal();
        cluster.Network.Isolate(3, alsoFromClients: false);
        Assert.True(await ReachesAsync(cluster, 2, 1));
        Assert.False(await ReachesAsync(cluster, 3, 1));
        Assert.False(await ReachesAsync(cluster, 2, 3));
        await (await cluster.ConnectAsync(3)).DisposeAsync();
    }

    [Fact]
    public async Task One_way_loss_lets_requests_arrive_whose_answers_are_lost()
    {
        var cluster = await HealedAsync();
        await using var client = await cluster.ConnectAsync(1);
        await client.Admin.CreateTopicAsync("one-way", null, Token);
        await using var producer = client.CreateProducer("one-way", new ProducerOptions { DeliveryTimeout = TimeSpan.FromSeconds(1) });
        await producer.SendAsync(new OutgoingRecord { Value = new byte[10] }, Token);
        cluster.Network.PartitionOneWay(1, NetworkNamespaces.Client);
        var error = await Assert.ThrowsAsync<WeirException>(
            async () => await producer.SendAsync(new OutgoingRecord { Value = new byte[10] }, Token));
        Assert.Equal(ErrorCode.RequestTimedOut, error.Code);

        // The test hears nothing of broker 1, so broker 2's machine asks how much arrived there.
        using var asking = WeirProcess.StartUnder(
            cluster.Network.CommandOn(2)[0], cluster.Network.CommandOn(2)[1..],
            "topic", "describe", "one-way", "--server", cluster[1].Address, "--output", "json");
        using var described = JsonDocument.Parse((await asking.WaitAsync()).Output);
        Assert.Equal(2, described.RootElement.GetProperty("partitions")[0].GetProperty("highWatermark").GetInt64());
        Assert.Equal(0, cluster.Network.Lost(NetworkNamespaces.Client, 1));
        Assert.True(cluster.Network.Lost(1, NetworkNamespaces.Client) > 0);
    }

    [Fact]
    public async Task Loss_of_some_packets_delays_and_stops_nothing()
    {
        var cluster = await HealedAsync();
        await using var client = await cluster.ConnectAsync(1);
        await client.Admin.CreateTopicAsync("loss", null, Token);
        await using var producer = client.CreateProducer("loss");
        cluster.Network.LossEverywhere(30);
        long sent = 0;
        while (sent < 10 || cluster.Network.Lost(NetworkNamespaces.Client, 1) < 3 || cluster.Network.Lost(1, NetworkNamespaces.Client) < 3)
        {
            Assert.Equal(sent++, (await producer.SendAsync(new OutgoingRecord { Value = new byte[10] }, Token)).Offset);
        }
    }

    private async Task<TestCluster> HealedAsync()
    {
        var cluster = await shared.GetAsync(Options);
        cluster.Network.Heal();
        return cluster;
    }

    private static async Task<bool> ReachesAsync(TestCluster cluster, int from, int to)
    {
        var command = cluster.Network.CommandOn(from);
        var address = cluster[to].Address.Replace(':', '/');
        using var probe = System.Diagnostics.Process.Start(
            command[0], [.. command[1..], "timeout", "0.5", "bash", "-c", $"exec 3<>/dev/tcp/{address}"]);
        await probe.WaitForExitAsync(Token);
        return probe.ExitCode == 0;
    }
}
