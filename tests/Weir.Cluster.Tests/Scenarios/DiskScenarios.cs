using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Disks that fail or are full: rows 5 and 11 of the fault table.</summary>
public sealed class DiskScenarios
{
    private static readonly TestClusterOptions OnDisks = new() { DiskMegabytes = 96 };

    [Theory]
    [InlineData("fdatasync,fsync,syncfs:error=EIO:when=200+")]
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

    [Fact]
    public async Task Full_disk_of_one_broker_stops_nothing()
    {
        await using var scenario = await Scenario.StartAsync(OnDisks, static load => load with { ValueBytes = 1000 });
        var leader = await scenario.LeaderAsync();
        leader.Disk!.Fill();
        await scenario.Workload.ProgressAsync($"while the disk of broker {leader.Id} is full", 4000);
        Assert.True(leader.IsRunning, leader.DescribeOutput());
        leader.Disk!.Unfill();
        await scenario.EndAsync();
    }

    [Fact]
    public async Task Full_disks_of_all_brokers_take_no_records_serve_reads_and_go_on_when_there_is_space()
    {
        await using var scenario = await Scenario.StartAsync(
            OnDisks, static load => load with { ValueBytes = 4000, DeliveryTimeout = TimeSpan.FromSeconds(2) });
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Disk!.Fill();
        }

        var missed = scenario.Workload.Missed;
        await scenario.Cluster.EventuallyAsync("sends are refused", () => scenario.Workload.Missed > missed + 100);
        Assert.All(scenario.Cluster.Brokers, static broker => Assert.True(broker.IsRunning, broker.DescribeOutput()));
        await scenario.Workload.ReadAsync();
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Disk!.Unfill();
        }

        await scenario.EndAsync(sendsMayTimeOut: true);
    }
}
