using System.Collections.Concurrent;
using Weir.Protocol.Errors;
using Weir.Storage;

namespace Weir.Server.Partitions;

/// <summary>The partitions that this broker keeps. Thread-safe.</summary>
internal sealed class PartitionTable
{
    private readonly ConcurrentDictionary<LogIdentity, Partition> _partitions = new();

    public IEnumerable<Partition> All => _partitions.Select(static pair => pair.Value);

    public int Count => _partitions.Count;

    /// <exception cref="ProtocolException">There is no such partition here.</exception>
    public Partition Get(Guid topicId, int partition)
    {
        if (_partitions.TryGetValue(new LogIdentity(topicId, partition), out var found))
        {
            return found;
        }

        throw _partitions.ContainsKey(new LogIdentity(topicId, 0))
            ? new ProtocolException(ErrorCode.UnknownPartition, $"topic {topicId} has no partition {partition}")
            : new ProtocolException(ErrorCode.UnknownTopic, $"topic {topicId} does not exist");
    }

    public Partition? Find(Guid topicId, int partition) =>
        _partitions.GetValueOrDefault(new LogIdentity(topicId, partition));

    public void Add(Partition partition) => _partitions[partition.Log.Identity] = partition;

    public Partition? Remove(LogIdentity identity) =>
        _partitions.TryRemove(identity, out var partition) ? partition : null;
}
