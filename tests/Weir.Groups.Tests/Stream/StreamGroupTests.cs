using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;
using Xunit;

namespace Weir.Groups.Tests.Stream;

/// <summary>What a member of a stream group relies on.</summary>
public sealed class StreamGroupTests
{
    [Fact]
    public void Partitions_are_spread_evenly_and_none_has_two_owners()
    {
        var (_, members) = Start(partitions: 10, members: 3);
        Settle(members);
        Assert.Equal([3, 3, 4], members.Select(static member => member.Holds.Count).Order());
        Assert.Equal(10, members.SelectMany(static member => member.Holds.Keys).Distinct().Count());
    }

    [Fact]
    public void Partition_moves_only_once_its_owner_has_given_it_up_and_gets_a_new_epoch()
    {
        var (coordinator, members) = Start(partitions: 2, members: 1);
        Settle(members);
        var second = new TestMember(coordinator, 2);
        second.Join();
        members[0].Beat(givesUp: false);
        second.Beat();
        Assert.Empty(second.Holds);
        members[0].Beat(givesUp: false);
        second.Beat();
        Assert.Empty(second.Holds);
        var before = members[0].Holds.ToDictionary();
        Settle([.. members, second]);
        var moved = Assert.Single(second.Holds);
        Assert.True(moved.Value.AssignmentEpoch > before[moved.Key].AssignmentEpoch);
        Assert.Single(members[0].Holds);
    }

    [Fact]
    public void Rolling_restart_of_ten_members_moves_each_of_a_hundred_partitions_twice_at_most_and_tells_nobody_else()
    {
        var (coordinator, members) = Start(partitions: 100, members: 10);
        Settle(members);
        var moves = new Dictionary<LogIdentity, int>();
        var owners = Owners(members);
        for (var i = 0; i < members.Count; i++)
        {
            members[i].Leave();
            Restart(() => members.RemoveAt(i));
            var back = new TestMember(coordinator, 100 + i);
            Restart(() =>
            {
                back.Join();
                members.Insert(i, back);
            });
        }

        Assert.True(moves.Values.Max() <= 2, $"a partition moved {moves.Values.Max()} times");
        Assert.All(members, static member => Assert.Equal(10, member.Holds.Count));

        void Restart(Action change)
        {
            var before = members.ToDictionary(static member => member, static member => (member.Assignments, member.Holds.Count));
            change();
            Settle(members);
            foreach (var (partition, owner) in Owners(members))
            {
                moves[partition] = moves.GetValueOrDefault(partition) + (owners[partition] == owner ? 0 : 1);
                owners[partition] = owner;
            }

            foreach (var member in members.Where(member => before.ContainsKey(member) && before[member].Count == member.Holds.Count))
            {
                Assert.Equal(before[member].Assignments, member.Assignments);
            }
        }
    }

    [Fact]
    public void A_thousand_members_settle_and_one_that_leaves_moves_only_its_own_partitions()
    {
        var (_, members) = Start(partitions: 1000, members: 1000);
        Settle(members);
        Assert.All(members, static member => Assert.Single(member.Holds));
        var before = members.Skip(1).ToDictionary(static member => member, static member => member.Holds.Keys.Single());
        members[0].Leave();
        members.RemoveAt(0);
        Settle(members);
        Assert.All(before, static pair => Assert.Contains(pair.Value, pair.Key.Holds.Keys));
        Assert.Equal(1000, members.Sum(static member => member.Holds.Count));
    }

    [Fact]
    public void Commits_are_taken_from_the_owner_alone_in_its_epoch_and_forward_within_the_log()
    {
        var (coordinator, members) = Start(partitions: 2, members: 2);
        Settle(members);
        var partition = members[0].Holds.Keys.Single();
        coordinator.Ends[partition] = 100;
        Assert.Equal(ErrorCode.None, members[0].Commit(partition, 50));
        Assert.Equal(ErrorCode.NotAssigned, members[1].Commit(partition, 60));
        Assert.Equal(ErrorCode.FencedMember, members[0].Commit(partition, 60, epoch: 0));
        Assert.Equal(ErrorCode.OffsetOutOfRange, members[0].Commit(partition, 49));
        Assert.Equal(ErrorCode.OffsetOutOfRange, members[0].Commit(partition, 101));
        Assert.Equal(ErrorCode.UnknownPartition, members[0].Commit(new LogIdentity(Guid.NewGuid(), 0), 1));
        Assert.Equal(50, coordinator.Describe().Partitions[partition.Partition].Committed);
    }

