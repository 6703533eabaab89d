using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Xunit;

namespace Weir.Metadata.Tests;

/// <summary>
/// Brokers that go, come back, drain, leave and lose data. A partition's state is written "leader of ISR / ELR +adding -removing".
/// </summary>
[Trait("Category", "Unit")]
public sealed class BrokerDecisionTests
{
    private readonly TestCluster _cluster = new TestCluster(5).WithTopic([1, 2, 3]);

    [Fact]
    public void Replica_that_leaves_while_enough_are_in_sync_is_not_eligible() => Shows("1 of 1,2 / ", _cluster.Fence(3));

    [Fact]
    public void Replica_that_leaves_below_min_isr_stays_eligible() => Shows("1 of 1 / 2", _cluster.Fence(3, 2));

    [Fact]
    public void Leader_that_is_fenced_is_followed_by_an_in_sync_replica_in_a_new_epoch()
    {
        Shows("2 of 2,3 / ", _cluster.Fence(1));
        Assert.Equal((1, 1), (_cluster.Partition.LeaderEpoch, _cluster.Partition.PartitionEpoch));
    }

    [Fact]
    public void Eligible_replica_leads_when_the_last_in_sync_one_goes() => Shows("3 of 3 / 1", _cluster.Fence(2, 3).Unfence(3).Fence(1));

    [Fact]
    public void Nobody_leads_for_the_last_replica_standing_but_those_that_have_everything()
    {
        Shows("-1 of  / 1,2", _cluster.Fence(3, 2, 1));
        Shows("-1 of  / 1,2", _cluster.Return(3));
        Shows("2 of 2 / 1", _cluster.Return(2));
        Shows("2 of 2,3 / ", _cluster.InSync(2, 3));
    }

    [Fact]
    public void Eligible_replicas_are_forgotten_once_enough_are_in_sync() =>
        Shows("1 of 1,3 / ", _cluster.Fence(3, 2).Return(3).InSync(1, 3));

    [Fact]
    public void Min_isr_of_one_leaves_nobody_eligible_but_the_last()
    {
        var cluster = new TestCluster(3).WithTopic([1, 2, 3], minIsr: "1");
        Shows("1 of 1 / ", cluster.Fence(3, 2));
        Shows("-1 of  / 1", cluster.Fence(1));
        Shows("-1 of  / 1", cluster.Return(2));
        Shows("1 of 1 / ", cluster.Return(1));
    }

    [Fact]
    public void Wiped_directory_is_neither_in_sync_nor_eligible()
    {
        Shows("2 of 2,3 / ", _cluster.Register(1, isWiped: true));
        Shows("3 of 3 / ", _cluster.Register(2, isWiped: true));
        Shows("-1 of  / 3", _cluster.Fence(3));
        Shows("-1 of  / ", _cluster.Return(3, isWiped: true));
        Shows("-1 of  / ", _cluster.Return(2));
    }

    [Fact]
    public void Wiped_directory_of_an_eligible_replica_is_not_eligible_any_more() =>
        Shows("1 of 1 / ", _cluster.Fence(3, 2).Return(2, isWiped: true));

    [Theory]
    [InlineData("fsync", "1 of 1 / 2")]
    [InlineData("replicated", "1 of 1 / ")]
    public void Lossy_restart_costs_eligibility_only_where_records_are_acknowledged_before_they_are_synced(
        string durability, string expected)
    {
        var cluster = new TestCluster(3).WithTopic([1, 2, 3], durability: durability);
        Shows(expected, cluster.Fence(3, 2).Return(2, isLossy: true));
    }

    [Fact]
    public void Restart_that_lost_nothing_keeps_eligibility_without_fsync_too()
    {
        var cluster = new TestCluster(3).WithTopic([1, 2, 3], durability: "replicated");
        Shows("1 of 1 / 2", cluster.Fence(3, 2).Return(2));
    }

