using System.IO.Hashing;
using Weir.Metadata;
using Weir.Metadata.Quorum;
using Weir.Replication.Partitions;
using Weir.Storage;

namespace Weir.Simulation;

/// <summary>
/// Sees the whole cluster and every client at once. Checks after each step what must hold then, and at the end what must
/// hold once everything is healed. The first violation ends the run.
/// </summary>
public sealed class Oracle(SimulatedCluster cluster)
{
    private readonly Dictionary<(LogIdentity Partition, int Epoch), int> _partitionLeaders = [];
    private readonly Dictionary<int, int> _quorumLeaders = [];
    private readonly Dictionary<long, (ulong Hash, int NodeId)> _committedMetadata = [];
    private readonly Dictionary<int, (MetadataImage? Image, long HighWatermark, int Epoch)> _lastOfNode = [];
    private readonly Dictionary<(int NodeId, LogIdentity Partition), long> _durable = [];
    private readonly HashSet<(int NodeId, LogIdentity Partition)> _damaged = [];
    private readonly Dictionary<int, long> _durableMetadata = [];
    private readonly Dictionary<LogIdentity, PartitionHistory> _histories = [];

    /// <summary>What went wrong; null while nothing has.</summary>
    public string? Violation { get; private set; }

    /// <summary>Records that were acknowledged.</summary>
    public long Acknowledged { get; private set; }

    /// <summary>Records that consumers read.</summary>
    public long Read { get; private set; }

    /// <summary>Elections of the metadata quorum.</summary>
    public int Elections => _quorumLeaders.Count;

    /// <summary>Leaderships of partitions.</summary>
    public int Leaderships => _partitionLeaders.Count;

    public void Violate(string rule, string text)
    {
        if (Violation is null)
        {
            Violation = $"{rule}: {text}";
            cluster.Log($"VIOLATION {Violation}");
        }
    }

    /// <summary>A broker has done a step.</summary>
    public void OnStep(SimulatedBroker broker)
    {
        if (broker.Node is not { } node || broker.Store is not { } store)
        {
            return;
        }

        var quorum = node.Quorum;
        var last = _lastOfNode.GetValueOrDefault(broker.NodeId);
        _durableMetadata[broker.NodeId] = store.DurableOffset;
        if (quorum.Role == QuorumRole.Leader
            && _quorumLeaders.TryAdd(quorum.Epoch, broker.NodeId) is false && _quorumLeaders[quorum.Epoch] != broker.NodeId)
        {
            Violate("SingleLeader", $"{_quorumLeaders[quorum.Epoch]} and {broker.NodeId} lead the quorum in epoch {quorum.Epoch}");
        }

        if (!ReferenceEquals(last.Image, quorum.Committed))
        {
            OnCommitted(broker, quorum);
        }

        _lastOfNode[broker.NodeId] = (quorum.Committed, quorum.HighWatermark, quorum.Epoch);
    }

    /// <summary>A broker has ended; the next one with its id starts anew.</summary>
    public void OnStopped(SimulatedBroker broker, Exception reason)
    {
        if (reason is MetadataException && !reason.Message.Contains("damaged", StringComparison.Ordinal))
        {
            Violate("MetadataLogMatching", $"broker {broker.NodeId}: {reason.Message}");
        }
    }

    /// <summary>A disk was replaced: what it held counts no more.</summary>
    public void OnWiped(SimulatedBroker broker)
    {
        _durableMetadata[broker.NodeId] = 0;
        foreach (var key in _durable.Keys.Where(key => key.NodeId == broker.NodeId).ToList())
        {
            _durable.Remove(key);
            _damaged.Add(key);
        }
    }

