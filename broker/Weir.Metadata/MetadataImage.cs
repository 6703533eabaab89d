using System.Collections.Immutable;
using Weir.Metadata.Quorum;
using Weir.Metadata.Records;
using Weir.Protocol;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>
/// Everything the metadata log says, up to one of its records: immutable, so that any thread may look while the next one is
/// made. <see cref="Apply(IMetadataRecord)"/> is the state machine: the same records in the same order give the same image
/// everywhere.
/// </summary>
public sealed record MetadataImage
{
    /// <summary>
    /// How many deleted topics are remembered, the oldest forgotten first. A directory that outlives the memory of its topic
    /// is left alone.
    /// </summary>
    public const int MaxDeletedTopics = 10_000;

    private ImmutableDictionary<string, TopicImage> _byName = ImmutableDictionary.Create<string, TopicImage>(StringComparer.Ordinal);
    private ImmutableDictionary<Guid, TopicImage> _byId = ImmutableDictionary<Guid, TopicImage>.Empty;
    private ImmutableSortedDictionary<int, BrokerImage> _brokers = ImmutableSortedDictionary<int, BrokerImage>.Empty;
    private GroupTable _groups = GroupTable.Empty;
    private ImmutableHashSet<Guid> _deleted = [];
    private ImmutableQueue<Guid> _deletedInOrder = [];

    /// <summary>Before the first record.</summary>
    public static MetadataImage Empty { get; } = new();

    /// <summary>Offset of the first record that is not in this image: the number of records that made it.</summary>
    public long NextOffset { get; private init; }

    /// <summary>The cluster's id; empty before the first record.</summary>
    public string ClusterId { get; private init; } = string.Empty;

    /// <summary>When the cluster was created, Unix milliseconds.</summary>
    public long CreatedAtMs { get; private init; }

    /// <summary>Which features the records use.</summary>
    public short FeatureLevel { get; private init; }

    /// <summary>First producer id that is not reserved.</summary>
    public long NextProducerId { get; private init; }

    /// <summary>Partitions of all topics.</summary>
    public int PartitionCount { get; private init; }

    /// <summary>Leader epoch of the metadata quorum that the last record of an epoch's start named; 0 before the first.</summary>
    public int QuorumEpoch { get; private init; }

    /// <summary>Who led that epoch; -1 before the first.</summary>
    public int QuorumLeader { get; private init; } = -1;

    /// <summary>Who votes in the metadata quorum.</summary>
    public VoterSet Voters { get; private init; } = VoterSet.Empty;

    /// <summary>Registered brokers, by node id.</summary>
    public IEnumerable<BrokerImage> Brokers => _brokers.Values;

    /// <summary>The broker of a node id; null if none is registered.</summary>
    public BrokerImage? FindBroker(int nodeId) => _brokers.GetValueOrDefault(nodeId);

    /// <summary>Living topics, in no order.</summary>
    public IEnumerable<TopicImage> Topics => _byName.Values;

    /// <summary>Living topics.</summary>
    public int TopicCount => _byName.Count;

    /// <summary>The topic of a name; null if there is none.</summary>
    public TopicImage? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The topic of an id; null if there is none.</summary>
    public TopicImage? Find(Guid topicId) => _byId.GetValueOrDefault(topicId);

    /// <summary>The cluster's settings.</summary>
    public ClusterSettings Settings { get; private init; } = ClusterSettings.Default;

    /// <summary>Declared groups, in no order.</summary>
    public IEnumerable<GroupImage> Groups => _groups.All;

    /// <summary>How many groups are declared.</summary>
    public int GroupCount => _groups.Count;

    /// <summary>The group of an id; null if there is none.</summary>
    public GroupImage? FindGroup(Guid groupId) => _groups.Find(groupId);

    /// <summary>The group of a name; null if there is none.</summary>
    public GroupImage? FindGroup(string name) => _groups.Find(name);

    /// <summary>Node id of the broker that coordinates a group: the leader of its partition of the state topic; -1 if there is none.</summary>
    public int CoordinatorOf(GroupImage group) =>
        Find(GroupImage.StateTopic) is { } state ? state.Partitions[group.StatePartition(state.Partitions.Length)].Leader : -1;

    /// <summary>Whether a topic of this id lived and was deleted: only then may its data go.</summary>
    public bool WasDeleted(Guid topicId) => _deleted.Contains(topicId);

