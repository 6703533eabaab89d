using System.Collections.Immutable;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Metadata.Control;

/// <summary>What follows from wanting replicas or leaders elsewhere: pure, from an image to records.</summary>
internal static class ReassignmentDecisions
{
    private const int MaxBalancedAtOnce = 1000;

    /// <summary>Moves the replicas of a topic, changes how many there are, or cancels that.</summary>
    /// <exception cref="ProtocolException">It cannot be; the text says why.</exception>
    public static List<IMetadataRecord> Reassign(MetadataImage image, ReassignPartitionsRequest request)
    {
        var topic = image.Find(request.Topic)
            ?? throw new ProtocolException(ErrorCode.UnknownTopic, $"topic '{request.Topic}' does not exist");
        var changes = new PartitionChanges(image);
        if (request.Cancel)
        {
            foreach (var partition in topic.Partitions.Where(static partition => partition.IsReassigning))
            {
                changes.Set(topic, Cancel(image, topic, partition));
            }

            return changes.ToRecords();
        }

        if (request.ReplicationFactor != 0)
        {
            ChangeReplicationFactor(image, topic, request.ReplicationFactor, changes);
            return changes.ToRecords();
        }

        foreach (var wanted in request.Partitions)
        {
            if (wanted.Partition < 0 || wanted.Partition >= topic.Partitions.Length)
            {
                throw new ProtocolException(
                    ErrorCode.UnknownPartition, $"topic '{topic.Name}' has no partition {wanted.Partition}");
            }

            var partition = topic.Partitions[wanted.Partition];
            Require(image, topic, partition, wanted.Replicas);
            changes.Set(topic, Move(image, topic, partition, [.. wanted.Replicas]));
        }

        return changes.ToRecords();
    }

    /// <summary>Goes back to the replicas that a partition had.</summary>
    /// <exception cref="ProtocolException">Too few of them are in sync.</exception>
    public static PartitionImage Cancel(MetadataImage image, TopicImage topic, PartitionImage partition)
    {
        var origin = PartitionRules.Origin(partition);
        var cancelled = partition with
        {
            Replicas = origin,
            AddingReplicas = [],
            RemovingReplicas = [],
            Isr = partition.Isr.RemoveAll(id => !origin.Contains(id)),
            Elr = partition.Elr.RemoveAll(id => !origin.Contains(id)),
        };
        var minIsr = BrokerDecisions.MinIsr(topic, cancelled);
        RequireKept(partition, cancelled, minIsr);
        return PartitionRules.Elect(cancelled, minIsr, image.FindBroker);
    }

    /// <summary>Starts a move, and ends it at once where its target is in sync.</summary>
    /// <exception cref="ProtocolException">Too many of those in sync are replicas that it drops at once.</exception>
    public static PartitionImage Move(
        MetadataImage image, TopicImage topic, PartitionImage partition, ImmutableArray<int> target)
    {
        var moved = PartitionRules.Reassign(partition, target);
        var minIsr = BrokerDecisions.MinIsr(topic, moved);
        RequireKept(partition, moved, minIsr);
        return PartitionRules.Elect(
            PartitionRules.CompleteReassignment(moved, minIsr, image.FindBroker), minIsr, image.FindBroker);
    }