    [Fact]
    public void Silent_member_is_fenced_and_what_it_commits_later_is_refused()
    {
        var (coordinator, members) = Start(partitions: 2, members: 2);
        Settle(members);
        var zombie = members[0];
        var partition = zombie.Holds.Keys.Single();
        coordinator.Ends[partition] = 10;
        for (var i = 0; i < 12; i++)
        {
            coordinator.Advance(1000);
            members[1].Beat();
        }

        Assert.Contains(partition, members[1].Holds.Keys);
        Assert.Equal(ErrorCode.FencedMember, zombie.EndedWith);
        Assert.Equal(ErrorCode.UnknownMember, zombie.Commit(partition, 5));
        Assert.Equal(ErrorCode.UnknownMember, zombie.Beat());
    }

    /// <summary>What members sent meanwhile is read only afterwards.</summary>
    [Fact]
    public void Members_are_not_fenced_for_time_in_which_the_coordinator_stood_still()
    {
        var (coordinator, members) = Start(partitions: 2, members: 2);
        Settle(members);
        coordinator.Advance(1000);
        coordinator.Stall(60_000);
        Assert.All(members, static member => Assert.Equal(ErrorCode.None, member.Beat()));
    }

    [Fact]
    public void Member_that_keeps_what_it_should_give_up_is_fenced_in_the_end()
    {
        var (coordinator, members) = Start(partitions: 2, members: 1, ("rebalance.timeout.ms", "5000"));
        Settle(members);
        var second = new TestMember(coordinator, 2);
        second.Join();
        for (var i = 0; i < 7; i++)
        {
            coordinator.Advance(1000);
            members[0].Beat(givesUp: false);
            second.Beat();
        }

        Assert.Equal(2, second.Holds.Count);
        Assert.Equal(ErrorCode.FencedMember, members[0].EndedWith);
    }

    [Fact]
    public void Stuck_member_is_shown_and_keeps_what_it_has_until_the_policy_says_otherwise()
    {
        var (coordinator, members) = Start(partitions: 1, members: 1, ("stuck.after.ms", "1000"), ("fence.stuck.after.ms", "60000"));
        Settle(members);
        members[0].Beat(stuckForMs: 2000);
        Assert.True(Assert.Single(coordinator.Describe().Members).IsStuck);
        Assert.Single(members[0].Holds);
        members[0].Beat(stuckForMs: 61_000);
        coordinator.Advance(1000);
        Assert.Empty(coordinator.Describe().Members);
    }

    [Fact]
    public void Static_member_that_comes_back_has_what_it_had_and_fences_the_one_before()
    {
        var (coordinator, members) = Start(partitions: 4, members: 1);
        var first = new TestMember(coordinator, 10, "pod-0");
        first.Join();
        Settle([.. members, first]);
        var had = first.Holds.Keys.ToHashSet();
        var told = members[0].Assignments;
        var again = new TestMember(coordinator, 11, "pod-0");
        again.Join();
        again.Beat();
        Assert.Equal(had, again.Holds.Keys.ToHashSet());
        Assert.Equal(ErrorCode.FencedInstance, first.EndedWith);
        Assert.Equal(told, members[0].Assignments);
        var partition = had.First();
        coordinator.Ends[partition] = 10;
        Assert.Equal(ErrorCode.UnknownMember, first.Commit(partition, 1));
    }

    [Fact]
    public void Latest_is_found_once_before_anybody_consumes_and_partitions_that_come_later_start_at_their_first_record()
    {
        var group = TestCoordinator.Group(GroupMode.Stream, "t");
        group.Start = StartPosition.Latest;
        var coordinator = new TestCoordinator(TestCoordinator.Topic("t", 1));
        var (first, second) = (new LogIdentity(TestCoordinator.TopicId(1), 0), new LogIdentity(TestCoordinator.TopicId(1), 1));
        coordinator.Ends[first] = 70;
        coordinator.Apply(group);
        coordinator.Ends[first] = 90;
        coordinator.Ends[second] = 40;
        coordinator.Apply(new PartitionsAdded { TopicId = TestCoordinator.TopicId(1), Partitions = [TestCoordinator.Partition(1)] });
        var member = new TestMember(coordinator, 1);
        member.Join();
        Settle([member]);
        Assert.Equal(70, member.Holds[first].Offset);
        Assert.Equal(0, member.Holds[second].Offset);
    }

    [Fact]
    public void Nothing_is_assigned_before_its_start_is_known()
    {
        var coordinator = new TestCoordinator(TestCoordinator.Topic("t", 1)) { AreLeadersSilent = true };
        coordinator.Apply(TestCoordinator.Group(GroupMode.Stream, "t"));
        var member = new TestMember(coordinator, 1);
        member.Join();
        Settle([member]);
        Assert.Empty(member.Holds);
        coordinator.AreLeadersSilent = false;
        coordinator.Advance(1000);
        Settle([member]);
        Assert.Single(member.Holds);
    }