    /// <summary>The image after one more record.</summary>
    /// <exception cref="MetadataException">The record contradicts the image: the log is not what its writer decided.</exception>
    public MetadataImage Apply(IMetadataRecord record)
    {
        Insist(ClusterId.Length > 0 || record is ClusterCreated, $"{record.Kind} comes before the cluster");
        var changed = record switch
        {
            ClusterCreated created => Apply(created),
            TopicCreated created => Apply(created),
            TopicConfigChanged changedConfig => Apply(changedConfig),
            PartitionsAdded added => Apply(added),
            TopicDeleted deleted => Apply(deleted),
            ProducerIdsReserved reserved => Apply(reserved),
            BrokerRegistered registered => Apply(registered),
            BrokerStateChanged state => Apply(state),
            BrokerRemoved removed => Apply(removed),
            PartitionsChanged partitions => Apply(partitions),
            VotersChanged voters => this with { Voters = QuorumRecords.ToVoterSet(voters) },
            EpochStarted epoch => Apply(epoch),
            GroupCreated created => this with { _groups = _groups.Apply(created) },
            GroupChanged changedGroup => this with { _groups = _groups.Apply(changedGroup) },
            GroupDeleted deleted => this with { _groups = _groups.Apply(deleted) },
            ClusterConfigChanged changedConfig => Apply(changedConfig),
            _ => throw new MetadataException($"no rule applies {record.Kind}"),
        };
        return changed with { NextOffset = NextOffset + 1 };
    }

    /// <summary>Records that <see cref="FromSnapshot"/> makes this image of. Equal images give equal records.</summary>
    public IEnumerable<IMetadataRecord> ToSnapshot()
    {
        yield return new ClusterCreated { ClusterId = ClusterId, CreatedAtMs = CreatedAtMs, FeatureLevel = FeatureLevel };
        if (NextProducerId > 0)
        {
            yield return new ProducerIdsReserved { NextProducerId = NextProducerId };
        }

        if (Voters.Count > 0)
        {
            yield return QuorumRecords.From(Voters);
        }

        if (QuorumEpoch > 0)
        {
            yield return new EpochStarted { LeaderId = QuorumLeader, LeaderEpoch = QuorumEpoch };
        }

        if (Settings.ToChanges() is { Length: > 0 } settings)
        {
            yield return new ClusterConfigChanged { Configs = settings };
        }

        foreach (var broker in Brokers)
        {
            yield return broker.ToRegistration();
            yield return broker.ToState();
        }

        foreach (var topic in Topics.OrderBy(static topic => topic.Name, StringComparer.Ordinal))
        {
            yield return topic.ToRecord();
        }

        foreach (var group in _groups.ToSnapshot())
        {
            yield return group;
        }

        foreach (var topicId in _deletedInOrder)
        {
            yield return new TopicDeleted { TopicId = topicId };
        }
    }

    /// <summary>The image that a snapshot was taken of.</summary>
    /// <param name="records">What <see cref="ToSnapshot"/> gave.</param>
    /// <param name="nextOffset">The image's <see cref="NextOffset"/>.</param>
    /// <exception cref="MetadataException">The records contradict each other.</exception>
    public static MetadataImage FromSnapshot(IEnumerable<IMetadataRecord> records, long nextOffset)
    {
        var image = Empty;
        foreach (var record in records)
        {
            // A snapshot names the deleted topics and no longer creates them.
            image = record is TopicDeleted deleted ? image.RememberDeleted(deleted.TopicId) : image.Apply(record);
        }

        return image with { NextOffset = nextOffset };
    }

    internal static void Insist(bool holds, string fault)
    {
        if (!holds)
        {
            throw new MetadataException($"a metadata record contradicts the ones before it: {fault}");
        }
    }

    private static TopicSettings Change(TopicSettings settings, ConfigSetting[] changes, int replicas)
    {
        var faults = new List<string>();
        var changed = settings.With(changes, replicas, faults);
        Insist(faults.Count == 0, string.Join("; ", faults));
        return changed;
    }

    private static ImmutableArray<PartitionImage> Append(
        ImmutableArray<PartitionImage> partitions, PartitionAssignment[] added)
    {
        Insist(added.Length > 0, "it adds no partition");
        for (var i = 0; i < added.Length; i++)
        {
            var index = partitions.Length + i;
            Insist(added[i].Index == index, $"partition {added[i].Index} stands at index {index}");
            InsistIsSound(added[i]);
        }

        return partitions.AddRange(added.Select(PartitionImage.From));
    }

