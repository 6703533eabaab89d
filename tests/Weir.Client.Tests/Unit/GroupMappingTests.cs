using Weir.Client.Admin;
using Weir.Protocol.Messages;

namespace Weir.Client.Tests.Unit;

/// <summary>What brokers say of groups, as users read it: what is not known is null and never a number.</summary>
[Trait("Category", "Unit")]
public sealed class GroupMappingTests
{
    private static readonly Guid Topic = new(1, 0, 0, new byte[8]);
    private static readonly Guid Gone = new(2, 0, 0, new byte[8]);
    private static readonly Guid Member = new(3, 0, 0, new byte[8]);

    [Fact]
    public void Lag_is_of_all_partitions_in_records_and_in_the_age_of_the_oldest()
    {
        var group = Describe(
            new GroupPartitionDescription { TopicId = Topic, Topic = "t", Partition = 0, Committed = 5, HighWatermark = 9, Lag = 4, LagMs = 1500, Owner = Member },
            new GroupPartitionDescription { TopicId = Topic, Topic = "t", Partition = 1, Committed = 9, HighWatermark = 9 });

        Assert.Equal((4, TimeSpan.FromMilliseconds(1500)), (group.Lag, group.LagAge));
        Assert.Equal((5, 4, Member), (group.Partitions[0].Committed, group.Partitions[0].Lag, group.Partitions[0].Owner));
        Assert.Equal((0, TimeSpan.Zero, null), (group.Partitions[1].Lag, group.Partitions[1].LagAge, group.Partitions[1].Owner));
    }

    [Fact]
    public void What_one_leader_does_not_say_is_not_known_of_the_group()
    {
        var group = Describe(
            new GroupPartitionDescription { TopicId = Topic, Topic = "t", Lag = 4, LagMs = 1 },
            new GroupPartitionDescription { TopicId = Topic, Topic = "t", Partition = 1, LogStartOffset = -1, HighWatermark = -1, Lag = -1, LagMs = -1 });

        Assert.Equal((null, null), (group.Lag, group.LagAge));
        Assert.True(group.Partitions[1] is { Committed: null, LogStartOffset: null, HighWatermark: null, Lag: null, LagAge: null });
    }

    [Fact]
    public void Group_without_partitions_has_no_lag() =>
        Assert.Equal((0L, TimeSpan.Zero), (Describe().Lag, Describe().LagAge));

    [Fact]
    public void Member_shows_what_it_owns_by_name_also_of_a_topic_that_is_gone()
    {
        var member = Describe(new GroupPartitionDescription { TopicId = Topic, Topic = "t" }).Members[0];

        Assert.Equal([new OwnedPartition("t", 3), new OwnedPartition($"{Gone}", 1)], member.Partitions);
        Assert.Equal((TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(2), true), (member.SilentFor, member.HandlingFor, member.IsStuck));
    }

    [Theory]
    [InlineData(StartPosition.Earliest, 0)]
    [InlineData(StartPosition.Latest, 0)]
    [InlineData(StartPosition.Offset, 12)]
    [InlineData(StartPosition.Timestamp, 1_700_000_000_123)]
    public void Start_is_read_back_as_it_was_declared(StartPosition position, long value)
    {
        var start = GroupMapping.ToSummary(new GroupInfo { Start = position, StartValue = value }).Start;
        Assert.Equal((position, value), (start.Position, start.Value));
    }

    private static GroupDescription Describe(params GroupPartitionDescription[] partitions) => GroupMapping.ToDescription(
        new DescribeGroupResponse
        {
            Info = new GroupInfo { Name = "g" },
            State = GroupState.Stable,
            Members =
            [
                new MemberDescription
                {
                    MemberId = Member, SilentForMs = 2000, StuckForMs = 120_000, IsStuck = true,
                    Partitions = [new PartitionKey { TopicId = Topic, Partition = 3 }, new PartitionKey { TopicId = Gone, Partition = 1 }],
                },
            ],
            Partitions = partitions,
        });
}
