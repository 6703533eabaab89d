using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups;

/// <summary>
/// Which topics a group has seen, and with how many partitions: what came later it reads from the first record. And the search for
/// where the others start, which is done once. One thread.
/// </summary>
internal sealed class TopicBook
{
    private const int RetryMs = 200;
    private readonly Dictionary<Guid, int> _partitions = [];
    private readonly Dictionary<LogIdentity, long> _searches = [];

    /// <summary>Topics that the group has seen and still reads.</summary>
    public IReadOnlyCollection<Guid> Topics => _partitions.Keys;

    /// <summary>Applies a record.</summary>
    public void Apply(TopicSeen record)
    {
        if (record.Partitions == TopicSeen.Gone)
        {
            _partitions.Remove(record.TopicId);
        }
        else
        {
            _partitions[record.TopicId] = record.Partitions;
        }
    }

    /// <summary>Records that make this book.</summary>
    public IEnumerable<IGroupRecord> ToSnapshot() =>
        _partitions.Select(static pair => new TopicSeen { TopicId = pair.Key, Partitions = pair.Value });

    /// <summary>Notes topics that are new, and those that the group reads no more.</summary>
    public void Follow(IGroupContext context, GroupImage group, IReadOnlyList<GroupTopic> topics)
    {
        foreach (var gone in _partitions.Keys.Except(topics.Select(static topic => topic.TopicId)).ToList())
        {
            context.Append(new TopicSeen { TopicId = gone, Partitions = TopicSeen.Gone });
        }

        foreach (var topic in topics.Where(topic => !_partitions.ContainsKey(topic.TopicId)))
        {
            // Where a topic came after the group, all of it did.
            var isLate = topic.CreatedAtMs > group.CreatedAtMs;
            context.Append(new TopicSeen { TopicId = topic.TopicId, Partitions = isLate ? 0 : topic.Partitions });
        }
    }

    /// <summary>Asks the leader where a partition starts for this group, unless that is under way or was tried just now.</summary>
    public void FindStart(IGroupContext context, GroupImage group, LogIdentity partition, Action<OffsetAnswer> found)
    {
        if (_searches.TryGetValue(partition, out var notBefore) && context.NowMs < notBefore)
        {
            return;
        }

        _searches[partition] = long.MaxValue;
        var isLate = partition.Partition >= _partitions.GetValueOrDefault(partition.TopicId);
        var (position, value) = isLate ? (StartPosition.Earliest, 0) : (group.Start, group.StartValue);
        context.LookUp(partition, position, value, answer =>
        {
            if (answer.Error == ErrorCode.None)
            {
                _searches.Remove(partition);
                found(answer);
            }
            else
            {
                _searches[partition] = context.NowMs + RetryMs;
            }
        });
    }
}