    private static void InsistIsSound(PartitionAssignment partition)
    {
        var index = partition.Index;
        Insist(
            partition.Replicas.Length > 0 && IsSubset(partition.Replicas, partition.Replicas),
            $"partition {index} has no replica or one twice");
        Insist(IsSubset(partition.Isr, partition.Replicas), $"partition {index} has something else than replicas in its ISR");
        Insist(IsSubset(partition.Elr, partition.Replicas), $"partition {index} has something else than replicas in its ELR");
        Insist(!partition.Elr.Any(partition.Isr.Contains), $"partition {index} has a replica in ISR and ELR");
        Insist(
            IsSubset(partition.AddingReplicas, partition.Replicas) && IsSubset(partition.RemovingReplicas, partition.Replicas),
            $"partition {index} moves something else than replicas");
        Insist(
            partition.Leader == -1 || partition.Isr.Contains(partition.Leader),
            $"partition {index} is led by {partition.Leader}, which is not in its ISR");
        Insist(
            partition is { LeaderEpoch: >= 0, PartitionEpoch: >= 0 },
            $"partition {index} has leader epoch {partition.LeaderEpoch} and partition epoch {partition.PartitionEpoch}");
    }

    private static bool IsSubset(int[] part, int[] whole)
    {
        for (var i = 0; i < part.Length; i++)
        {
            if (Array.IndexOf(whole, part[i]) < 0 || Array.IndexOf(part, part[i]) != i)
            {
                return false;
            }
        }

        return true;
    }

    private MetadataImage Apply(ClusterCreated created)
    {
        Insist(ClusterId.Length == 0, "the cluster is created twice");
        Insist(created.ClusterId.Length > 0, "the cluster has no id");
        if (created.FeatureLevel > MetadataRecordCodec.FeatureLevel)
        {
            throw new UnsupportedMetadataException($"feature level {created.FeatureLevel}");
        }

        return this with
        {
            ClusterId = created.ClusterId,
            CreatedAtMs = created.CreatedAtMs,
            FeatureLevel = created.FeatureLevel,
        };
    }

    private MetadataImage Apply(TopicCreated created)
    {
        Insist(TopicName.IsValid(created.Name), $"'{created.Name}' is no topic name");
        Insist(!_byName.ContainsKey(created.Name), $"topic '{created.Name}' is created twice");
        Insist(!_byId.ContainsKey(created.TopicId) && !WasDeleted(created.TopicId), $"topic id {created.TopicId} is used twice");
        Insist(created.TopicKind is TopicKind.Event or TopicKind.Entity, $"topic '{created.Name}' has kind {(byte)created.TopicKind}");
        var partitions = Append([], created.Partitions);
        var topic = new TopicImage(
            created.TopicId, created.Name, created.TopicKind, created.CreatedAtMs, created.PartitionerSeed,
            Change(TopicSettings.Default, created.Configs, partitions[0].Replicas.Length), partitions);
        return this with
        {
            _byName = _byName.Add(topic.Name, topic),
            _byId = _byId.Add(topic.TopicId, topic),
            PartitionCount = PartitionCount + topic.Partitions.Length,
        };
    }

    private MetadataImage Apply(TopicConfigChanged changed)
    {
        var topic = Require(changed.TopicId);
        return Replace(topic with { Settings = Change(topic.Settings, changed.Configs, topic.ReplicationFactor) });
    }

    private MetadataImage Apply(PartitionsAdded added)
    {
        var topic = Require(added.TopicId);
        return Replace(topic with { Partitions = Append(topic.Partitions, added.Partitions) }) with
        {
            PartitionCount = PartitionCount + added.Partitions.Length,
        };
    }

    private MetadataImage Apply(TopicDeleted deleted)
    {
        var topic = Require(deleted.TopicId);
        return RememberDeleted(topic.TopicId) with
        {
            _byName = _byName.Remove(topic.Name),
            _byId = _byId.Remove(topic.TopicId),
            PartitionCount = PartitionCount - topic.Partitions.Length,
        };
    }

