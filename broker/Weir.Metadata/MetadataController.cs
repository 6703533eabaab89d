using Weir.Metadata.Control;
using Weir.Metadata.Records;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Metadata;

/// <summary>
/// Decides what a request changes: the records to append, or a typed refusal. Pure: the image, the time and everything random
/// are passed in, so that a request decided twice on the same image gives the same records.
/// </summary>
/// <param name="maxPartitions">Most partitions of the cluster.</param>
public sealed class MetadataController(int maxPartitions = MetadataController.DefaultMaxPartitions)
{
    /// <summary>Most partitions of a cluster where nothing else is said.</summary>
    public const int DefaultMaxPartitions = 20_000;

    /// <summary>Most producer ids that may be reserved at once.</summary>
    public const int MaxProducerIdBlock = 1_000_000;

    private const int DefaultReplicationFactor = 3;

    /// <summary>Decides a creation. Names are case-sensitive, and '.' and '_' are different characters.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public TopicCreated CreateTopic(MetadataImage image, CreateTopicRequest request, Guid topicId, long seed, long nowMs)
    {
        RequireName(request.Name);
        if (image.Find(request.Name) is not null)
        {
            throw new ProtocolException(ErrorCode.TopicExists, $"topic '{request.Name}' exists");
        }

        if (request.Kind != TopicKind.Event)
        {
            throw new ProtocolException(ErrorCode.InvalidRequest, $"topic kind {(byte)request.Kind} is not known here");
        }

        var placement = new ReplicaPlacement(image);
        var replicas = request.ReplicationFactor == -1
            ? Math.Min(DefaultReplicationFactor, Math.Max(placement.OpenBrokers, image.Voters.Count))
            : request.ReplicationFactor;
        RequireBrokers(image, placement, replicas);
        RequirePartitions(image, request.Partitions, request.Partitions);
        return new TopicCreated
        {
            TopicId = topicId,
            Name = request.Name,
            TopicKind = request.Kind,
            CreatedAtMs = nowMs,
            PartitionerSeed = seed,
            Configs = RequireChanges(TopicSettings.Default, request.Configs, replicas),
            Partitions = NewPartitions(image, placement, 0, request.Partitions, replicas),
        };
    }

    /// <summary>Decides an alteration: all of it or nothing, and no record where nothing changes.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public IReadOnlyList<IMetadataRecord> AlterTopic(MetadataImage image, AlterTopicRequest request)
    {
        var topic = RequireTopic(image, request.Name);
        var records = new List<IMetadataRecord>();
        var changes = RequireChanges(topic.Settings, request.Configs, FewestReplicas(topic));
        if (changes.Length > 0)
        {
            var changed = new TopicConfigChanged { TopicId = topic.TopicId, Configs = changes };
            records.AddRange(WithoutUnneededElr(image.Apply(changed), topic.TopicId));
            records.Add(changed);
        }

        var present = topic.Partitions.Length;
        if (request.Partitions != 0 && request.Partitions != present)
        {
            if (request.Partitions < present)
            {
                throw new ProtocolException(
                    ErrorCode.InvalidRequest, $"topic '{topic.Name}' has {present} partitions; they can only become more");
            }

            RequirePartitions(image, request.Partitions, request.Partitions - present);
            records.Add(new PartitionsAdded
            {
                TopicId = topic.TopicId,
                Partitions = NewPartitions(image, new ReplicaPlacement(image), present, request.Partitions, topic.ReplicationFactor),
            });
        }

        return records;
    }

    /// <summary>
    /// Where fewer replicas in sync suffice from now on, records are acknowledged again without those that left: they are not
    /// eligible any more, from before the change on.
    /// </summary>
    private static List<IMetadataRecord> WithoutUnneededElr(MetadataImage changed, Guid topicId)
    {
        var topic = changed.Find(topicId)!;
        var partitions = new PartitionChanges(changed);
        foreach (var partition in topic.Partitions)
        {
            partitions.Set(topic, PartitionRules.WithMinIsr(partition, BrokerDecisions.MinIsr(topic, partition)));
        }

        return partitions.ToRecords();
    }

