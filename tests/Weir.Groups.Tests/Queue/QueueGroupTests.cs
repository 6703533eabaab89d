using System.Text;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage;
using Xunit;

namespace Weir.Groups.Tests.Queue;

/// <summary>What members of queue and keyed groups rely on.</summary>
public sealed class QueueGroupTests
{
    private static readonly LogIdentity First = new(TestCoordinator.TopicId(1), 0);
    private static readonly LogIdentity DeadLetters = new(TestCoordinator.TopicId(2), 0);

    [Fact]
    public void Each_record_goes_to_one_member_and_is_done_once_it_is_acknowledged()
    {
        var coordinator = Start(GroupMode.Queue);
        var members = new[] { new QueueMemberUnderTest(coordinator, 1), new QueueMemberUnderTest(coordinator, 2) };
        Array.ForEach(members, static member => member.Join());
        PublishMany(coordinator, 50);
        var taken = members.Select(static member => (member, Records: member.Take())).ToList();
        Assert.Equal(Enumerable.Range(0, 50).Select(static i => (long)i), taken.SelectMany(static one => one.Records).Select(static one => one.Offset).Order());
        Assert.All(taken, static one => Assert.NotEmpty(one.Records));
        Assert.Equal(50, coordinator.Describe().Partitions[0].InFlight);
        foreach (var (member, records) in taken)
        {
            records.ForEach(record => Assert.Equal(ErrorCode.None, member.Settle(SettleAction.Acknowledge, record)));
        }

        var described = coordinator.Describe().Partitions[0];
        Assert.Equal((50, 0, 0L), (described.Committed, described.InFlight, described.Lag));
    }

    [Fact]
    public void What_a_member_may_hold_is_bounded_and_an_acknowledgement_makes_room()
    {
        var coordinator = Start(GroupMode.Queue);
        var member = new QueueMemberUnderTest(coordinator, 1);
        member.Join(maxInFlight: 3);
        PublishMany(coordinator, 10);
        var held = member.Take();
        Assert.Equal(3, held.Count);
        member.Settle(SettleAction.Acknowledge, held[1]);
        Assert.Equal(3, Assert.Single(member.Take()).Offset);
        Assert.Equal(0, coordinator.Describe().Partitions[0].Committed);
        Assert.Equal(9, coordinator.Describe().Partitions[0].Lag);
    }

    [Fact]
    public void Lock_that_expires_is_a_failed_delivery_and_its_late_acknowledgement_is_told_so()
    {
        var coordinator = Start(GroupMode.Queue, ("lock.ms", "1000"), ("retry.backoff.ms", "100"));
        var (slow, other) = (new QueueMemberUnderTest(coordinator, 1), new QueueMemberUnderTest(coordinator, 2));
        slow.Join();
        coordinator.Publish(First, null, "a");
        var record = Assert.Single(slow.Take());
        Assert.Equal(1, record.Count);
        slow.Settle(SettleAction.Extend, record, delayMs: 2000);
        coordinator.Advance(1500);
        Assert.Empty(slow.Take());
        slow.Leave();
        other.Join();
        var again = Assert.Single(other.Take());
        Assert.Equal(1, again.Count);
        coordinator.Advance(1200);
        var third = Assert.Single(other.Take());
        Assert.Equal(2, third.Count);
        Assert.Equal(ErrorCode.UnknownMember, slow.Settle(SettleAction.Acknowledge, record));
        slow.Join();
        Assert.Equal(ErrorCode.LockExpired, slow.Settle(SettleAction.Acknowledge, record));
        Assert.Equal(ErrorCode.None, other.Settle(SettleAction.Acknowledge, third));
        Assert.Equal(ErrorCode.LockExpired, other.Settle(SettleAction.Acknowledge, third));
    }

    [Fact]
    public void Released_record_comes_back_after_a_back_off_that_doubles_or_after_the_delay_asked_for()
    {
        var coordinator = Start(GroupMode.Queue, ("retry.backoff.ms", "1000"));
        var member = new QueueMemberUnderTest(coordinator, 1);
        member.Join();
        coordinator.Publish(First, null, "a");
        member.Settle(SettleAction.Release, member.Take()[0]);
        Wait(990, expected: 0);
        Wait(20, expected: 1);
        Wait(1980, expected: 0);
        Wait(40, expected: 1, delayMs: 0);
        Wait(20, expected: 1);

        void Wait(long ms, int expected, long delayMs = -1)
        {
            for (var left = ms; left > 0; left -= 500)
            {
                coordinator.Advance(Math.Min(left, 500));
                member.Beat();
            }

            var taken = member.Take();
            Assert.Equal(expected, taken.Count);
            taken.ForEach(record => member.Settle(SettleAction.Release, record, delayMs));
        }
    }