    private MetadataImage Apply(ProducerIdsReserved reserved)
    {
        Insist(
            reserved.NextProducerId > NextProducerId,
            $"producer ids go back from {NextProducerId} to {reserved.NextProducerId}");
        return this with { NextProducerId = reserved.NextProducerId };
    }

    private MetadataImage Apply(BrokerRegistered registered)
    {
        var before = FindBroker(registered.NodeId);
        Insist(
            registered.BrokerEpoch > (before?.BrokerEpoch ?? -1),
            $"broker {registered.NodeId} goes back from epoch {before?.BrokerEpoch} to {registered.BrokerEpoch}");
        var broker = new BrokerImage(
            registered.NodeId, registered.BrokerEpoch, registered.IncarnationId, registered.DirectoryId, registered.Host,
            registered.Port, registered.Rack, registered.Version, registered.IsVoter, Fenced: true, Draining: false,
            before?.Cordoned ?? false, before?.Decommissioning ?? false);
        return this with { _brokers = _brokers.SetItem(broker.NodeId, broker) };
    }

    private MetadataImage Apply(BrokerStateChanged state)
    {
        var broker = FindBroker(state.NodeId);
        Insist(
            broker?.BrokerEpoch == state.BrokerEpoch, $"broker {state.NodeId} is not registered with epoch {state.BrokerEpoch}");
        var changed = broker! with
        {
            Fenced = state.Fenced,
            Draining = state.Draining,
            Cordoned = state.Cordoned,
            Decommissioning = state.Decommissioning,
        };
        return this with { _brokers = _brokers.SetItem(changed.NodeId, changed) };
    }

    private MetadataImage Apply(BrokerRemoved removed)
    {
        Insist(_brokers.ContainsKey(removed.NodeId), $"broker {removed.NodeId} is not registered");
        return this with { _brokers = _brokers.Remove(removed.NodeId) };
    }

    private MetadataImage Apply(PartitionsChanged changed)
    {
        var topic = Require(changed.TopicId);
        var partitions = topic.Partitions.ToBuilder();
        foreach (var partition in changed.Partitions)
        {
            Insist(
                partition.Index >= 0 && partition.Index < partitions.Count,
                $"topic '{topic.Name}' has no partition {partition.Index}");
            InsistIsSound(partition);
            var before = partitions[partition.Index];
            Insist(
                partition.PartitionEpoch == before.PartitionEpoch + 1,
                $"partition {partition.Index} goes from partition epoch {before.PartitionEpoch} to {partition.PartitionEpoch}");
            Insist(
                partition.LeaderEpoch >= before.LeaderEpoch
                    && (partition.Leader == before.Leader || partition.LeaderEpoch > before.LeaderEpoch),
                $"partition {partition.Index} changes its leader without a new leader epoch");
            partitions[partition.Index] = PartitionImage.From(partition);
        }

        return Replace(topic with { Partitions = partitions.MoveToImmutable() });
    }

    private MetadataImage Apply(EpochStarted epoch)
    {
        Insist(epoch.LeaderEpoch > QuorumEpoch, $"the quorum goes from epoch {QuorumEpoch} to {epoch.LeaderEpoch}");
        return this with { QuorumEpoch = epoch.LeaderEpoch, QuorumLeader = epoch.LeaderId };
    }

    private MetadataImage Apply(ClusterConfigChanged changed)
    {
        var faults = new List<string>();
        var settings = Settings.With(changed.Configs, faults);
        Insist(faults.Count == 0, string.Join("; ", faults));
        return this with { Settings = settings };
    }

    private MetadataImage RememberDeleted(Guid topicId)
    {
        Insist(!WasDeleted(topicId), $"topic id {topicId} is deleted twice");
        var deleted = _deleted.Add(topicId);
        var inOrder = _deletedInOrder.Enqueue(topicId);
        if (deleted.Count > MaxDeletedTopics)
        {
            inOrder = inOrder.Dequeue(out var oldest);
            deleted = deleted.Remove(oldest);
        }

        return this with { _deleted = deleted, _deletedInOrder = inOrder };
    }

    private TopicImage Require(Guid topicId)
    {
        var topic = Find(topicId);
        Insist(topic is not null, $"topic {topicId} does not exist");
        return topic!;
    }

    private MetadataImage Replace(TopicImage topic) => this with
    {
        _byName = _byName.SetItem(topic.Name, topic),
        _byId = _byId.SetItem(topic.TopicId, topic),
    };
}
