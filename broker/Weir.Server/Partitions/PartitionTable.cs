using System.Collections.Concurrent;
using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Replication;
using Weir.Replication.Partitions;
using Weir.Storage;

namespace Weir.Server.Partitions;

/// <summary>The partitions of which this broker holds a replica, as clients use them; follows the replicas. Thread-safe.</summary>
internal sealed class PartitionTable(
    Func<LogIdentity, Replica?> replicaOf, Func<MetadataImage> image, Action<LogIdentity, ErrorCode, string> endSubscriptions,
    Action<Partition> onProgress, Action<Partition> onRemoved, Action<Replica> onStopped) : IReplicaListener
{
    private readonly ConcurrentDictionary<LogIdentity, Partition> _partitions = new();

    public IEnumerable<Partition> All => _partitions.Select(static pair => pair.Value);

    public int Count => _partitions.Count;

    /// <summary>A partition that this broker leads.</summary>
    /// <exception cref="ProtocolException">It is led elsewhere, by nobody now, or does not exist.</exception>
    public Partition GetLed(Guid topicId, int partition)
    {
        if (Find(topicId, partition) is { Replica.Role: ReplicaRole.Leader } found)
        {
            return found;
        }

        throw Refusal(topicId, partition);
    }

    public Partition? Find(Guid topicId, int partition) =>
        _partitions.GetValueOrDefault(new LogIdentity(topicId, partition));

    /// <inheritdoc/>
    public void OnReplicaProgress(Replica replica)
    {
        if (!ReferenceEquals(replicaOf(replica.Identity), replica))
        {
            if (_partitions.TryRemove(replica.Identity, out var removed))
            {
                endSubscriptions(replica.Identity, ErrorCode.NotLeader, "the partition is not here any more");
                onRemoved(removed);
            }

            return;
        }

        var partition = _partitions.GetValueOrDefault(replica.Identity);
        if (partition is null || !ReferenceEquals(partition.Replica, replica))
        {
            partition = _partitions.AddOrUpdate(replica.Identity, new Partition(replica), (_, _) => new Partition(replica));
        }

        if (partition.OnProgress())
        {
            endSubscriptions(replica.Identity, ErrorCode.NotLeader, "another broker leads the partition now");
        }

        onProgress(partition);
        if (replica.Log.State == LogState.Stopped)
        {
            onStopped(replica);
        }
    }

    private ProtocolException Refusal(Guid topicId, int partition)
    {
        var known = image();
        if (known.Find(topicId) is not { } topic)
        {
            return known.WasDeleted(topicId)
                ? new ProtocolException(ErrorCode.UnknownTopic, $"topic {topicId} was deleted")
                : new ProtocolException(ErrorCode.LeaderNotAvailable, $"topic {topicId} is not known here yet");
        }

        if (partition < 0 || partition >= topic.Partitions.Length)
        {
            return new ProtocolException(ErrorCode.UnknownPartition, $"topic '{topic.Name}' has no partition {partition}");
        }

        var leader = topic.Partitions[partition].Leader;
        return Find(topicId, partition) is { Error: ErrorCode.CorruptLog or ErrorCode.LogStopped } broken
            ? new ProtocolException(broken.Error, $"{topic.Name}-{partition}: {broken.Log.StateReason}")
            : leader < 0
                ? new ProtocolException(ErrorCode.LeaderNotAvailable, $"{topic.Name}-{partition} has no leader now")
                : new ProtocolException(ErrorCode.NotLeader, $"{topic.Name}-{partition} is led by broker {leader}");
    }
}