    /// <summary>A replica has moved.</summary>
    public void OnReplica(SimulatedBroker broker, Replica replica)
    {
        var place = (broker.NodeId, replica.Identity);
        _durable[place] = replica.Log.DurableOffset;
        if (replica.DamagedFrom is null)
        {
            _damaged.Remove(place);
        }
        else
        {
            // Until the controller knows, it counts on what the disk has lost.
            _damaged.Add(place);
        }

        if (replica.HighWatermark > replica.Log.LogEndOffset)
        {
            Violate("HighWatermark", $"{replica.Identity} on {broker.NodeId} has {replica.HighWatermark} over its end {replica.Log.LogEndOffset}");
        }

        if (replica.Role != ReplicaRole.Leader)
        {
            return;
        }

        var key = (replica.Identity, replica.LeaderEpoch);
        if (!_partitionLeaders.TryGetValue(key, out var leader))
        {
            _partitionLeaders[key] = broker.NodeId;
            OnElected(broker, replica);
        }
        else if (leader != broker.NodeId)
        {
            Violate("SingleLeader", $"{leader} and {broker.NodeId} lead {replica.Identity} in epoch {replica.LeaderEpoch}");
        }
    }

    /// <summary>A producer is about to send.</summary>
    /// <returns>To be given back with its outcome.</returns>
    public long OnSend(LogIdentity partition) => History(partition).MaxAcknowledged;

    /// <summary>A producer was told that a value is kept.</summary>
    public void OnAcknowledged(LogIdentity partition, long offset, long value, long acknowledgedBefore)
    {
        Acknowledged++;
        var history = History(partition);
        history.Note(offset, value, Violate);
        history.Acknowledged[offset] = value;
        history.MaxAcknowledged = Math.Max(history.MaxAcknowledged, offset);
        if (offset <= acknowledgedBefore)
        {
            Violate("RealTimeOrder", $"{partition} gave offset {offset} to {value}, which was sent after {acknowledgedBefore} was acknowledged");
        }

        var topic = cluster.Brokers.Select(broker => broker.Image.Find(partition.TopicId)).FirstOrDefault(found => found is not null);
        if (topic is null)
        {
            return;
        }

        // Wherever they are: a move may have ended since.
        var needed = topic.Settings.MinInsyncReplicasFor(topic.ReplicationFactor);
        var durable = cluster.Brokers.Count(broker => Durable(broker.NodeId, partition) > offset);
        if (durable < needed)
        {
            Violate("AcknowledgedIsDurable", $"{partition} offset {offset} was acknowledged and is on stable storage of {durable} replicas, not {needed}");
        }
    }

    /// <summary>A consumer was given a value.</summary>
    public void OnRead(LogIdentity partition, long offset, long value)
    {
        Read++;
        var history = History(partition);
        history.Note(offset, value, Violate);
        history.ReadOffsets.Add(offset);
    }

    /// <summary>A client was told where the readable end of a partition is.</summary>
    public void OnEnd(LogIdentity partition, int client, long end, long lastOfClient)
    {
        if (end < lastOfClient)
        {
            Violate("EndNeverGoesBack", $"client {client} saw the end of {partition} at {lastOfClient}, then at {end}");
        }
    }

    /// <summary>Everything is healed and quiet: every replica has the same, and all that was acknowledged was read.</summary>
    public void CheckAtEnd()
    {
        foreach (var (partition, history) in _histories)
        {
            foreach (var (offset, value) in history.Acknowledged)
            {
                if (!history.ReadOffsets.Contains(offset))
                {
                    Violate("AcknowledgedIsKept", $"{partition} offset {offset}, value {value}, was acknowledged and cannot be read");
                    return;
                }
            }

            CheckReplicas(partition);
        }
    }

    private static ulong Hash(MetadataImage image) => XxHash3.HashToUInt64(MetadataSnapshot.Encode(image, 0));

    /// <summary>How far a replica was on stable storage when it was last seen.</summary>
    private long Durable(int nodeId, LogIdentity partition) =>
        cluster.Broker(nodeId).Node?.Replicas.Table.Find(partition)?.Log.DurableOffset
            ?? _durable.GetValueOrDefault((nodeId, partition));

    private PartitionHistory History(LogIdentity partition)
    {
        if (!_histories.TryGetValue(partition, out var history))
        {
            _histories[partition] = history = new PartitionHistory(partition);
        }

        return history;
    }

