using System.Globalization;
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

    // Coordinators read it all when they begin, and trim what a later snapshot covers: by segments.
    private const string StateSegmentBytes = "16777216";

    /// <summary>Decides a creation. Names are case-sensitive, and '.' and '_' are different characters.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public TopicCreated CreateTopic(MetadataImage image, CreateTopicRequest request, Guid topicId, long seed, long nowMs)
    {
        RequireName(request.Name);
        if (TopicName.IsInternal(request.Name))
        {
            throw new ProtocolException(
                ErrorCode.InvalidTopicName, $"'{request.Name}' cannot be created: names that begin with __ are the brokers' own");
        }

        return CreateAnyTopic(image, request, topicId, seed, nowMs);
    }

    /// <summary>Declares a group, and creates the topic that keeps what groups have consumed where it is missing.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public IReadOnlyList<IMetadataRecord> CreateGroup(
        MetadataImage image, CreateGroupRequest request, Guid groupId, Guid stateTopicId, long seed, long nowMs)
    {
        var created = GroupDecisions.Create(image, request, groupId, nowMs);
        return image.Find(GroupImage.StateTopic) is null
            ? [CreateAnyTopic(image, StateTopic(), stateTopicId, seed, nowMs), created]
            : [created];
    }

    /// <summary>Changes a group's declaration.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public static IReadOnlyList<IMetadataRecord> AlterGroup(MetadataImage image, AlterGroupRequest request) =>
        GroupDecisions.Alter(image, request);

    /// <summary>Deletes a group.</summary>
    /// <exception cref="ProtocolException">There is no such group.</exception>
    public static GroupDeleted DeleteGroup(MetadataImage image, DeleteGroupRequest request) =>
        GroupDecisions.Delete(image, request);

    /// <summary>Changes settings of the cluster: all or none, and no record where nothing changes.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public static IReadOnlyList<IMetadataRecord> AlterCluster(MetadataImage image, AlterClusterRequest request)
    {
        var faults = new List<string>();
        var changes = image.Settings.With(ToSettings(request.Configs), faults).ChangesFrom(image.Settings);
        if (faults.Count > 0)
        {
            throw new ProtocolException(ErrorCode.InvalidConfig, string.Join("; ", faults));
        }

        return changes.Length > 0 ? [new ClusterConfigChanged { Configs = changes }] : [];
    }

    private static CreateTopicRequest StateTopic() => new()
    {
        Name = GroupImage.StateTopic,
        Partitions = GroupImage.StatePartitions,
        Configs =
        [
            new ConfigEntry { Name = TopicConfigCatalog.Durability, Value = "fsync" },
            new ConfigEntry { Name = TopicConfigCatalog.SegmentBytes, Value = StateSegmentBytes },
        ],
    };

    private TopicCreated CreateAnyTopic(MetadataImage image, CreateTopicRequest request, Guid topicId, long seed, long nowMs)
    {
        if (image.Find(request.Name) is not null)
        {
            throw new ProtocolException(ErrorCode.TopicExists, $"topic '{request.Name}' exists");
        }

        if (request.Kind is not (TopicKind.Event or TopicKind.Entity))
        {
            throw new ProtocolException(ErrorCode.InvalidRequest, $"topic kind {(byte)request.Kind} is not known here");
        }

        var placement = new ReplicaPlacement(image);
        var replicas = request.ReplicationFactor == -1
            ? Math.Min(DefaultReplicationFactor, Math.Max(placement.OpenBrokers, image.Voters.Count))
            : request.ReplicationFactor;
        RequireBrokers(image, placement, replicas);
        RequirePartitions(image, request.Partitions, request.Partitions);
        var settings = Change(TopicSettings.Default, request.Configs, replicas);
        RequireKeyPartitions(settings, request.Partitions);
        return new TopicCreated
        {
            TopicId = topicId,
            Name = request.Name,
            TopicKind = request.Kind,
            CreatedAtMs = nowMs,
            PartitionerSeed = seed,
            Configs = settings.ChangesFrom(TopicSettings.Default),
            Partitions = NewPartitions(image, placement, 0, request.Partitions, replicas),
        };
    }

    /// <summary>Decides an alteration: all of it or nothing, and no record where nothing changes.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public IReadOnlyList<IMetadataRecord> AlterTopic(MetadataImage image, AlterTopicRequest request)
    {
        var topic = RequireTopic(image, request.Name);
        var records = new List<IMetadataRecord>();
        var present = topic.Partitions.Length;
        var isGrowing = request.Partitions > present;
        if (isGrowing && TopicName.IsInternal(topic.Name))
        {
            throw new ProtocolException(
                ErrorCode.NotAuthorized, $"'{topic.Name}' is the brokers' own: its number of partitions decides where state is kept");
        }

        var settings = Change(topic.Settings, request.Configs, FewestReplicas(topic));
        if (isGrowing && !settings.HasKeyPartitions
            && !request.Configs.Any(static entry => entry.Name == TopicConfigCatalog.KeyPartitions))
        {
            settings = Change(settings, [KeepKeys(present)], FewestReplicas(topic));
        }

        RequireKeyPartitions(settings, Math.Max(present, request.Partitions));
        RequireEntitiesStay(topic, settings, Math.Max(present, request.Partitions));
        if (settings.ChangesFrom(topic.Settings) is { Length: > 0 } changes)
        {
            var changed = new TopicConfigChanged { TopicId = topic.TopicId, Configs = changes };
            records.AddRange(WithoutUnneededElr(image.Apply(changed), topic.TopicId));
            records.Add(changed);
        }

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
    /// <exception cref="ProtocolException">There is no such topic, or it is not the one that is meant.</exception>
    public static TopicDeleted DeleteTopic(MetadataImage image, DeleteTopicRequest request)
    {
        var topic = RequireTopic(image, request.Name);
        if (request.TopicId is { } meant && meant != topic.TopicId)
        {
            throw new ProtocolException(ErrorCode.UnknownTopic, $"topic '{topic.Name}' has the id {topic.TopicId} by now, not {meant}");
        }

        return TopicName.IsInternal(topic.Name)
            ? throw new ProtocolException(ErrorCode.NotAuthorized, $"'{topic.Name}' is the brokers' own and cannot be deleted")
            : new TopicDeleted { TopicId = topic.TopicId };
    }

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

    /// <summary>What keeps every key where it is when partitions are added: new ones get records without a key alone.</summary>
    private static ConfigEntry KeepKeys(int partitions) => new()
    {
        Name = TopicConfigCatalog.KeyPartitions, Value = partitions.ToString(CultureInfo.InvariantCulture),
    };

    private static void RequireKeyPartitions(TopicSettings settings, int partitions)
    {
        if (settings.KeyPartitions > partitions)
        {
            throw new ProtocolException(
                ErrorCode.InvalidConfig,
                $"{TopicConfigCatalog.KeyPartitions}={settings.KeyPartitions} is over the topic's {partitions} partitions");
        }
    }

    /// <summary>A key's last record is its entity's state: in another partition than the earlier ones, nobody would find it.</summary>
    private static void RequireEntitiesStay(TopicImage topic, TopicSettings settings, int partitions)
    {
        if (topic.Kind == TopicKind.Entity && (settings.KeyPartitions ?? partitions) != topic.KeyPartitions)
        {
            throw new ProtocolException(
                ErrorCode.InvalidConfig,
                $"keys of entity topic '{topic.Name}' stay on its first {topic.KeyPartitions} partitions: to spread them, make a new "
                    + "topic and copy the records");
        }
    }

    private static IEnumerable<ConfigSetting> ToSettings(ConfigEntry[] entries) =>
        entries.Select(static entry => new ConfigSetting { Name = entry.Name, Value = entry.Value });

    private static TopicSettings Change(TopicSettings before, ConfigEntry[] entries, int replicas)
    {
        var faults = new List<string>();
        var after = before.With(ToSettings(entries), replicas, faults);
        return faults.Count == 0
            ? after
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
