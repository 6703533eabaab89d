using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Networks that part, lose and delay: row 13 of the fault table.</summary>
public sealed class NetworkScenarios
{
    private static readonly TestClusterOptions OnNetworks = new() { OwnNetworks = true };

    [Fact]
    public Task Leader_that_is_cut_off_from_all_is_replaced_and_what_it_took_meanwhile_is_not_shown() =>
        CutOffLeadersAsync(alsoFromClients: true);

    /// <summary>Clients go on talking to it, and must learn of the leader that the others have elected.</summary>
    [Fact]
    public Task Leader_that_is_cut_off_from_brokers_alone_is_replaced_and_what_it_took_meanwhile_is_not_shown() =>
        CutOffLeadersAsync(alsoFromClients: false);

    [Fact]
    public async Task Two_brokers_that_do_not_see_each_other_and_a_third_that_sees_both_go_on()
    {
        await using var scenario = await Scenario.StartAsync(OnNetworks);
        var controller = await scenario.ControllerAsync();
        foreach (var other in scenario.Except(controller))
        {
            scenario.Cluster.Network.Partition(controller.Id, other.Id);
            await scenario.Workload.ProgressAsync($"while {controller.Id} and {other.Id} do not see each other", 1000);
            scenario.Cluster.Network.Heal();
            await scenario.InSyncAsync();
        }

        await scenario.EndAsync();
    }

    [Fact]
    public Task Controller_that_hears_and_is_not_heard_is_replaced() => OpenOneWayAsync(isHeard: false);

    [Fact]
    public Task Controller_that_is_heard_and_does_not_hear_is_replaced() => OpenOneWayAsync(isHeard: true);

    [Fact]
    public async Task Loss_of_a_third_of_all_packets_loses_no_record()
    {
        await using var scenario = await Scenario.StartAsync(OnNetworks);
        scenario.Cluster.Network.LossEverywhere(30);
        await scenario.Workload.ProgressAsync("while packets are lost", 300, TimeSpan.FromSeconds(60));
        await scenario.EndAsync();
    }

    [Fact]
    public async Task Connections_that_are_slow_overtake_each_other_and_are_reset_lose_nothing()
    {
        await using var scenario = await Scenario.StartAsync(new TestClusterOptions { BehindProxies = true });
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Proxy!.Delay(TimeSpan.FromMilliseconds(2), TimeSpan.FromMilliseconds(30));
        }

        for (var round = 0; round < 6; round++)
        {
            var proxy = scenario.Cluster.Brokers[round % 3].Proxy!;
            await scenario.Workload.ProgressAsync($"round {round}", 300);
            proxy.CutAfter(1 + (round * 777), round < 3 ? ProxyDirection.ToBroker : ProxyDirection.FromBroker);
            await scenario.Workload.ProgressAsync($"round {round}, after a cut", 300);
            proxy.Reset();
        }

        await scenario.EndAsync();
    }

    [Fact]
    public async Task Brokers_that_are_far_apart_find_together_again()
    {
        await using var scenario = await Scenario.StartAsync(new TestClusterOptions { BehindProxies = true });
        foreach (var broker in scenario.Cluster.Brokers)
        {
            // A greeting goes there and back three times.
            broker.Proxy!.Delay(TimeSpan.FromMilliseconds(150));
        }

        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Proxy!.Reset();
        }

        await scenario.Workload.ProgressAsync("far apart", 100);
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Proxy!.Delay(TimeSpan.Zero);
        }

        await scenario.EndAsync();
    }

    private static async Task CutOffLeadersAsync(bool alsoFromClients)
    {
        await using var scenario = await Scenario.StartAsync(OnNetworks);
        for (var partition = 0; partition < 2; partition++)
        {
            scenario.Cluster.Network.Isolate((await scenario.LeaderAsync(partition)).Id, alsoFromClients);
            await scenario.Workload.ProgressAsync("while the leader is cut off", 1000);
            scenario.Cluster.Network.Heal();
            await scenario.InSyncAsync();
        }

        await scenario.EndAsync();
    }

    private static async Task OpenOneWayAsync(bool isHeard)
    {
        await using var scenario = await Scenario.StartAsync(OnNetworks);
        var controller = await scenario.ControllerAsync();
        foreach (var other in scenario.Except(controller))
        {
            var (from, to) = isHeard ? (other.Id, controller.Id) : (controller.Id, other.Id);
            scenario.Cluster.Network.PartitionOneWay(from, to);
        }

        await scenario.Workload.ProgressAsync("while the network is open one way", 1000);
        await scenario.EndAsync();
    }
}
