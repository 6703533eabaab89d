using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Replicas and leaders go elsewhere, and no record that was committed stays behind.</summary>
[Trait("Category", "Unit")]
public sealed class ReassignmentDecisionTests
{
    private readonly TestCluster _cluster = new TestCluster(6).WithTopic([1, 2, 3]);

    public static TheoryData<string> Impossible => ["", "1 1 2", "1 2 9", "1 2 6", "1 2 5"];

    [Fact]
    public void Old_replicas_stay_until_all_new_ones_are_in_sync()
    {
        Shows("1 of 1,2,3 / +4,5 -2,3", _cluster.Move(1, 4, 5));
        Shows("1 of 1,2,3,4 / +4,5 -2,3", _cluster.InSync(1, 2, 3, 4));
        Shows("1 of 1,4,5 / ", _cluster.InSync(1, 2, 3, 4, 5));
        Assert.Equal([1, 4, 5], _cluster.Partition.Replicas);
    }

    [Fact]
    public void Leader_that_moves_away_is_followed_by_a_new_replica()
    {
        Shows("4 of 4,5 / ", _cluster.Move(4, 5).InSync(1, 2, 3, 4, 5));
        Assert.Equal(2, _cluster.Partition.LeaderEpoch);
    }

    [Fact]
    public void Added_replica_begins_another_leader_epoch_as_it_may_have_been_one_before()
    {
        _cluster.Move(1, 2, 4);
        Assert.Equal((1, 1), (_cluster.Partition.Leader, _cluster.Partition.LeaderEpoch));
        _cluster.InSync(1, 2, 3, 4).Move(2, 1, 4);
        Assert.Equal(1, _cluster.Partition.LeaderEpoch);
    }

    [Fact]
    public void Cancelled_move_goes_back_to_the_replicas_that_were() =>
        Shows("1 of 1,2,3 / ", _cluster.Move(1, 4, 5).InSync(1, 2, 3, 4).Cancel());

    [Fact]
    public void Cancelled_move_whose_new_replica_leads_goes_back_to_an_old_one()
    {
        _cluster.Move(4, 5, 6).InSync(1, 2, 4).Change(1, BrokerAction.Drain).Change(2, BrokerAction.Drain);
        Shows("4 of 1,2,4 / +4,5,6 -1,2,3", _cluster);
        Shows("1 of 1,2 / ", _cluster.Cancel());
    }

