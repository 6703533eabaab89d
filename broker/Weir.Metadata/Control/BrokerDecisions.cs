using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Metadata.Control;

/// <summary>What follows from brokers coming, going, draining and leaving: pure, from an image to records.</summary>
internal static class BrokerDecisions
{
    /// <summary>A broker joins or comes back.</summary>
    /// <param name="image">What the whole log says.</param>
    /// <param name="request">The broker's words.</param>
    /// <param name="isAlive">Whether a broker with this node id has a session that has not run out.</param>
    /// <exception cref="ProtocolException">It is of another cluster, or its node id is in use.</exception>
    public static List<IMetadataRecord> Register(MetadataImage image, RegisterBrokerRequest request, bool isAlive)
    {
        if (request.ClusterId != image.ClusterId)
        {
            throw new ProtocolException(ErrorCode.WrongCluster, $"this is cluster {image.ClusterId}, not {request.ClusterId}");
        }

        var before = image.FindBroker(request.NodeId);

        // One data directory has one broker, by its lock: then the process before is gone, whatever its session says.
        if (before is not null && isAlive && before.DirectoryId != request.DirectoryId)
        {
            throw new ProtocolException(
                ErrorCode.DuplicateBroker,
                $"node id {request.NodeId} is in use by the broker at {before.Host}:{before.Port}: give each broker its own");
        }

        var isWiped = before is not null && before.DirectoryId != request.DirectoryId;
        var changes = new PartitionChanges(image);
        changes.ForEach((topic, partition) =>
        {
            var minIsr = MinIsr(topic, partition);
            var hasLost = isWiped || (request.IsLossyRestart && topic.Settings.Durability != Durability.Fsync);
            var next = hasLost
                ? PartitionRules.WithoutTrust(partition, request.NodeId, minIsr)
                : PartitionRules.WithoutInSync(partition, request.NodeId, minIsr);
            return ReferenceEquals(next, partition)
                ? partition
                : PartitionRules.Elect(next, minIsr, Others(image, request.NodeId));
        });
        return
        [
            new BrokerRegistered
            {
                NodeId = request.NodeId,
                BrokerEpoch = image.NextOffset,
                IncarnationId = request.IncarnationId,
                DirectoryId = request.DirectoryId,
                Host = request.Host,
                Port = request.Port,
                Rack = request.Rack,
                Version = request.Version,
                IsVoter = request.IsVoter,
            },
            .. changes.ToRecords(),
        ];
    }

    /// <summary>A broker is silent, or stops: others lead, and it is out of sync.</summary>
    public static List<IMetadataRecord> Fence(MetadataImage image, int nodeId)
    {
        var broker = Require(image, nodeId);
        var changes = new PartitionChanges(image);
        changes.ForEach((topic, partition) =>
        {
            var minIsr = MinIsr(topic, partition);
            var next = PartitionRules.WithoutInSync(partition, nodeId, minIsr);
            return ReferenceEquals(next, partition) ? partition : PartitionRules.Elect(next, minIsr, Others(image, nodeId));
        });
        return [(broker with { Fenced = true }).ToState(), .. changes.ToRecords()];
    }

    /// <summary>A broker has caught up: it may lead what nobody leads.</summary>
    public static List<IMetadataRecord> Unfence(MetadataImage image, int nodeId)
    {
        var broker = Require(image, nodeId) with { Fenced = false };
        var changes = new PartitionChanges(image);
        changes.ForEach((topic, partition) =>
        {
            if (partition.Leader >= 0 || !partition.Replicas.Contains(nodeId))
            {
                return partition;
            }

            // Without fsync nobody promised what the loss of power took: somebody leads with what is left.
            var isForfeit = partition.Isr.Length + partition.Elr.Length == 0
                && topic.Settings.Durability != Durability.Fsync;
            return isForfeit
                ? PartitionRules.LedBy(partition with { Isr = [nodeId] }, nodeId)
                : PartitionRules.Elect(
                    partition, MinIsr(topic, partition), id => id == nodeId ? broker : image.FindBroker(id));
        });
        return [broker.ToState(), .. changes.ToRecords()];
    }