    [Fact]
    public void Nobody_hears_of_an_assignment_that_is_not_committed()
    {
        var (coordinator, _) = Start(partitions: 1, members: 0);
        coordinator.HoldsCommits = true;
        var member = new TestMember(coordinator, 1);
        member.Join();
        Assert.Equal(0, member.Assignments);
        coordinator.HoldsCommits = false;
        coordinator.Settle();
        member.Beat();
        Assert.Single(member.Holds);
    }

    [Fact]
    public void Reset_is_refused_while_there_are_members_unless_it_fences_them()
    {
        var (coordinator, members) = Start(partitions: 1, members: 1);
        Settle(members);
        var partition = members[0].Holds.Keys.Single();
        coordinator.Ends[partition] = 100;
        members[0].Commit(partition, 80);
        var request = new ResetGroupRequest { Name = "g", To = ResetPosition.Offset, Value = 20 };
        Assert.Equal(ErrorCode.GroupNotEmpty, Reset().Error);
        request.DryRun = true;
        Assert.Equal((80, 20), Assert.Single(Reset().Response!.Offsets.Select(static one => (one.Before, one.After))));
        Assert.Equal(80, coordinator.Describe().Partitions[0].Committed);
        request.DryRun = false;
        request.Force = true;
        Assert.Equal((80, 20), Assert.Single(Reset().Response!.Offsets.Select(static one => (one.Before, one.After))));
        Assert.Equal(20, coordinator.Describe().Partitions[0].Committed);
        Assert.Equal(ErrorCode.FencedMember, members[0].EndedWith);
        Assert.Equal(ErrorCode.UnknownMember, members[0].Commit(partition, 90));

        (ResetGroupResponse? Response, ErrorCode Error) Reset() => coordinator.Ask<ResetGroupResponse>(
            (to, reply, refuse) => to.Receive(request, reply, refuse));
    }

    [Fact]
    public void Coordinator_that_fails_after_any_record_leaves_a_group_that_goes_on()
    {
        var length = Play(failAfter: int.MaxValue);
        for (var i = 0; i <= length; i++)
        {
            Play(i);
        }
    }

    /// <summary>Joins, commits and leaves; the coordinator fails once after so many records. Gives how many there were.</summary>
    private static int Play(int failAfter)
    {
        var coordinator = new TestCoordinator(TestCoordinator.Topic("t", 4));
        coordinator.Apply(TestCoordinator.Group(GroupMode.Stream, "t"));
        var members = Enumerable.Range(1, 3).Select(number => new TestMember(coordinator, number)).ToList();
        var hasFailed = false;
        var committed = new Dictionary<LogIdentity, long>();
        for (var step = 0; step < 12; step++)
        {
            var member = members[step % 3];
            if (member.Beat() == ErrorCode.UnknownMember)
            {
                member.Holds.Clear();
                member.Join();
            }

            foreach (var partition in member.Holds.Keys)
            {
                coordinator.Ends[partition] = 100;
                if (member.Commit(partition, step) == ErrorCode.None)
                {
                    committed[partition] = step;
                }
            }

            if (!hasFailed && coordinator.EndOffset >= failAfter)
            {
                hasFailed = true;
                coordinator.Fail();
            }
        }

        foreach (var member in members.Where(static member => member.Beat() == ErrorCode.UnknownMember))
        {
            member.Holds.Clear();
            member.Join();
        }

        Settle(members);
        Assert.Equal(4, members.SelectMany(static member => member.Holds.Keys).Distinct().Count());
        Assert.Equal(4, members.Sum(static member => member.Holds.Count));
        Assert.All(coordinator.Describe().Partitions, partition => Assert.True(
            partition.Committed >= committed.GetValueOrDefault(new LogIdentity(partition.TopicId, partition.Partition))));
        return (int)coordinator.EndOffset;
    }

    private static (TestCoordinator Coordinator, List<TestMember> Members) Start(
        int partitions, int members, params (string Name, string Value)[] settings)
    {
        var coordinator = new TestCoordinator(TestCoordinator.Topic("t", partitions));
        var group = TestCoordinator.Group(GroupMode.Stream, "t");
        group.Configs = [.. settings.Select(static one => new ConfigSetting { Name = one.Name, Value = one.Value })];
        coordinator.Apply(group);
        var joined = Enumerable.Range(1, members).Select(number => new TestMember(coordinator, number)).ToList();
        joined.ForEach(static member => member.Join());
        return (coordinator, joined);
    }

    /// <summary>Lets the members take and give up until nothing changes any more.</summary>
    private static void Settle(IReadOnlyList<TestMember> members)
    {
        for (var round = 0; round < 4; round++)
        {
            foreach (var member in members)
            {
                Assert.Equal(ErrorCode.None, member.Beat());
            }
        }
    }

    private static Dictionary<LogIdentity, TestMember> Owners(IEnumerable<TestMember> members) =>
        members.SelectMany(static member => member.Holds.Keys.Select(partition => (partition, member)))
            .ToDictionary(static pair => pair.partition, static pair => pair.member);
}