    [Theory]
    [InlineData("fsync", "-1 of  / ")]
    [InlineData("replicated", "2 of 2 / ")]
    [InlineData("leader", "2 of 2 / ")]
    public void Partition_that_lost_everybody_is_led_by_the_first_one_back_only_without_fsync(string durability, string expected)
    {
        var cluster = new TestCluster(2).WithTopic([1, 2], durability: durability).Fence(2, 1);
        cluster.Register(1, isWiped: true).Register(2, isWiped: true);
        Shows("-1 of  / ", cluster);
        Shows(expected, cluster.Unfence(2));
    }

    [Fact]
    public void Registration_within_the_session_ends_the_places_of_the_process_before()
    {
        var before = _cluster.Image.FindBroker(1)!;
        Shows("2 of 2,3 / ", _cluster.Register(1, isAlive: true));
        var after = _cluster.Image.FindBroker(1)!;
        Assert.True(after.Fenced);
        Assert.True(after.BrokerEpoch > before.BrokerEpoch);
    }

    [Fact]
    public void Second_broker_with_a_node_id_that_lives_is_refused()
    {
        var twin = _cluster.Registration(1, isWiped: true);
        Assert.Equal(
            ErrorCode.DuplicateBroker,
            Code(() => _ = MetadataController.RegisterBroker(_cluster.Image, twin, isAlive: true)));
        _cluster.Add(MetadataController.RegisterBroker(_cluster.Image, twin, isAlive: false));
        Shows("2 of 2,3 / ", _cluster);
    }

    [Fact]
    public void Broker_of_another_cluster_is_refused()
    {
        var request = _cluster.Registration(6);
        request.ClusterId = "other";
        Assert.Equal(
            ErrorCode.WrongCluster, Code(() => _ = MetadataController.RegisterBroker(_cluster.Image, request, isAlive: false)));
    }

    [Fact]
    public void Registration_keeps_what_operators_said_and_ends_draining()
    {
        _cluster.Change(1, BrokerAction.Cordon).Change(1, BrokerAction.Drain).Return(1);
        Assert.True(_cluster.Image.FindBroker(1) is { Cordoned: true, Draining: false, Fenced: false });
    }

    [Fact]
    public void Unknown_broker_changes_nothing()
    {
        Assert.Equal(ErrorCode.UnknownBroker, Code(() => _cluster.Fence(9)));
        Assert.Equal(ErrorCode.UnknownBroker, Code(() => _cluster.Unfence(9)));
        Assert.Equal(ErrorCode.UnknownBroker, Code(() => _cluster.Change(9, BrokerAction.Drain)));
        Assert.Equal(ErrorCode.InvalidRequest, Code(() => _cluster.Change(1, (BrokerAction)77)));
    }

    [Fact]
    public void Draining_broker_gives_up_leading_and_stays_in_sync()
    {
        Shows("2 of 1,2,3 / ", _cluster.Change(1, BrokerAction.Drain));
        Shows("2 of 1,2,3 / ", _cluster.Elect(ElectionKind.Preferred));
        Shows("1 of 1,2,3 / ", _cluster.Change(1, BrokerAction.Undrain).Elect(ElectionKind.Preferred));
    }

    [Fact]
    public void Draining_broker_leads_on_where_nobody_else_can() =>
        Shows("1 of 1 / 2", _cluster.Fence(3, 2).Change(1, BrokerAction.Drain));

    [Fact]
    public void Draining_broker_leads_before_nobody_does()
    {
        Shows("2 of 1,2 / ", _cluster.Fence(3).Change(1, BrokerAction.Drain));
        Shows("1 of 1 / 2", _cluster.Fence(2));
    }

    [Fact]
    public void Damaged_replica_leaves_the_isr_and_others_lead()
    {
        Shows("2 of 2,3 / ", _cluster.Damage(1));
        Shows("3 of 3 / ", _cluster.Damage(2));
        Shows("-1 of  / ", _cluster.Damage(3));
    }

    [Fact]
    public void Damaged_replica_is_not_eligible() => Shows("1 of 1 / ", _cluster.Fence(3, 2).Unfence(2).Damage(2));

