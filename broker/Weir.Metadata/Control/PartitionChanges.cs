using System.Collections.Immutable;
using Weir.Metadata.Records;

namespace Weir.Metadata.Control;

/// <summary>Collects new states of partitions and turns those that differ into records, one for each topic.</summary>
internal sealed class PartitionChanges(MetadataImage image)
{
    private readonly SortedDictionary<Guid, SortedDictionary<int, PartitionImage>> _changed = [];

    /// <summary>Whether two states of a partition differ in nothing but their partition epochs.</summary>
    public static bool IsSame(PartitionImage one, PartitionImage other) =>
        one.Leader == other.Leader && one.LeaderEpoch == other.LeaderEpoch && IsSame(one.Replicas, other.Replicas)
            && IsSame(one.Isr, other.Isr) && IsSame(one.Elr, other.Elr)
            && IsSame(one.AddingReplicas, other.AddingReplicas) && IsSame(one.RemovingReplicas, other.RemovingReplicas);

    /// <summary>The state of a partition with the changes so far.</summary>
    public PartitionImage Get(TopicImage topic, int index) =>
        _changed.GetValueOrDefault(topic.TopicId)?.GetValueOrDefault(index) ?? topic.Partitions[index];

    /// <summary>Sets a partition's state.</summary>
    public void Set(TopicImage topic, PartitionImage state)
    {
        if (!_changed.TryGetValue(topic.TopicId, out var partitions))
        {
            _changed[topic.TopicId] = partitions = [];
        }

        partitions[state.Index] = state;
    }

    /// <summary>Changes every partition that a rule changes.</summary>
    public void ForEach(Func<TopicImage, PartitionImage, PartitionImage> rule)
    {
        foreach (var topic in image.Topics.OrderBy(static topic => topic.TopicId))
        {
            for (var index = 0; index < topic.Partitions.Length; index++)
            {
                var present = Get(topic, index);
                var next = rule(topic, present);
                if (!ReferenceEquals(present, next))
                {
                    Set(topic, next);
                }
            }
        }
    }

    /// <summary>The records of all that differs from the image.</summary>
    public List<IMetadataRecord> ToRecords()
    {
        var records = new List<IMetadataRecord>();
        foreach (var (topicId, partitions) in _changed)
        {
            var topic = image.Find(topicId)!;
            var changed = partitions.Values.Where(state => !IsSame(state, topic.Partitions[state.Index]))
                .Select(state => (state with { PartitionEpoch = topic.Partitions[state.Index].PartitionEpoch + 1 }).ToAssignment())
                .ToArray();
            if (changed.Length > 0)
            {
                records.Add(new PartitionsChanged { TopicId = topicId, Partitions = changed });
            }
        }

        return records;
    }

    private static bool IsSame(ImmutableArray<int> one, ImmutableArray<int> other) => one.AsSpan().SequenceEqual(other.AsSpan());
}