    /// <summary>Lets the preferred replicas lead, or one that is named although it may lack records.</summary>
    /// <exception cref="ProtocolException">It cannot be.</exception>
    public static List<IMetadataRecord> Elect(MetadataImage image, ElectLeadersRequest request)
    {
        if (request.Kind == ElectionKind.Preferred)
        {
            return Balance(image, topic => request.Topic.Length == 0 || topic.Name == request.Topic, request.Partition);
        }

        if (request.Kind != ElectionKind.Unclean)
        {
            throw new ProtocolException(ErrorCode.InvalidRequest, $"election {(byte)request.Kind} is not known");
        }

        var topic = image.Find(request.Topic)
            ?? throw new ProtocolException(ErrorCode.UnknownTopic, $"topic '{request.Topic}' does not exist");
        if (request.Partition < 0 || request.Partition >= topic.Partitions.Length)
        {
            throw new ProtocolException(
                ErrorCode.UnknownPartition, $"topic '{topic.Name}' has no partition {request.Partition}");
        }

        var partition = topic.Partitions[request.Partition];
        if (partition.Leader >= 0 || !partition.Replicas.Contains(request.NodeId)
            || image.FindBroker(request.NodeId) is not { Fenced: false })
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest,
                partition.Leader >= 0
                    ? $"partition {partition.Index} has a leader: nothing needs to be given up"
                    : $"broker {request.NodeId} is no live replica of partition {partition.Index}");
        }

        var changes = new PartitionChanges(image);
        changes.Set(topic, PartitionRules.LedBy(partition with { Isr = [request.NodeId], Elr = [] }, request.NodeId));
        return changes.ToRecords();
    }

    /// <summary>Gives leaderships back to the preferred replicas that are in sync; a bounded number at once.</summary>
    public static List<IMetadataRecord> Balance(MetadataImage image, Func<TopicImage, bool> isMeant, int partitionIndex = -1)
    {
        var changes = new PartitionChanges(image);
        var moved = 0;
        changes.ForEach((topic, partition) =>
        {
            var preferred = partition.Replicas[0];
            if (!isMeant(topic) || (partitionIndex >= 0 && partition.Index != partitionIndex) || partition.Leader == preferred
                || !partition.Isr.Contains(preferred) || image.FindBroker(preferred) is not { IsUsable: true }
                || moved == MaxBalancedAtOnce)
            {
                return partition;
            }

            moved++;
            return PartitionRules.LedBy(partition, preferred);
        });
        return changes.ToRecords();
    }

    /// <summary>
    /// Replicas that a move before this one added may hold what the others lack. What is acknowledged is on min.insync.replicas
    /// of them, and stays on so many: else the loss of one broker could take it away.
    /// </summary>
    private static void RequireKept(PartitionImage before, PartitionImage after, int minIsr)
    {
        var had = before.Isr.Length + before.Elr.Length;
        var keeps = after.Isr.Length + after.Elr.Length;
        if (keeps < Math.Min(had, minIsr) || (after.Isr.IsEmpty && !before.Isr.IsEmpty))
        {
            throw new ProtocolException(
                ErrorCode.InvalidReassignment,
                $"partition {before.Index} has only {keeps} old replica(s) in sync and needs {minIsr}: bring an old one back first");
        }
    }

    private static void ChangeReplicationFactor(
        MetadataImage image, TopicImage topic, int replicationFactor, PartitionChanges changes)
    {
        var placement = new ReplicaPlacement(image);
        if (replicationFactor is < 1 or > ProtocolLimits.ReplicasPerPartition)
        {
            throw new ProtocolException(
                ErrorCode.InvalidReassignment, $"{replicationFactor} replicas cannot be: 1 to {ProtocolLimits.ReplicasPerPartition}");
        }

        var minIsr = topic.Settings.LeastReplicas;
        if (minIsr > replicationFactor)
        {
            throw new ProtocolException(
                ErrorCode.InvalidReassignment,
                $"min.insync.replicas={minIsr} is over {replicationFactor} replicas: lower it first");
        }

        foreach (var partition in topic.Partitions)
        {
            var target = PartitionRules.Target(partition);
            while (target.Length < replicationFactor)
            {
                var next = placement.Next(target);
                placement.Note(next);
                target = target.Add(next);
            }

            while (target.Length > replicationFactor)
            {
                var last = target.Reverse().FirstOrDefault(id => !partition.Isr.Contains(id), target[^1]);
                target = target.Remove(last);
            }

            changes.Set(topic, Move(image, topic, partition, target));
        }
    }

    private static void Require(MetadataImage image, TopicImage topic, PartitionImage partition, int[] replicas)
    {
        var fault = replicas switch
        {
            [] => "it needs at least one replica",
            _ when replicas.Length > ProtocolLimits.ReplicasPerPartition => $"it has at most {ProtocolLimits.ReplicasPerPartition} replicas",
            _ when replicas.Distinct().Count() != replicas.Length => "a broker is named twice",
            _ when topic.Settings.LeastReplicas > replicas.Length =>
                $"min.insync.replicas={topic.Settings.LeastReplicas} is over {replicas.Length} replicas",
            _ => string.Empty,
        };
        foreach (var id in replicas.Where(id => fault.Length == 0 && !partition.Replicas.Contains(id)))
        {
            fault = image.FindBroker(id) switch
            {
                null => $"there is no broker {id}",
                { IsOpen: false } => $"broker {id} is down, cordoned or being decommissioned",
                _ => string.Empty,
            };
        }

        if (fault.Length > 0)
        {
            throw new ProtocolException(
                ErrorCode.InvalidReassignment, $"partition {partition.Index} of '{topic.Name}' cannot be moved: {fault}");
        }
    }
}