    [Fact]
    public void Move_is_not_cancelled_while_only_a_new_replica_has_everything()
    {
        var cluster = OnlyNewReplicaHasEverything();
        Shows("2 of 2 / +2,3 -1", cluster);
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Cancel()));
        cluster.Fence(2);
        Shows("-1 of  / 2 +2,3 -1", cluster);
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Cancel()));
    }

    [Fact]
    public void Move_away_from_the_only_replica_that_has_everything_is_refused()
    {
        var cluster = OnlyNewReplicaHasEverything();
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Move(3)));
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Fence(2).Move(3)));
    }

    [Fact]
    public void Second_move_while_a_new_replica_leads_leaves_a_leader_that_is_in_sync()
    {
        _cluster.Move(4, 5, 6).InSync(1, 2, 4).Change(1, BrokerAction.Drain).Change(2, BrokerAction.Drain);
        Shows("1 of 1,2 / +5,6 -2,3", _cluster.Move(1, 5, 6));
    }

    [Theory]
    [MemberData(nameof(Impossible), DisableDiscoveryEnumeration = true)]
    public void Move_to_replicas_that_cannot_be_is_refused(string replicas)
    {
        _cluster.Fence(6).Change(5, BrokerAction.Cordon);
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => _cluster.Move(
            [.. replicas.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)])));
    }

    [Theory]
    [InlineData("fsync")]
    [InlineData("leader")]
    public void Fewer_replicas_than_min_isr_are_refused(string durability)
    {
        var cluster = new TestCluster(3).WithTopic([1, 2, 3], minIsr: "2", durability);
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Move(1)));
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Replicate(1)));
    }

    [Fact]
    public void Min_isr_over_what_a_move_leads_to_is_refused()
    {
        _cluster.Move(4);
        Assert.Equal(ErrorCode.InvalidConfig, Code(() => _cluster.Set("min.insync.replicas", "2")));
        _cluster.Set("min.insync.replicas", "1").InSync(1, 2, 3, 4).Replicate(3);
        Assert.Equal(ErrorCode.InvalidConfig, Code(() => _cluster.Set("min.insync.replicas", "2")));
        Shows("4 of 1,2,4 / ", _cluster.InSync(4, 1, 2).Set("min.insync.replicas", "3"));
    }

    [Fact]
    public void Min_isr_over_the_replicas_of_any_partition_is_refused()
    {
        var cluster = new TestCluster(3).WithTopic([1, 2, 3]);
        cluster.Add(new MetadataController().AlterTopic(cluster.Image, Alter("t", 2))).Add(MetadataController.Reassign(
            cluster.Image,
            new ReassignPartitionsRequest { Topic = "t", Partitions = [new ReplicaAssignment { Partition = 1, Replicas = [1] }] }));
        Assert.Equal(ErrorCode.InvalidConfig, Code(() => cluster.Set("min.insync.replicas", "2")));
    }

    [Fact]
    public void More_replicas_count_once_they_are_in_sync()
    {
        var cluster = new TestCluster(4).WithTopic([1]);
        Shows("1 of 1 / +2,3 -", cluster.Replicate(3));
        Shows("1 of 1,2,3 / ", cluster.InSync(1, 2, 3));
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Replicate(5)));
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Replicate(-1)));
    }

    [Fact]
    public void Fewer_replicas_are_those_in_sync()
    {
        Shows("3 of 3 / ", _cluster.Fence(1, 2).Replicate(1));
        Assert.Equal([3], _cluster.Partition.Replicas);
    }

    [Fact]
    public void Eligible_replicas_end_when_a_lower_min_isr_lets_the_leader_commit_alone()
    {
        Shows("1 of 1 / 2", _cluster.Fence(3, 2));
        Shows("1 of 1 / ", _cluster.Set("min.insync.replicas", "1"));
        Shows("-1 of  / 1", _cluster.Fence(1));
        Shows("-1 of  / 1", _cluster.Return(2));
    }

    [Fact]
    public void Eligible_replicas_end_when_a_weaker_durability_lets_the_leader_commit_alone() =>
        Shows("1 of 1 / ", _cluster.Fence(3, 2).Set("durability", "leader"));

    [Fact]
    public void Smaller_target_lets_the_leader_commit_alone_only_once_it_is_reached()
    {
        Shows("1 of 1 / 2 +4 -1,2,3", _cluster.Fence(3, 2).Move(4));
        Shows("4 of 4 / ", _cluster.InSync(1, 4));
    }

    [Fact]
    public void One_of_several_eligible_replicas_that_leads_ends_the_others_under_a_lower_min_isr()
    {
        _cluster.Fence(3, 2, 1).Set("min.insync.replicas", "1");
        Shows("-1 of  / 1,2", _cluster);
        Shows("2 of 2 / ", _cluster.Return(2));
    }

    [Fact]
    public void Preferred_replica_leads_again_only_if_it_is_in_sync_and_usable()
    {
        _cluster.Fence(1).Return(1);
        Shows("2 of 2,3 / ", _cluster.Elect(ElectionKind.Preferred));
        _cluster.InSync(1, 2, 3).Change(1, BrokerAction.Drain);
        Shows("2 of 1,2,3 / ", _cluster.Elect(ElectionKind.Preferred));
        _cluster.Change(1, BrokerAction.Undrain).Add(MetadataController.BalanceLeaders(_cluster.Image));
        Shows("1 of 1,2,3 / ", _cluster);
        Assert.Empty(MetadataController.BalanceLeaders(_cluster.Image));
    }

    [Fact]
    public void Unclean_election_is_refused_while_somebody_leads() =>
        Assert.Equal(ErrorCode.InvalidRequest, Code(() => _cluster.Fence(3).Return(3).Elect(ElectionKind.Unclean, 3)));

    [Fact]
    public void Unclean_election_takes_a_live_replica_and_nobody_else()
    {
        _cluster.Fence(3, 2, 1).Return(3);
        Assert.Equal(ErrorCode.InvalidRequest, Code(() => _cluster.Elect(ElectionKind.Unclean, 1)));
        Assert.Equal(ErrorCode.InvalidRequest, Code(() => _cluster.Elect(ElectionKind.Unclean, 4)));
        Shows("3 of 3 / ", _cluster.Elect(ElectionKind.Unclean, 3));
        Shows("3 of 3 / ", _cluster.Return(1).Return(2));
    }

    [Fact]
    public void Request_for_what_is_not_there_is_refused()
    {
        Assert.Equal(ErrorCode.UnknownTopic, Code(() => Ask(new ReassignPartitionsRequest { Topic = "x" })));
        var beyond = new ReassignPartitionsRequest { Topic = "t", Partitions = [new ReplicaAssignment { Partition = 1 }] };
        Assert.Equal(ErrorCode.UnknownPartition, Code(() => Ask(beyond)));
        var election = new ElectLeadersRequest { Kind = (ElectionKind)9, Topic = "t" };
        Assert.Equal(ErrorCode.InvalidRequest, Code(() => _ = MetadataController.ElectLeaders(_cluster.Image, election)));
    }

    [Fact]
    public void New_replicas_spread_over_racks_and_then_evenly()
    {
        var cluster = new TestCluster(6, "a", "b", "c");
        var controller = new MetadataController();
        cluster.Add(controller.CreateTopic(cluster.Image, Create("u", 12), TopicId(2), 1, NowMs));
        var partitions = cluster.Image.Find("u")!.Partitions;
        Assert.All(partitions, partition =>
            Assert.Equal(3, partition.Replicas.Select(id => cluster.Image.FindBroker(id)!.Rack).Distinct().Count()));
        Assert.All(Enumerable.Range(1, 6), id =>
        {
            Assert.Equal(6, partitions.Count(partition => partition.Replicas.Contains(id)));
            Assert.Equal(2, partitions.Count(partition => partition.Leader == id));
        });
    }

    [Fact]
    public void New_replica_avoids_the_rack_of_one_that_is_down_or_cordoned()
    {
        var cluster = new TestCluster(4, "a", "b", "a", "c").WithTopic([1, 2]).Change(1, BrokerAction.Cordon);
        cluster.Replicate(3);
        Assert.Equal([4], cluster.Partition.AddingReplicas);
    }

    [Fact]
    public void Replica_that_takes_the_place_of_another_may_be_in_its_rack()
    {
        var cluster = new TestCluster(4, "a", "b", "c", "c").WithTopic([1, 2, 3]).Change(3, BrokerAction.Decommission);
        Assert.Equal([4], cluster.Partition.AddingReplicas);
    }

    /// <summary>Partition of broker 1 that moves to 2 and 3: 2 has everything, 1 was wiped and 3 never caught up.</summary>
    private static TestCluster OnlyNewReplicaHasEverything() =>
        new TestCluster(4).WithTopic([1]).Move(2, 3).InSync(1, 2).Fence(1).Return(1, isWiped: true);

    private static void Shows(string expected, TestCluster cluster) => Assert.Equal(expected, cluster.ToString());

    private static ErrorCode Code(Action decide) => Assert.Throws<ProtocolException>(decide).Code;

    private void Ask(ReassignPartitionsRequest request) => _ = MetadataController.Reassign(_cluster.Image, request);
}