    [Fact]
    public void Record_with_a_time_waits_for_it_and_holds_up_nobody_and_survives_a_failover()
    {
        var coordinator = Start(GroupMode.Queue);
        var member = new QueueMemberUnderTest(coordinator, 1);
        member.Join();
        coordinator.Publish(First, null, "later", deliverAtMs: coordinator.WallClockMs + 5000);
        coordinator.Publish(First, null, "now");
        Assert.Equal("now", Assert.Single(member.Take()).Value);
        Assert.Equal(1, coordinator.Describe().Partitions[0].Waiting);
        coordinator.Fail();
        member.Join();
        Assert.Equal("now", Assert.Single(member.Take()).Value);
        coordinator.Advance(4900);
        Assert.Empty(member.Take());
        coordinator.Advance(200);
        Assert.Equal("later", Assert.Single(member.Take()).Value);
    }

    [Fact]
    public void Poison_record_goes_to_the_dead_letters_with_its_story_once_whatever_fails_in_between()
    {
        var coordinator = StartWithDeadLetters(GroupMode.Queue, ("max.deliveries", "2"), ("retry.backoff.ms", "0"));
        var member = new QueueMemberUnderTest(coordinator, 1);
        member.Join();
        coordinator.Publish(First, "k", "poison");
        coordinator.Publish(First, null, "good");
        coordinator.ProduceError = ErrorCode.RequestTimedOut;
        for (var delivery = 1; delivery <= 2; delivery++)
        {
            var poison = member.Take().Single(static record => record.Value == "poison");
            Assert.Equal(delivery, poison.Count);
            member.Settle(SettleAction.Release, poison, reason: "it burns");
            coordinator.Advance(20);
        }

        coordinator.Advance(2000);
        coordinator.Fail();
        coordinator.ProduceError = ErrorCode.None;
        coordinator.Advance(2000);
        var letter = Assert.Single(coordinator.Batches[DeadLetters]);
        Assert.Equal("it burns", HeaderOf(letter, WellKnownHeaders.DeadLetterReason));
        Assert.Equal("t", HeaderOf(letter, WellKnownHeaders.DeadLetterTopic));
        member.Join();
        Assert.Equal("good", Assert.Single(member.Take()).Value);
        var described = coordinator.Describe().Partitions[0];
        Assert.Equal((1, 1L), (described.Committed, described.DeadLettered));
    }

    [Fact]
    public void Rejected_record_is_a_dead_letter_at_once_and_without_such_a_topic_the_rejection_is_refused()
    {
        var coordinator = StartWithDeadLetters(GroupMode.Queue);
        var member = new QueueMemberUnderTest(coordinator, 1);
        member.Join();
        coordinator.Publish(First, null, "a");
        Assert.Equal(ErrorCode.None, member.Settle(SettleAction.Reject, member.Take()[0], reason: "no"));
        Assert.Single(coordinator.Batches[DeadLetters]);

        var without = Start(GroupMode.Queue, ("retry.backoff.ms", "0"));
        var another = new QueueMemberUnderTest(without, 1);
        another.Join();
        without.Publish(First, null, "a");
        Assert.Equal(ErrorCode.InvalidRequest, another.Settle(SettleAction.Reject, another.Take()[0]));
        without.Advance(20);
        Assert.Equal(2, Assert.Single(another.Take()).Count);
    }

