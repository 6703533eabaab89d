using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Loss of power below brokers that are under load: rows 2, 3, 4 and 19 of the fault table.</summary>
public sealed class PowerScenarios
{
    private static readonly TestClusterOptions OnDisks = new() { DiskMegabytes = 256 };

    [Fact]
    public async Task Loss_of_power_of_all_brokers_at_once_loses_nothing()
    {
        await using var scenario = await Scenario.StartAsync(OnDisks);
        for (var cut = 1; cut <= 2; cut++)
        {
            await scenario.Workload.ProgressAsync($"before cut {cut}", 1000);
            await scenario.Cluster.CutPowerAsync();
            scenario.Cluster.StartAll();
            await scenario.Workload.ProgressAsync($"after cut {cut}", 1000);
        }

        await scenario.EndAsync();
    }

    [Fact]
    public async Task Loss_of_power_that_keeps_pages_of_unsynced_writes_at_random_loses_nothing()
    {
        var random = Scenario.NewRandom();
        await using var scenario = await Scenario.StartAsync(OnDisks);
        for (var cut = 1; cut <= 3; cut++)
        {
            await scenario.Workload.ProgressAsync($"before cut {cut}", 500);
            await scenario.Cluster.CutPowerTornAsync(random);
            scenario.Cluster.StartAll();
            await scenario.Workload.ProgressAsync($"after cut {cut}", 500);
        }

        await scenario.EndAsync();
    }

    [Fact]
    public async Task Loss_of_power_of_a_leader_while_one_follower_stands_still_and_one_is_cut_off_loses_nothing()
    {
        await using var scenario = await Scenario.StartAsync(OnDisks with { OwnNetworks = true });
        var leader = await scenario.LeaderAsync();
        var others = scenario.Except(leader);
        scenario.Cluster.Network.Isolate(others[0].Id, alsoFromClients: false);
        await scenario.Workload.ProgressAsync("with one follower cut off", 500);
        await others[1].PauseAsync();
        await scenario.Cluster.CutPowerAsync(leader.Id);
        others[1].Resume();
        scenario.Cluster.Network.Heal();
        await scenario.Workload.ProgressAsync("without the leader", 500);
        await scenario.EndAsync();
    }

    /// <summary>The one that lost its unsynced tail must not bring about a majority that has forgotten what another one has.</summary>
    [Fact]
    public async Task Loss_of_power_of_one_broker_between_pauses_of_the_others_loses_nothing()
    {
        await using var scenario = await Scenario.StartAsync(OnDisks);
        for (var first = 0; first < 2; first++)
        {
            var victim = await scenario.LeaderAsync();
            var others = scenario.Except(victim);
            await scenario.Cluster.CutPowerAsync(victim.Id);
            await others[first].PauseAsync();
            victim.Start();
            await scenario.Workload.ProgressAsync($"while broker {others[first].Id} stands still", 500);
            await others[1 - first].PauseAsync();
            others[first].Resume();
            await scenario.Workload.ProgressAsync($"while broker {others[1 - first].Id} stands still", 500);
            others[1 - first].Resume();
            await scenario.InSyncAsync();
        }

        await scenario.EndAsync();
    }

    [Fact]
    public async Task Last_replica_that_stands_acknowledges_nothing_and_its_loss_of_power_loses_nothing()
    {
        await using var scenario = await Scenario.StartAsync(
            OnDisks, static load => load with { DeliveryTimeout = TimeSpan.FromSeconds(3) });
        await scenario.Cluster.CutPowerAsync(1);
        await scenario.Workload.ProgressAsync("without broker 1", 500);
        await scenario.Cluster.CutPowerAsync(2);
        var missed = scenario.Workload.Missed;
        await scenario.Cluster.EventuallyAsync("sends are no longer acknowledged", () => scenario.Workload.Missed > missed);
        await scenario.Cluster.CutPowerAsync(3);
        scenario.Cluster.StartAll();
        await scenario.EndAsync(sendsMayTimeOut: true);
    }
}