    /// <summary>Data of replicas is damaged: they are neither in sync nor eligible, and others lead.</summary>
    public static List<IMetadataRecord> ReportDamage(MetadataImage image, ReportDamageRequest request)
    {
        RequireEpoch(image, request.NodeId, request.BrokerEpoch);
        var changes = new PartitionChanges(image);
        foreach (var key in request.Partitions)
        {
            if (image.Find(key.TopicId) is not { } topic || key.Partition < 0 || key.Partition >= topic.Partitions.Length
                || changes.Get(topic, key.Partition) is not { Replicas.Length: > 1 } partition)
            {
                continue;
            }

            var minIsr = MinIsr(topic, partition);
            var next = PartitionRules.Elect(
                PartitionRules.WithoutTrust(partition, request.NodeId, minIsr), minIsr, image.FindBroker);

            // What it acknowledged before no longer holds, nor does a fetch of then that is still on its way: in another epoch
            // a leader counts from nothing.
            var isSameLeader = next.Leader >= 0 && next.LeaderEpoch == partition.LeaderEpoch;
            changes.Set(topic, isSameLeader ? next with { LeaderEpoch = next.LeaderEpoch + 1 } : next);
        }

        return changes.ToRecords();
    }

    /// <summary>Leaderships leave a broker, as far as others can take them.</summary>
    public static List<IMetadataRecord> Drain(MetadataImage image, int nodeId)
    {
        var broker = Require(image, nodeId) with { Draining = true };
        var changes = new PartitionChanges(image);
        changes.ForEach((topic, partition) => partition.Leader == nodeId
            ? PartitionRules.Elect(
                partition, MinIsr(topic, partition), id => id == nodeId ? broker : image.FindBroker(id))
            : partition);
        return [broker.ToState(), .. changes.ToRecords()];
    }

    /// <summary>Every replica leaves a broker.</summary>
    /// <exception cref="ProtocolException">There are not enough other brokers.</exception>
    public static List<IMetadataRecord> Decommission(MetadataImage image, int nodeId)
    {
        var broker = Require(image, nodeId);
        var placement = new ReplicaPlacement(image, without: nodeId);
        var changes = new PartitionChanges(image);
        changes.ForEach((topic, partition) =>
        {
            var target = PartitionRules.Target(partition);
            if (!target.Contains(nodeId))
            {
                return partition;
            }

            var next = placement.Next(target.Remove(nodeId));
            placement.Note(next);
            return ReassignmentDecisions.Move(image, topic, partition, target.Replace(nodeId, next));
        });
        return [(broker with { Decommissioning = true, Cordoned = true }).ToState(), .. changes.ToRecords()];
    }

    /// <summary>The replicas of a broker stay after all.</summary>
    public static List<IMetadataRecord> AbortDecommission(MetadataImage image, int nodeId)
    {
        var broker = Require(image, nodeId);
        var changes = new PartitionChanges(image);
        changes.ForEach((topic, partition) => partition.RemovingReplicas.Contains(nodeId)
            ? ReassignmentDecisions.Cancel(image, topic, partition)
            : partition);
        return [(broker with { Decommissioning = false, Cordoned = false }).ToState(), .. changes.ToRecords()];
    }

    /// <summary>A broker that holds nothing and is stopped is forgotten.</summary>
    /// <exception cref="ProtocolException">It holds something, or runs.</exception>
    public static List<IMetadataRecord> Remove(MetadataImage image, int nodeId)
    {
        var broker = Require(image, nodeId);
        var held = image.Topics.Sum(topic => topic.Partitions.Count(partition => partition.Replicas.Contains(nodeId)));
        if (held > 0 || !broker.Fenced)
        {
            throw new ProtocolException(
                ErrorCode.BrokerNotEmpty,
                held > 0 ? $"broker {nodeId} holds {held} replicas: decommission it first" : $"broker {nodeId} runs: stop it first");
        }

        return [new BrokerRemoved { NodeId = nodeId }];
    }

    /// <exception cref="ProtocolException">It is not registered.</exception>
    public static BrokerImage Require(MetadataImage image, int nodeId) => image.FindBroker(nodeId)
        ?? throw new ProtocolException(ErrorCode.UnknownBroker, $"there is no broker {nodeId}");

    /// <exception cref="ProtocolException">It is not registered with this epoch.</exception>
    public static void RequireEpoch(MetadataImage image, int nodeId, long brokerEpoch)
    {
        if (image.FindBroker(nodeId)?.BrokerEpoch != brokerEpoch)
        {
            throw new ProtocolException(
                ErrorCode.StaleBrokerEpoch, $"broker {nodeId} is not registered with epoch {brokerEpoch}");
        }
    }

    /// <summary>What was promised stays until a reassignment is complete: then all of its target is in sync.</summary>
    public static int MinIsr(TopicImage topic, PartitionImage partition) =>
        topic.Settings.MinInsyncReplicasFor(partition.PromisedReplicas);

    private static Func<int, BrokerImage?> Others(MetadataImage image, int nodeId) =>
        id => id == nodeId ? null : image.FindBroker(id);
}