    private void OnCommitted(SimulatedBroker broker, QuorumNode quorum)
    {
        var image = quorum.Committed;
        if (image.NextOffset == 0)
        {
            return;
        }

        var hash = Hash(image);
        cluster.World.Trace((long)hash);
        if (!_committedMetadata.TryAdd(image.NextOffset, (hash, broker.NodeId)) && _committedMetadata[image.NextOffset].Hash != hash)
        {
            Violate(
                "ConsistentCommittedMetadata",
                $"{_committedMetadata[image.NextOffset].NodeId} and {broker.NodeId} committed different metadata up to {image.NextOffset}");
        }

        if (quorum.Role == QuorumRole.Leader && quorum.Epoch == _quorumLeaders.Keys.Max())
        {
            CheckCandidates(image);
            var voters = quorum.Voters;
            var reached = voters.Voters.Count(voter => _durableMetadata.GetValueOrDefault(voter.NodeId) >= quorum.HighWatermark);
            if (reached < voters.Majority)
            {
                Violate("MajorityReachedHighWatermark", $"{quorum.HighWatermark} is committed by {broker.NodeId} and on {reached} of {voters.Count} voters");
            }
        }
    }

    /// <summary>Whoever may lead next without a record of the controller's in between has all that was acknowledged.</summary>
    private void CheckCandidates(MetadataImage image)
    {
        foreach (var (partition, history) in _histories)
        {
            if (image.Find(partition.TopicId) is not { } topic || history.MaxAcknowledged < 0)
            {
                continue;
            }

            var state = topic.Partitions[partition.Partition];
            foreach (var candidate in state.Isr.Concat(state.Elr))
            {
                var durable = Durable(candidate, partition);
                if (durable <= history.MaxAcknowledged && !_damaged.Contains((candidate, partition)))
                {
                    Violate(
                        "LeaderCandidateCompleteness",
                        $"{candidate} may lead {partition} with {durable} on stable storage, but {history.MaxAcknowledged} was acknowledged");
                }
            }
        }
    }

    private void OnElected(SimulatedBroker broker, Replica replica)
    {
        // One that leads as of an older epoch than others know of cannot do harm: nobody follows it.
        var newest = cluster.Brokers.Select(broker => broker.Image.Find(replica.Identity.TopicId))
            .Max(topic => topic?.Partitions[replica.Identity.Partition].LeaderEpoch ?? -1);
        var history = History(replica.Identity);
        if (newest <= replica.LeaderEpoch && replica.Log.LogEndOffset <= history.MaxAcknowledged)
        {
            Violate(
                "LeaderCompleteness",
                $"{broker.NodeId} leads {replica.Identity} in epoch {replica.LeaderEpoch} and ends at {replica.Log.LogEndOffset}, "
                    + $"but {history.MaxAcknowledged} was acknowledged");
        }
    }

    private void CheckReplicas(LogIdentity partition)
    {
        List<(long Offset, ulong Checksum)>? first = null;
        var firstNode = 0;
        foreach (var broker in cluster.Brokers)
        {
            if (broker.Node?.Replicas.Table.Find(partition) is not { } replica)
            {
                continue;
            }

            var content = LogContent.Read(replica.Log, replica.HighWatermark);
            if (first is null)
            {
                (first, firstNode) = (content, broker.NodeId);
                continue;
            }

            var shorter = Math.Min(first.Count, content.Count);
            for (var i = 0; i < shorter; i++)
            {
                if (first[i] != content[i])
                {
                    Violate("LogMatching", $"{partition} differs at offset {first[i].Offset} on {firstNode} and {content[i].Offset} on {broker.NodeId}");
                    return;
                }
            }
        }
    }

    private sealed class PartitionHistory(LogIdentity partition)
    {
        private readonly Dictionary<long, long> _valueAt = [];
        private readonly Dictionary<long, long> _offsetOf = [];

        public Dictionary<long, long> Acknowledged { get; } = [];

        public HashSet<long> ReadOffsets { get; } = [];

        public long MaxAcknowledged { get; set; } = -1;

        /// <summary>One value per offset and one offset per value, for ever.</summary>
        public void Note(long offset, long value, Action<string, string> violate)
        {
            if (!_valueAt.TryAdd(offset, value) && _valueAt[offset] != value)
            {
                violate("ConsistentRead", $"{partition} offset {offset} was {_valueAt[offset]} and is {value}");
            }
            else if (!_offsetOf.TryAdd(value, offset) && _offsetOf[value] != offset)
            {
                violate("NoDuplicate", $"{partition} has {value} at {_offsetOf[value]} and at {offset}");
            }
        }
    }
}