    [Fact]
    public void Records_of_one_key_come_in_order_one_at_a_time_and_a_failing_key_blocks_only_itself()
    {
        var coordinator = Start(GroupMode.Keyed, ("retry.backoff.ms", "1000"));
        var members = new[] { new QueueMemberUnderTest(coordinator, 1, GroupMode.Keyed), new QueueMemberUnderTest(coordinator, 2, GroupMode.Keyed) };
        Array.ForEach(members, static member => member.Join());
        for (var i = 0; i < 3; i++)
        {
            coordinator.Publish(First, "bad", $"bad {i}");
            coordinator.Publish(First, "good", $"good {i}");
        }

        var seen = new List<string>();
        for (var round = 0; round < 4; round++)
        {
            foreach (var member in members)
            {
                foreach (var record in member.Take())
                {
                    seen.Add(record.Value);
                    member.Settle(record.Key == "bad" ? SettleAction.Release : SettleAction.Acknowledge, record);
                }
            }
        }

        Assert.Equal(["good 0", "good 1", "good 2"], seen.Where(static value => value.StartsWith("good", StringComparison.Ordinal)));
        Assert.Equal(["bad 0"], seen.Where(static value => value.StartsWith("bad", StringComparison.Ordinal)));
        coordinator.Advance(1100);
        var bad = members.SelectMany(member => member.Take().Select(record => (member, record))).Single();
        Assert.Equal("bad 0", bad.record.Value);
        bad.member.Settle(SettleAction.Acknowledge, bad.record);
        Assert.Equal("bad 1", members.SelectMany(static member => member.Take()).Single().Value);
    }

    [Theory]
    [InlineData("block", 0, null)]
    [InlineData("pass", 1, "second")]
    [InlineData("dead-letter", 3, null)]
    public void Key_whose_record_fails_for_good_goes_by_the_policy(string policy, int deadLetters, string? next)
    {
        var coordinator = StartWithDeadLetters(GroupMode.Keyed, ("key.failure", policy));
        var member = new QueueMemberUnderTest(coordinator, 1, GroupMode.Keyed);
        coordinator.Publish(First, "k", "first");
        coordinator.Publish(First, "k", "second");
        coordinator.Publish(First, "k", "third");
        member.Join();
        member.Settle(SettleAction.Reject, Assert.Single(member.Take()));
        coordinator.Advance(3000);
        Assert.Equal(deadLetters, coordinator.Batches.GetValueOrDefault(DeadLetters)?.Count ?? 0);
        Assert.Equal(next, member.Take().SingleOrDefault()?.Value);
        Assert.Equal(policy == "block" ? 1 : 0, coordinator.Describe().Partitions[0].BlockedKeys);
    }

    [Fact]
    public void Member_that_dies_loses_what_it_holds_after_its_session_and_one_that_comes_back_in_time_keeps_it()
    {
        var coordinator = Start(GroupMode.Queue);
        var (first, second) = (new QueueMemberUnderTest(coordinator, 1), new QueueMemberUnderTest(coordinator, 2));
        first.Join();
        coordinator.Publish(First, null, "a");
        var record = Assert.Single(first.Take());
        coordinator.Advance(5000);
        first.Join();
        Assert.Equal(ErrorCode.None, first.Settle(SettleAction.Extend, record));
        second.Join();
        for (var i = 0; i < 11; i++)
        {
            coordinator.Advance(1000);
            second.Beat();
        }

        Assert.Equal(ErrorCode.FencedMember, first.EndedWith);
        Assert.Equal(2, Assert.Single(second.Take()).Count);
    }

    [Fact]
    public void Next_record_of_a_key_waits_until_the_acknowledgement_before_it_is_committed()
    {
        var coordinator = Start(GroupMode.Keyed);
        var member = new QueueMemberUnderTest(coordinator, 1, GroupMode.Keyed);
        member.Join();
        coordinator.Publish(First, "k", "a");
        coordinator.Publish(First, "k", "b");
        var record = Assert.Single(member.Take());
        coordinator.HoldsCommits = true;
        member.Settle(SettleAction.Acknowledge, record);
        Assert.Empty(member.Take());
        coordinator.HoldsCommits = false;
        coordinator.Settle();
        Assert.Equal("b", Assert.Single(member.Take()).Value);
    }

    [Fact]
    public void Reset_delivers_again_from_where_it_leads()
    {
        var coordinator = Start(GroupMode.Queue);
        var member = new QueueMemberUnderTest(coordinator, 1);
        member.Join();
        PublishMany(coordinator, 10);
        Assert.Equal(ErrorCode.None, member.Settle(SettleAction.Acknowledge, First, 0, 9));
        member.Take();
        var reset = coordinator.Ask<ResetGroupResponse>((to, reply, refuse) => to.Receive(
            new ResetGroupRequest { Name = "g", To = ResetPosition.Shift, Value = -4, Force = true }, reply, refuse));
        Assert.Equal((10, 6), Assert.Single(reset.Response!.Offsets.Select(static one => (one.Before, one.After))));
        member.Join();
        Assert.Equal([6L, 7L, 8L, 9L], member.Take().Select(static record => record.Offset));
    }

