using Weir.Client;
using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Groups;

/// <summary>Sums up what waits for a group. Pure.</summary>
internal static class LagFigures
{
    private const int MaxTopics = 64;

    /// <summary>Puts the figures of a group into a status.</summary>
    public static void Show(ConsumerGroupStatus status, GroupDescription group)
    {
        status.Mode = group.Declaration.Mode.ToString().ToLowerInvariant();
        status.State = group.State.ToString();
        status.Members = group.Members.Count;
        status.Replicas = group.Members.Count;
        status.StuckMembers = group.Members.Count(static member => member.IsStuck);
        status.Lag = new LagStatus { Records = group.Lag, AgeSeconds = Seconds(group.LagAge) };
        status.DeadLettered = group.Partitions.Sum(static partition => partition.DeadLettered);
        status.BlockedKeys = group.Partitions.Sum(static partition => partition.BlockedKeys);
        var topics = group.Partitions.Where(static partition => partition.Topic.Length > 0)
            .GroupBy(static partition => partition.Topic, StringComparer.Ordinal)
            .Select(static topic => Sum(topic.Key, [.. topic]))
            .OrderByDescending(static topic => topic.Records ?? long.MaxValue)
            .ThenBy(static topic => topic.Topic, StringComparer.Ordinal)
            .Take(MaxTopics)
            .OrderBy(static topic => topic.Topic, StringComparer.Ordinal)
            .ToList();
        status.Topics = topics.Count > 0 ? topics : null;
    }

    /// <summary>Whether the lag is within its bounds; null if nobody set any.</summary>
    public static Condition? Judge(LagSpec? bounds, LagStatus? lag)
    {
        if (bounds is null || (bounds.MaxRecords is null && bounds.MaxAgeSeconds is null))
        {
            return null;
        }

        if ((bounds.MaxRecords is not null && lag?.Records is null) || (bounds.MaxAgeSeconds is not null && lag?.AgeSeconds is null))
        {
            return StatusConditions.Create(
                ConditionTypes.LagHealthy, null, "NotKnown", "the lag is not known of every partition");
        }

        // Without the present figures: a message that changes with each record would be written with each record.
        if (lag?.Records > bounds.MaxRecords)
        {
            return StatusConditions.Create(
                ConditionTypes.LagHealthy, false, "TooManyRecords", $"more than {bounds.MaxRecords} records wait");
        }

        return lag?.AgeSeconds > bounds.MaxAgeSeconds
            ? StatusConditions.Create(
                ConditionTypes.LagHealthy, false, "TooOld", $"the oldest record waits for more than {bounds.MaxAgeSeconds} s")
            : StatusConditions.Create(ConditionTypes.LagHealthy, true, "WithinBounds", "the lag is within its bounds");
    }

    private static TopicLag Sum(string topic, List<GroupPartition> partitions)
    {
        var isKnown = partitions.TrueForAll(static partition => partition.Lag is not null);
        var isAgeKnown = partitions.TrueForAll(static partition => partition.LagAge is not null);
        return new TopicLag
        {
            Topic = topic,
            Partitions = partitions.Count,
            Records = isKnown ? partitions.Sum(static partition => partition.Lag) : null,
            MaxPartitionRecords = isKnown ? partitions.Max(static partition => partition.Lag) : null,
            AgeSeconds = isAgeKnown ? Seconds(partitions.Max(static partition => partition.LagAge)) : null,
        };
    }

    private static long? Seconds(TimeSpan? time) => time is { } span ? (long)span.TotalSeconds : null;
}
