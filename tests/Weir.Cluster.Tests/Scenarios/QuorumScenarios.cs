using Weir.Client;
using Weir.Protocol.Errors;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>One broker of three is left: what it has is read, and nothing changes.</summary>
public sealed class QuorumScenarios
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Loss_of_the_quorum_leaves_reads_and_refuses_changes_with_the_names_of_the_missing_voters()
    {
        await using var scenario = await Scenario.StartAsync(
            configure: static load => load with { Partitions = 1, DeliveryTimeout = TimeSpan.FromSeconds(3) });
        var last = await scenario.LeaderAsync();
        var gone = scenario.Except(last);
        await using var client = await scenario.Cluster.ConnectAsync(last.Id);
        await client.Admin.CreateTopicAsync("other", new TopicSpec { Partitions = 6, ReplicationFactor = 3 }, Token);
        var led = (await client.Admin.DescribeTopicAsync("other", Token)).Partitions
            .First(partition => partition.Placement.Leader == last.Id).Partition;
        scenario.Cluster.Kill([.. gone.Select(static broker => broker.Id)]);
        var acknowledged = scenario.Workload.Acknowledged;
        var error = await Assert.ThrowsAsync<WeirException>(
            () => client.Admin.CreateTopicAsync("more", new TopicSpec { ReplicationFactor = 1 }, Token));
        Assert.Equal(ErrorCode.QuorumUnavailable, error.Code);
        Assert.True(error.IsRetriable);
        Assert.Contains($"voters {gone[0].Id}, {gone[1].Id} do not answer", error.Message, StringComparison.Ordinal);

        await using var producer = client.CreateProducer("other", new ProducerOptions { DeliveryTimeout = TimeSpan.FromSeconds(3) });
        error = await Assert.ThrowsAsync<WeirException>(
            async () => await producer.SendAsync(new OutgoingRecord { Partition = led, Value = new byte[100] }, Token));
        Assert.True(error.IsRetriable, error.Message);

        await scenario.Workload.ReadAsync(last.Address);
        Assert.True(scenario.Workload.Polled >= acknowledged);
        await scenario.EndAsync(sendsMayTimeOut: true);
    }
}