    [Theory]
    [InlineData(GroupMode.Queue)]
    [InlineData(GroupMode.Keyed)]
    public void Coordinator_that_fails_after_any_record_loses_nothing_and_delivers_nothing_that_was_confirmed(GroupMode mode)
    {
        var length = Play(mode, failAfter: int.MaxValue);
        for (var i = 1; i <= length; i++)
        {
            Play(mode, i);
        }
    }

    private static int Play(GroupMode mode, int failAfter)
    {
        var coordinator = StartWithDeadLetters(mode, ("retry.backoff.ms", "0"), ("max.deliveries", "3"), ("key.failure", "pass"));
        var members = new[] { new QueueMemberUnderTest(coordinator, 1, mode), new QueueMemberUnderTest(coordinator, 2, mode) };
        Array.ForEach(members, static member => member.Join(maxInFlight: 4));
        for (var i = 0; i < 12; i++)
        {
            coordinator.Publish(First, $"k{i % 4}", $"{i}");
        }

        var confirmed = new HashSet<long>();
        var lastOfKey = new Dictionary<string, long>();
        var hasFailed = false;
        for (var round = 0; round < 60 && confirmed.Count + (coordinator.Batches.GetValueOrDefault(DeadLetters)?.Count ?? 0) < 12; round++)
        {
            var member = members[round % 2];
            if (member.Beat() == ErrorCode.UnknownMember)
            {
                member.Join(maxInFlight: 4);
            }

            foreach (var record in member.Take())
            {
                Assert.DoesNotContain(record.Offset, confirmed);
                if (mode == GroupMode.Keyed)
                {
                    Assert.True(record.Offset >= lastOfKey.GetValueOrDefault(record.Key!, -1), $"{record} comes after a later one of its key");
                    lastOfKey[record.Key!] = record.Offset;
                }

                var action = record.Offset % 5 == 0 ? SettleAction.Release : SettleAction.Acknowledge;
                if (member.Settle(action, record) == ErrorCode.None && action == SettleAction.Acknowledge)
                {
                    confirmed.Add(record.Offset);
                }
            }

            coordinator.Advance(20);
            if (!hasFailed && coordinator.EndOffset >= failAfter)
            {
                hasFailed = true;
                coordinator.Fail();
            }
        }

        Assert.Equal(12, confirmed.Count + coordinator.Batches[DeadLetters].Count);
        Assert.Equal(12, coordinator.Describe().Partitions[0].Committed);
        return (int)coordinator.EndOffset;
    }

    private static string? HeaderOf(byte[] batch, string name)
    {
        var header = RecordBatchHeader.Verify(batch);
        var record = RecordReader.Read(batch, RecordBatchHeader.Size, header.BaseTimestampMs);
        var position = record.HeadersStart;
        for (var i = 0; i < record.HeaderCount; i++)
        {
            var slices = RecordReader.ReadHeader(batch, position, record.End);
            if (Encoding.UTF8.GetString(batch, slices.NameStart, slices.NameLength) == name)
            {
                return Encoding.UTF8.GetString(batch, slices.ValueStart, slices.ValueLength);
            }

            position = slices.End;
        }

        return null;
    }

    private static void PublishMany(TestCoordinator coordinator, int count)
    {
        for (var i = 0; i < count; i++)
        {
            coordinator.Publish(First, null, $"{i}");
        }
    }

    private static TestCoordinator Start(GroupMode mode, params (string Name, string Value)[] settings)
    {
        var coordinator = new TestCoordinator(TestCoordinator.Topic("t", 1));
        coordinator.Apply(Group(mode, settings));
        return coordinator;
    }

    private static TestCoordinator StartWithDeadLetters(GroupMode mode, params (string Name, string Value)[] settings)
    {
        var coordinator = new TestCoordinator(TestCoordinator.Topic("t", 1), TestCoordinator.Topic("dead", 1, number: 2));
        var group = Group(mode, settings);
        group.DeadLetterTopic = "dead";
        coordinator.Apply(group);
        return coordinator;
    }

    private static GroupCreated Group(GroupMode mode, (string Name, string Value)[] settings)
    {
        var group = TestCoordinator.Group(mode, "t");
        group.Configs = [.. settings.Select(static one => new ConfigSetting { Name = one.Name, Value = one.Value })];
        return group;
    }
}
