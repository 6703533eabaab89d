using System.Globalization;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Brokers that die or are restarted under load: row 1 of the fault table.</summary>
public sealed class CrashScenarios
{
    /// <summary>Kills of one run; a campaign sets more.</summary>
    private static int Kills =>
        int.Parse(Environment.GetEnvironmentVariable("WEIR_CLUSTER_KILLS") ?? "4", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Kills_of_leaders_lose_nothing_and_fail_no_send()
    {
        await using var scenario = await Scenario.StartAsync();
        for (var kill = 0; kill < Kills; kill++)
        {
            await scenario.Workload.ProgressAsync($"before kill {kill}", 500);
            var leader = await scenario.LeaderAsync(kill % 4);
            leader.Kill();
            await scenario.Workload.ProgressAsync($"after kill {kill}", 500);
            leader.Start();
            await scenario.InSyncAsync();
        }

        await scenario.EndAsync();
    }

    [Fact]
    public async Task Kill_of_all_brokers_at_once_loses_nothing_and_fails_no_send()
    {
        await using var scenario = await Scenario.StartAsync();
        for (var kill = 0; kill < 2; kill++)
        {
            scenario.Cluster.Kill();
            scenario.Cluster.StartAll();
            await scenario.Workload.ProgressAsync($"after kill {kill}", 1000);
        }

        await scenario.EndAsync();
    }

    [Fact]
    public async Task Kills_of_one_some_or_all_brokers_at_any_time_lose_nothing()
    {
        var random = Scenario.NewRandom();
        await using var scenario = await Scenario.StartAsync();
        for (var round = 0; round < Kills; round++)
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

    [Fact]
    public async Task Rolling_restart_loses_nothing_fails_no_send_and_ends_each_broker_in_order()
    {
        await using var scenario = await Scenario.StartAsync();
        foreach (var broker in scenario.Cluster.Brokers)
        {
            await broker.StopAsync();
            await scenario.Workload.ProgressAsync($"without broker {broker.Id}", 500);
            broker.Start();
            await scenario.InSyncAsync();
            await scenario.Workload.ProgressAsync($"with broker {broker.Id} again", 500);
        }

        await scenario.EndAsync();
    }
}
