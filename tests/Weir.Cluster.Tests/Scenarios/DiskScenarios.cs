using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Disks that are damaged, full, replaced or all but one gone: rows 6, 11, 17 and 19 of the fault table.</summary>
public sealed class DiskScenarios
{
    private static readonly TestClusterOptions OnDisks = new() { DiskMegabytes = 256 };

    [Theory(Explicit = true)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Damage_to_the_log_of_a_leader_is_repaired_from_the_others(bool isTruncated)
    {
        await using var scenario = await Scenario.StartAsync();
        await scenario.Workload.ProgressAsync("data to damage", 3000);
        var leader = await scenario.LeaderAsync();
        leader.Kill();
        var logs = Directory.GetFiles(leader.DataDirectory, "*.log", SearchOption.AllDirectories)
            .Where(static path => path.Contains("partitions", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(logs);
        foreach (var log in logs)
        {
            using var file = new FileStream(log, FileMode.Open, FileAccess.ReadWrite);
            file.Position = 5000;
            if (isTruncated)
            {
                file.SetLength(file.Position);
            }
            else
            {
                file.WriteByte(0xA5);
            }
        }

        leader.Start();
        await scenario.InSyncAsync();
        foreach (var other in scenario.Except(leader))
        {
            other.Kill();
            await scenario.Workload.ProgressAsync($"without broker {other.Id}", 500);
            other.Start();
            await scenario.InSyncAsync();
        }

        await scenario.EndAsync();
    }

    [Fact(Explicit = true)]
    public async Task Full_disks_of_all_brokers_take_no_records_and_go_on_when_there_is_space()
    {
        await using var scenario = await Scenario.StartAsync(
            OnDisks, static load => load with { ValueBytes = 4000, DeliveryTimeout = TimeSpan.FromSeconds(2) });
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Disk!.Fill();
        }

        var missed = scenario.Workload.Failed + scenario.Workload.Unknown;
        await scenario.Cluster.EventuallyAsync(
            "sends are refused", () => scenario.Workload.Failed + scenario.Workload.Unknown > missed + 100);
        Assert.All(scenario.Cluster.Brokers, static broker => Assert.True(broker.IsRunning, broker.DescribeOutput()));
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Disk!.Unfill();
        }

        await scenario.EndAsync();
    }

    [Fact(Explicit = true)]
    public async Task Brokers_whose_disks_are_replaced_one_after_the_other_get_everything_again()
    {
        await using var scenario = await Scenario.StartAsync();
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Kill();
            broker.Wipe();
            await scenario.Workload.ProgressAsync($"without broker {broker.Id}", 500);
            broker.Start();
            await scenario.InSyncAsync();
        }

        await scenario.EndAsync();
    }

    [Fact(Explicit = true)]
    public async Task Last_replica_that_stands_acknowledges_nothing_and_its_loss_of_power_loses_nothing()
    {
        await using var scenario = await Scenario.StartAsync(OnDisks);
        scenario.Cluster.CutPower(1);
        await scenario.Workload.ProgressAsync("without broker 1", 500);
        scenario.Cluster.CutPower(2);
        var missed = scenario.Workload.Failed + scenario.Workload.Unknown;
        await scenario.Cluster.EventuallyAsync(
            "sends are no longer acknowledged", () => scenario.Workload.Failed + scenario.Workload.Unknown > missed);
        scenario.Cluster.CutPower(3);
        scenario.Cluster.StartAll();
        await scenario.EndAsync();
    }
}
