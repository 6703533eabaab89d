using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Xunit;

namespace Weir.Metadata.Tests;

/// <summary>In-sync replicas change by compare and set: what a leader wished in the past does not count.</summary>
[Trait("Category", "Unit")]
public sealed class IsrDecisionTests
{
    private readonly TestCluster _cluster = new TestCluster(5).WithTopic([1, 2, 3]);

    [Fact]
    public void Wish_is_granted_and_answered_with_the_state_that_it_made()
    {
        var decision = MetadataController.AlterPartitions(_cluster.Image, _cluster.Wish(1, 2));
        _cluster.Add(decision.Records);
        var answer = decision.Outcome[0];
        Assert.Equal((ErrorCode.None, 0, 1), (answer.Error, answer.LeaderEpoch, answer.PartitionEpoch));
        Assert.Equal([1, 2], answer.Isr);
        Assert.Equal(1, _cluster.Partition.PartitionEpoch);
        Assert.Equal("1 of 1,2 / ", _cluster.ToString());
    }

    [Fact]
    public void Wish_of_a_leader_that_was_followed_by_another_is_refused()
    {
        var late = _cluster.Wish(1);
        _cluster.Change(1, BrokerAction.Drain);
        Assert.Equal(ErrorCode.FencedLeaderEpoch, Refusal(late));
        late.Partitions[0].LeaderEpoch = _cluster.Partition.LeaderEpoch;
        Assert.Equal(ErrorCode.NotLeader, Refusal(late));
    }

    [Fact]
    public void Wish_that_is_late_or_comes_twice_is_refused()
    {
        var late = _cluster.Wish(1, 3);
        _cluster.InSync(1, 2);
        Assert.Equal(ErrorCode.StalePartitionEpoch, Refusal(late));
        var twice = _cluster.Wish(1);
        _cluster.Add(MetadataController.AlterPartitions(_cluster.Image, twice).Records);
        Assert.Equal(ErrorCode.StalePartitionEpoch, Refusal(twice));
    }

    [Fact]
    public void Wish_of_a_process_of_the_past_is_refused()
    {
        var wish = _cluster.Wish(1, 2);
        wish.BrokerEpoch--;
        Assert.Equal(
            ErrorCode.StaleBrokerEpoch,
            Assert.Throws<ProtocolException>(() => _ = MetadataController.AlterPartitions(_cluster.Image, wish)).Code);
    }

    [Fact]
    public void Replica_that_restarted_since_the_leader_saw_it_does_not_join()
    {
        _cluster.Fence(3).Return(3);
        var wish = _cluster.Wish(1, 2, 3);
        _cluster.Return(3);
        Assert.Equal(ErrorCode.IneligibleReplica, Refusal(wish));
        Assert.Equal(ErrorCode.None, Refusal(_cluster.Wish(1, 2, 3)));
    }

    [Fact]
    public void Fenced_draining_or_foreign_replica_does_not_join()
    {
        _cluster.Fence(3);
        Assert.Equal(ErrorCode.IneligibleReplica, Refusal(_cluster.Wish(1, 2, 3)));
        _cluster.Unfence(3).Change(3, BrokerAction.Drain);
        Assert.Equal(ErrorCode.IneligibleReplica, Refusal(_cluster.Wish(1, 2, 3)));
        Assert.Equal(ErrorCode.IneligibleReplica, Refusal(_cluster.Wish(1, 2, 4)));
        Assert.Equal(ErrorCode.IneligibleReplica, Refusal(_cluster.Wish(1, 2, 9)));
    }

    [Fact]
    public void Draining_replica_that_is_in_sync_may_stay() =>
        Assert.Equal("1 of 1,3 / ", _cluster.Change(3, BrokerAction.Drain).InSync(1, 3).ToString());

    [Fact]
    public void Leader_that_leaves_itself_out_hands_over_to_another_in_sync() =>
        Assert.Equal("2 of 2,3 / ", _cluster.InSync(2, 3).ToString());

    [Fact]
    public void Leader_does_not_hand_over_to_too_few_or_to_one_that_is_not_in_sync()
    {
        Assert.Equal(ErrorCode.InvalidRequest, Refusal(_cluster.Wish(2)));
        _cluster.InSync(1, 2);
        Assert.Equal(ErrorCode.InvalidRequest, Refusal(_cluster.Wish(2, 3)));
        Assert.Equal(ErrorCode.None, Refusal(_cluster.Wish(1, 2, 3)));
    }

    [Fact]
    public void Wish_for_nobody_or_for_one_twice_is_no_wish()
    {
        Assert.Equal(ErrorCode.InvalidRequest, Refusal(_cluster.Wish()));
        Assert.Equal(ErrorCode.InvalidRequest, Refusal(_cluster.Wish(1, 2, 2)));
    }

    [Fact]
    public void Partition_that_is_not_there_is_refused_and_the_others_are_not()
    {
        var wish = _cluster.Wish(1, 2);
        wish.Partitions =
        [
            new PartitionAlteration { TopicId = TestMetadata.TopicId(9) },
            new PartitionAlteration { TopicId = TestMetadata.TopicId(1), Partition = 1 },
            new PartitionAlteration { TopicId = TestMetadata.TopicId(1), Partition = -1 },
            .. wish.Partitions,
        ];
        var decision = MetadataController.AlterPartitions(_cluster.Image, wish);
        Assert.Equal(
            [ErrorCode.UnknownPartition, ErrorCode.UnknownPartition, ErrorCode.UnknownPartition, ErrorCode.None],
            decision.Outcome.Select(static answer => answer.Error));
        Assert.Equal("1 of 1,2 / ", _cluster.Add(decision.Records).ToString());
    }

    [Fact]
    public void Wish_for_what_is_leaves_the_partition_epoch_as_it_is()
    {
        var decision = MetadataController.AlterPartitions(_cluster.Image, _cluster.Wish(1, 2, 3));
        Assert.Empty(decision.Records);
        Assert.Equal((ErrorCode.None, 0), (decision.Outcome[0].Error, decision.Outcome[0].PartitionEpoch));
    }

    [Fact]
    public void Second_wish_for_a_partition_in_one_request_is_late()
    {
        var wish = _cluster.Wish(1, 2);
        wish.Partitions = [.. wish.Partitions, .. _cluster.Wish(1).Partitions];
        var decision = MetadataController.AlterPartitions(_cluster.Image, wish);
        Assert.Equal(
            [ErrorCode.None, ErrorCode.StalePartitionEpoch], decision.Outcome.Select(static answer => answer.Error));
        Assert.Equal("1 of 1,2 / ", _cluster.Add(decision.Records).ToString());
    }

    private ErrorCode Refusal(AlterPartitionsRequest wish)
    {
        var decision = MetadataController.AlterPartitions(_cluster.Image, wish);
        Assert.Equal(decision.Outcome[0].Error == ErrorCode.None, decision.Records.Count > 0);
        return decision.Outcome[0].Error;
    }
}
