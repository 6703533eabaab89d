using Weir.Protocol.Messages;

namespace Weir.Client.Admin;

/// <summary>Turns messages of groups into the types of the public surface.</summary>
internal static class GroupMapping
{
    public static GroupSummary ToSummary(GroupInfo info) => new(
        info.Name, info.GroupId, info.Mode, info.Topics, ToStart(info), info.DeadLetterTopic, info.Owner,
        AdminMapping.ToConfigs(info.Configs), DateTimeOffset.FromUnixTimeMilliseconds(info.CreatedAtMs), info.Coordinator);

    public static GroupDescription ToDescription(DescribeGroupResponse reply)
    {
        var topics = new Dictionary<Guid, string>();
        foreach (var partition in reply.Partitions.Where(static partition => partition.Topic.Length > 0))
        {
            topics[partition.TopicId] = partition.Topic;
        }

        return new GroupDescription(
            ToSummary(reply.Info), reply.State, reply.GroupEpoch,
            [.. reply.Members.Select(member => ToMember(member, topics))],
            [.. reply.Partitions.Select(ToPartition)]);
    }

    public static List<ResetOffsets> ToOffsets(ResetGroupResponse reply) =>
    [
        .. reply.Offsets.Select(static offset => new ResetOffsets(
            offset.Topic, offset.Partition, Known(offset.Before), offset.After)),
    ];

    private static ConsumerStart ToStart(GroupInfo info) => info.Start switch
    {
        StartPosition.Latest => ConsumerStart.Latest,
        StartPosition.Offset => ConsumerStart.AtOffset(Math.Max(0, info.StartValue)),
        StartPosition.Timestamp => ConsumerStart.AtTimestamp(DateTimeOffset.FromUnixTimeMilliseconds(info.StartValue)),
        _ => ConsumerStart.Earliest,
    };

    private static GroupMember ToMember(MemberDescription member, Dictionary<Guid, string> topics) => new(
        member.MemberId, member.InstanceId, member.Name, member.MemberEpoch,
        DateTimeOffset.FromUnixTimeMilliseconds(member.JoinedAtMs), TimeSpan.FromMilliseconds(member.SilentForMs),
        TimeSpan.FromMilliseconds(member.StuckForMs), member.IsStuck, member.InFlight,
        [
            .. member.Partitions.Select(owned => new OwnedPartition(
                topics.GetValueOrDefault(owned.TopicId) ?? owned.TopicId.ToString(), owned.Partition)),
        ]);

    private static GroupPartition ToPartition(GroupPartitionDescription partition) => new(
        partition.Topic, partition.TopicId, partition.Partition, Known(partition.Committed), Known(partition.LogStartOffset),
        Known(partition.HighWatermark), Known(partition.Lag),
        partition.LagMs < 0 ? null : TimeSpan.FromMilliseconds(partition.LagMs),
        partition.Owner == Guid.Empty ? null : partition.Owner,
        partition.InFlight, partition.Waiting, partition.BlockedKeys, partition.DeadLettered);

    private static long? Known(long value) => value < 0 ? null : value;
}
