using System.Globalization;
using Weir.Cluster.Tests.Harness;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Brokers that die, lose power, stand still or meet a disk that fails: rows 1, 2, 3, 5 and 14 of the fault table.</summary>
public sealed class CrashScenarios
{
    private static readonly TestClusterOptions OnDisks = new() { DiskMegabytes = 256 };

    [Fact(Explicit = true)]
    public async Task Kills_of_one_some_or_all_brokers_at_any_time_lose_nothing()
    {
        var seed = ulong.Parse(Environment.GetEnvironmentVariable("WEIR_SEED") ?? "1", CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"WEIR_SEED={seed}");
        var random = new SeededRandom(seed);
        await using var scenario = await Scenario.StartAsync();
        for (var round = 0; round < 6; round++)
        {
            await scenario.Workload.ProgressAsync($"round {round}", 1 + random.Next(1000));
            int[] victims = [.. Enumerable.Range(1, 3).Where(_ => random.Chance(1, 2))];
            if (victims.Length > 0)
            {
                scenario.Cluster.Kill(victims);
            }

            if (victims.Length == 1)
            {
                await scenario.Workload.ProgressAsync($"round {round}, without broker {victims[0]}", 1 + random.Next(500));
            }

            scenario.Cluster.StartAll();
            await scenario.Cluster.ServesAsync();
        }

        await scenario.EndAsync();
    }

    [Fact(Explicit = true)]
    public async Task Loss_of_power_of_a_leader_while_one_follower_stands_still_and_one_is_cut_off_loses_nothing()
    {
        await using var scenario = await Scenario.StartAsync(OnDisks with { OwnNetworks = true });
        var leader = await scenario.LeaderAsync();
        var others = scenario.Except(leader);
        scenario.Cluster.Network.Isolate(others[0].Id, alsoFromClients: false);
        await scenario.Workload.ProgressAsync("with one follower cut off", 500);
        await others[1].PauseAsync();
        scenario.Cluster.CutPower(leader.Id);
        others[1].Resume();
        scenario.Cluster.Network.Heal();
        await scenario.Workload.ProgressAsync("without the leader", 500);
        await scenario.EndAsync();
    }

    [Fact(Explicit = true)]
    public async Task Loss_of_power_of_all_brokers_at_once_loses_nothing()
    {
        await using var scenario = await Scenario.StartAsync(OnDisks);
        for (var cut = 1; cut <= 3; cut++)
        {
            scenario.Cluster.CutPower();
            scenario.Cluster.StartAll();
            await scenario.Cluster.ServesAsync();
            await scenario.Workload.ProgressAsync($"after cut {cut}", 500);
        }

        await scenario.EndAsync();
    }

    [Theory(Explicit = true)]
    [InlineData("fdatasync:error=EIO:when=300+")]
    [InlineData("pwrite64:error=EIO:when=600+")]
    public async Task Broker_whose_disk_fails_ends_and_the_others_go_on(string fault)
    {
        await using var scenario = await Scenario.StartAsync();
        await scenario.Cluster[1].StopAsync();
        scenario.Cluster[1].StartUnderStrace(fault);
        await scenario.Cluster.EventuallyAsync("the broker ends by itself", () => !scenario.Cluster[1].IsRunning);
        await scenario.Workload.ProgressAsync("without the broker", 500);
        await scenario.EndAsync();
    }

    [Fact(Explicit = true)]
    public async Task Pauses_of_leaders_of_the_controller_and_of_all_lose_nothing()
    {
        await using var scenario = await Scenario.StartAsync();
        BrokerNode[] victims = [await scenario.LeaderAsync(), scenario.Cluster[await scenario.ControllerAsync()]];
        foreach (var victim in victims)
        {
            await victim.PauseAsync();
            await scenario.Workload.ProgressAsync($"while broker {victim.Id} stands still", 1000);
            victim.Resume();
            await scenario.InSyncAsync();
        }

        await Task.WhenAll(scenario.Cluster.Brokers.Select(static broker => broker.PauseAsync()));
        var unknown = scenario.Workload.Unknown;
        await scenario.Cluster.EventuallyAsync("sends end unknown", () => scenario.Workload.Unknown > unknown);
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Resume();
        }

        await scenario.EndAsync();
    }
}