    [Fact]
    public void Damage_begins_another_leader_epoch_so_that_what_the_replica_acknowledged_before_is_forgotten()
    {
        var before = _cluster.Partition.LeaderEpoch;
        _cluster.Damage(2);
        Assert.Equal((1, before + 1), (_cluster.Partition.Leader, _cluster.Partition.LeaderEpoch));
    }

    [Fact]
    public void Damage_that_is_told_again_while_nobody_leads_changes_nothing()
    {
        _cluster.Damage(1).Damage(2).Damage(3);
        var before = _cluster.Partition;
        Assert.Equal(-1, before.Leader);
        Assert.Same(before, _cluster.Damage(3).Partition);
    }

    [Fact]
    public void Damage_told_by_a_process_of_the_past_is_not_heard()
    {
        var request = new ReportDamageRequest { NodeId = 1, BrokerEpoch = _cluster.Image.FindBroker(1)!.BrokerEpoch - 1 };
        Assert.Equal(ErrorCode.StaleBrokerEpoch, Code(() => _ = MetadataController.ReportDamage(_cluster.Image, request)));
    }

    [Fact]
    public void Only_copy_stays_where_it_is_damaged_or_not() =>
        Shows("1 of 1 / ", new TestCluster(1).WithTopic([1]).Damage(1));

    [Fact]
    public void Decommissioned_broker_keeps_its_replicas_until_others_have_them()
    {
        Shows("1 of 1,2,3 / +4 -3", _cluster.Change(3, BrokerAction.Decommission));
        Assert.Equal(ErrorCode.BrokerNotEmpty, Code(() => _cluster.Change(3, BrokerAction.Remove)));
        Shows("1 of 1,2,4 / ", _cluster.InSync(1, 2, 3, 4));
        Assert.Equal(ErrorCode.BrokerNotEmpty, Code(() => _cluster.Change(3, BrokerAction.Remove)));
        Assert.Null(_cluster.Fence(3).Change(3, BrokerAction.Remove).Image.FindBroker(3));
    }

    [Fact]
    public void Decommission_gives_back_what_it_took_when_it_is_aborted()
    {
        Shows("1 of 1,2,3 / ", _cluster.Change(3, BrokerAction.Decommission).Change(3, BrokerAction.AbortDecommission));
        Assert.Equal([1, 2, 3], _cluster.Partition.Replicas);
        Assert.True(_cluster.Image.FindBroker(3) is { Decommissioning: false, Cordoned: false });
    }

    [Fact]
    public void Decommission_without_enough_brokers_is_refused_and_changes_nothing()
    {
        var cluster = new TestCluster(4).WithTopic([1, 2, 3]).Change(4, BrokerAction.Cordon);
        var before = cluster.Image;
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Change(3, BrokerAction.Decommission)));
        Assert.Same(before, cluster.Image);
    }

    [Fact]
    public void Decommission_of_a_broker_that_is_being_added_and_leads_moves_on()
    {
        var cluster = new TestCluster(4).WithTopic([1]).Move(2, 3).InSync(1, 2).Change(1, BrokerAction.Drain);
        Shows("2 of 1,2 / +2,3 -1", cluster);
        Shows("1 of 1 / +4,3 -1", cluster.Change(2, BrokerAction.Decommission));
    }

    [Fact]
    public void Decommission_of_the_only_broker_that_has_everything_waits_for_another_one()
    {
        var cluster = new TestCluster(4).WithTopic([1]).Move(2, 3).InSync(1, 2).Fence(1).Return(1, isWiped: true);
        Shows("2 of 2 / +2,3 -1", cluster);
        Assert.Equal(ErrorCode.InvalidReassignment, Code(() => cluster.Change(2, BrokerAction.Decommission)));
        Shows("1 of 1 / +4,3 -1", cluster.InSync(1, 2).Change(2, BrokerAction.Decommission));
    }

    private static void Shows(string expected, TestCluster cluster) => Assert.Equal(expected, cluster.ToString());

    private static ErrorCode Code(Action decide) => Assert.Throws<ProtocolException>(decide).Code;
}
