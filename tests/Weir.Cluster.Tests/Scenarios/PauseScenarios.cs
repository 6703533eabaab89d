using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Brokers that stand still and go on as if nothing had been: row 14 of the fault table.</summary>
public sealed class PauseScenarios
{
    [Fact]
    public async Task Pauses_of_a_leader_and_of_the_controller_lose_nothing_and_fail_no_send()
    {
        await using var scenario = await Scenario.StartAsync();
        foreach (var find in (Func<Task<BrokerNode>>[])[() => scenario.LeaderAsync(), scenario.ControllerAsync])
        {
            var victim = await find();
            await victim.PauseAsync();
            await scenario.Workload.ProgressAsync($"while broker {victim.Id} stands still", 1000);
            victim.Resume();
            await scenario.InSyncAsync();
        }

        await scenario.EndAsync();
    }

    [Fact]
    public async Task Pause_of_all_brokers_loses_nothing()
    {
        await using var scenario = await Scenario.StartAsync(
            configure: static load => load with { DeliveryTimeout = TimeSpan.FromSeconds(2) });
        await Task.WhenAll(scenario.Cluster.Brokers.Select(static broker => broker.PauseAsync()));
        var missed = scenario.Workload.Missed;
        await scenario.Cluster.EventuallyAsync("sends fail", () => scenario.Workload.Missed > missed);
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Resume();
        }

        await scenario.EndAsync(sendsMayTimeOut: true);
    }
}
