using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups;

/// <summary>Describes a group with what its partitions' leaders say of their ends.</summary>
internal static class GroupLag
{
    /// <summary>Describes it; the reply comes when every leader has answered or cannot.</summary>
    public static void Describe(Group group, IGroupHost host, Action<DescribeGroupResponse> reply)
    {
        var description = new DescribeGroupResponse();
        group.Describe(description);
        var declared = group.Declaration;
        description.Info = new GroupInfo
        {
            GroupId = declared.GroupId,
            Name = declared.Name,
            Mode = declared.Mode,
            Topics = [.. declared.Topics],
            Start = declared.Start,
            StartValue = declared.StartValue,
            DeadLetterTopic = declared.DeadLetterTopic,
            Owner = declared.Owner,
            Configs = declared.Settings.Describe(),
            CreatedAtMs = declared.CreatedAtMs,
        };
        var waiting = description.Partitions.Length;
        if (waiting == 0)
        {
            reply(description);
            return;
        }

        foreach (var partition in description.Partitions)
        {
            var identity = new LogIdentity(partition.TopicId, partition.Partition);
            host.LookUp(identity, StartPosition.Offset, Math.Max(0, partition.Committed), answer =>
            {
                Fill(partition, answer, group.SettledAbove(identity), host.WallClockMs);
                if (--waiting == 0)
                {
                    reply(description);
                }
            });
        }
    }

    private static void Fill(GroupPartitionDescription partition, OffsetAnswer answer, long settledAbove, long nowMs)
    {
        partition.LogStartOffset = answer.LogStartOffset;
        partition.HighWatermark = answer.HighWatermark;
        if (answer.Error != ErrorCode.None || partition.Committed < 0)
        {
            partition.Lag = partition.LagMs = -1;
            return;
        }

        var first = Math.Max(partition.Committed, answer.LogStartOffset);
        partition.Lag = Math.Max(0, answer.HighWatermark - first - settledAbove);
        partition.LagMs = partition.Lag == 0 || answer.AppendTimeMs < 0 ? 0 : Math.Max(0, nowMs - answer.AppendTimeMs);
    }
}