    /// <summary>Decides a deletion.</summary>
    /// <exception cref="ProtocolException">There is no such topic.</exception>
    public static TopicDeleted DeleteTopic(MetadataImage image, DeleteTopicRequest request) =>
        new() { TopicId = RequireTopic(image, request.Name).TopicId };

    /// <summary>Reserves the next producer ids: those from the image's to the record's next one.</summary>
    /// <exception cref="ProtocolException">So many cannot be reserved.</exception>
    public static ProducerIdsReserved ReserveProducerIds(MetadataImage image, int count)
    {
        if (count is < 1 or > MaxProducerIdBlock)
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest, $"1 to {MaxProducerIdBlock} producer ids can be reserved, not {count}");
        }

        return image.NextProducerId <= long.MaxValue - count
            ? new ProducerIdsReserved { NextProducerId = image.NextProducerId + count }
            : throw new ProtocolException(ErrorCode.LimitReached, "there are no producer ids left");
    }

    /// <summary>A broker joins or comes back.</summary>
    /// <exception cref="ProtocolException">It is of another cluster, or its node id is in use.</exception>
    public static IReadOnlyList<IMetadataRecord> RegisterBroker(
        MetadataImage image, RegisterBrokerRequest request, bool isAlive) =>
        BrokerDecisions.Register(image, request, isAlive);

    /// <summary>A broker is silent, or stops.</summary>
    public static IReadOnlyList<IMetadataRecord> FenceBroker(MetadataImage image, int nodeId) =>
        BrokerDecisions.Fence(image, nodeId);

    /// <summary>A broker has caught up with the metadata.</summary>
    public static IReadOnlyList<IMetadataRecord> UnfenceBroker(MetadataImage image, int nodeId) =>
        BrokerDecisions.Unfence(image, nodeId);

    /// <summary>Leaders want other in-sync replicas.</summary>
    /// <exception cref="ProtocolException">The broker that asks is not registered with the epoch it names.</exception>
    public static IsrDecision AlterPartitions(MetadataImage image, AlterPartitionsRequest request) =>
        IsrDecisions.Decide(image, request);

    /// <summary>Replicas are damaged.</summary>
    /// <exception cref="ProtocolException">The broker that says so is not registered with the epoch it names.</exception>
    public static IReadOnlyList<IMetadataRecord> ReportDamage(MetadataImage image, ReportDamageRequest request) =>
        BrokerDecisions.ReportDamage(image, request);

    /// <summary>Changes what a broker is used for.</summary>
    /// <exception cref="ProtocolException">It is refused; its code says why.</exception>
    public static IReadOnlyList<IMetadataRecord> ChangeBroker(MetadataImage image, ChangeBrokerRequest request)
    {
        var broker = BrokerDecisions.Require(image, request.NodeId);
        return request.Action switch
        {
            BrokerAction.Drain => BrokerDecisions.Drain(image, request.NodeId),
            BrokerAction.Undrain => [(broker with { Draining = false }).ToState()],
            BrokerAction.Cordon => [(broker with { Cordoned = true }).ToState()],
            BrokerAction.Uncordon => [(broker with { Cordoned = false }).ToState()],
            BrokerAction.Decommission => BrokerDecisions.Decommission(image, request.NodeId),
            BrokerAction.AbortDecommission => BrokerDecisions.AbortDecommission(image, request.NodeId),
            BrokerAction.Remove => BrokerDecisions.Remove(image, request.NodeId),
            _ => throw new ProtocolException(ErrorCode.InvalidRequest, $"broker action {(byte)request.Action} is not known"),
        };
    }

    /// <summary>Moves replicas.</summary>
    /// <exception cref="ProtocolException">It cannot be; the text says why.</exception>
    public static IReadOnlyList<IMetadataRecord> Reassign(MetadataImage image, ReassignPartitionsRequest request) =>
        ReassignmentDecisions.Reassign(image, request);

    /// <summary>Chooses leaders anew.</summary>
    /// <exception cref="ProtocolException">It cannot be; the text says why.</exception>
    public static IReadOnlyList<IMetadataRecord> ElectLeaders(MetadataImage image, ElectLeadersRequest request) =>
        ReassignmentDecisions.Elect(image, request);

    /// <summary>Gives leaderships back to the preferred replicas.</summary>
    public static IReadOnlyList<IMetadataRecord> BalanceLeaders(MetadataImage image) =>
        ReassignmentDecisions.Balance(image, static _ => true);

    /// <summary>Whether a broker may be stopped, or is back.</summary>
    /// <exception cref="ProtocolException">There is no such broker.</exception>
    public static CheckBrokerResponse CheckBroker(
        MetadataImage image, CheckBrokerRequest request, IReadOnlyList<VoterInfo> voters) =>
        BrokerChecks.Check(image, request, voters);

    /// <summary>Of all partitions, as they are and as moves leave them: min.insync.replicas must be possible everywhere.</summary>
    private static int FewestReplicas(TopicImage topic) => topic.Partitions.Min(static partition =>
        Math.Min(PartitionRules.Origin(partition).Length, PartitionRules.Target(partition).Length));

    private static TopicImage RequireTopic(MetadataImage image, string name)
    {
        RequireName(name);
        return image.Find(name)
            ?? throw new ProtocolException(ErrorCode.UnknownTopic, $"topic '{name}' does not exist");
    }

    private static void RequireName(string name)
    {
        if (!TopicName.IsValid(name))
        {
            throw new ProtocolException(
                ErrorCode.InvalidTopicName, $"'{name}' is no topic name: use 1 to 249 of a-z A-Z 0-9 . _ -");
        }
    }

    private static ConfigSetting[] RequireChanges(TopicSettings before, ConfigEntry[] entries, int replicas)
    {
        var faults = new List<string>();
        var after = before.With(
            entries.Select(static entry => new ConfigSetting { Name = entry.Name, Value = entry.Value }), replicas, faults);
        return faults.Count == 0
            ? after.ChangesFrom(before)
            : throw new ProtocolException(ErrorCode.InvalidConfig, string.Join("; ", faults));
    }

    private static void RequireBrokers(MetadataImage image, ReplicaPlacement placement, int replicas)
    {
        if (replicas < 1 || replicas > Math.Max(placement.OpenBrokers, image.Voters.Count))
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest,
                $"replication factor must be from 1 to the number of brokers that may get replicas, {placement.OpenBrokers}, not "
                    + $"{replicas}");
        }

        if (replicas > placement.OpenBrokers || image.Brokers.All(static broker => broker.Fenced))
        {
            throw new ProtocolException(
                ErrorCode.NotEnoughReplicas, $"{replicas} brokers are needed, and not all of the cluster's have joined yet");
        }
    }

    private void RequirePartitions(MetadataImage image, int wanted, int added)
    {
        if (wanted is < 1 or > ProtocolLimits.PartitionsPerTopic)
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest, $"partitions must be from 1 to {ProtocolLimits.PartitionsPerTopic}, not {wanted}");
        }

        if (image.PartitionCount + added > maxPartitions)
        {
            throw new ProtocolException(
                ErrorCode.LimitReached,
                $"the cluster has {image.PartitionCount} of at most {maxPartitions} partitions: {added} more do not fit");
        }
    }

    private static PartitionAssignment[] NewPartitions(
        MetadataImage image, ReplicaPlacement placement, int from, int to, int replicationFactor) =>
    [
        .. Enumerable.Range(from, to - from).Select(index =>
        {
            var replicas = placement.Place(replicationFactor);
            int[] alive = [.. replicas.Where(id => image.FindBroker(id) is { Fenced: false })];
            if (alive.Length == 0)
            {
                throw new ProtocolException(
                    ErrorCode.LeaderNotAvailable, $"none of brokers {string.Join(", ", replicas)} is up to lead the new partition");
            }

            return new PartitionAssignment { Index = index, Leader = alive[0], Replicas = replicas, Isr = alive };
        }),
    ];
}
