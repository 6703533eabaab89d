using System.Collections.Immutable;
using Weir.Metadata.Records;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>A partition as the metadata knows it.</summary>
/// <param name="Index">Its index, from 0.</param>
/// <param name="Leader">Node id of its leader.</param>
/// <param name="LeaderEpoch">Epoch of this leadership.</param>
/// <param name="Replicas">Node ids of its replicas.</param>
/// <param name="Isr">Those of them that are in sync.</param>
public sealed record PartitionImage(
    int Index, int Leader, int LeaderEpoch, ImmutableArray<int> Replicas, ImmutableArray<int> Isr);

/// <summary>A topic as the metadata knows it.</summary>
/// <param name="TopicId">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Kind">What it is for.</param>
/// <param name="CreatedAtMs">When it was created, Unix milliseconds.</param>
/// <param name="PartitionerSeed">Seed of its partitioner.</param>
/// <param name="Settings">Its settings.</param>
/// <param name="Partitions">Its partitions by index.</param>
public sealed record TopicImage(
    Guid TopicId, string Name, TopicKind Kind, long CreatedAtMs, long PartitionerSeed, TopicSettings Settings,
    ImmutableArray<PartitionImage> Partitions);

/// <summary>
/// Everything the metadata log says, up to one of its records: immutable, so that any thread may look while the next one is
/// made. <see cref="Apply(IMetadataRecord)"/> is the state machine: the same records in the same order give the same image everywhere.
/// </summary>
public sealed record MetadataImage
{
    private ImmutableDictionary<string, TopicImage> _byName = ImmutableDictionary.Create<string, TopicImage>(StringComparer.Ordinal);
    private ImmutableDictionary<Guid, TopicImage> _byId = ImmutableDictionary<Guid, TopicImage>.Empty;
    private ImmutableHashSet<Guid> _deleted = [];

    /// <summary>Before the first record.</summary>
    public static MetadataImage Empty { get; } = new();

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

    /// <summary>Living topics, in no order.</summary>
    public IEnumerable<TopicImage> Topics => _byName.Values;

    /// <summary>Living topics.</summary>
    public int TopicCount => _byName.Count;

    /// <summary>The topic of a name; null if there is none.</summary>
    public TopicImage? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The topic of an id; null if there is none.</summary>
    public TopicImage? Find(Guid topicId) => _byId.GetValueOrDefault(topicId);

    /// <summary>Whether a topic of this id lived and was deleted: only then may its data go.</summary>
    public bool WasDeleted(Guid topicId) => _deleted.Contains(topicId);

    /// <summary>The image after one more record.</summary>
    /// <exception cref="MetadataException">The record contradicts the image: the log is not what its writer decided.</exception>
    public MetadataImage Apply(IMetadataRecord record) => record switch
    {
        ClusterCreated created => Apply(created),
        TopicCreated created => Apply(created),
        TopicConfigChanged changed => Replace(Require(changed.TopicId), topic => topic with
        {
            Settings = topic.Settings.With(changed.Configs),
        }),
        PartitionsAdded added => Apply(added),
        TopicDeleted deleted => Apply(deleted),
        ProducerIdsReserved reserved => Apply(reserved),
        _ => throw new MetadataException($"no rule applies {record.Kind}"),
    };

    /// <summary>Records that lead from <see cref="Empty"/> to this image, for a snapshot.</summary>
    public IEnumerable<IMetadataRecord> ToRecords()
    {
        yield return new ClusterCreated { ClusterId = ClusterId, CreatedAtMs = CreatedAtMs, FeatureLevel = FeatureLevel };
        yield return new ProducerIdsReserved { NextProducerId = NextProducerId };
        foreach (var topic in Topics.OrderBy(static topic => topic.Name, StringComparer.Ordinal))
        {
            yield return new TopicCreated
            {
                TopicId = topic.TopicId,
                Name = topic.Name,
                TopicKind = topic.Kind,
                CreatedAtMs = topic.CreatedAtMs,
                PartitionerSeed = topic.PartitionerSeed,
                Configs = topic.Settings.ToEntries(),
                Partitions = [.. topic.Partitions.Select(ToInfo)],
            };
        }

        foreach (var topicId in _deleted.Order())
        {
            yield return new TopicDeleted { TopicId = topicId };
        }
    }

    internal static PartitionInfo ToInfo(PartitionImage partition) => new()
    {
        Partition = partition.Index,
        Leader = partition.Leader,
        LeaderEpoch = partition.LeaderEpoch,
        Replicas = [.. partition.Replicas],
        Isr = [.. partition.Isr],
    };

    private static PartitionImage ToImage(PartitionInfo info) =>
        new(info.Partition, info.Leader, info.LeaderEpoch, [.. info.Replicas], [.. info.Isr]);

    private static ImmutableArray<PartitionImage> Append(ImmutableArray<PartitionImage> partitions, PartitionInfo[] added)
    {
        var all = partitions.AddRange(added.Select(ToImage));
        for (var i = 0; i < all.Length; i++)
        {
            Insist(all[i].Index == i, $"partition {all[i].Index} stands at index {i}");
        }

        return all;
    }

    private static void Insist(bool holds, string fault)
    {
        if (!holds)
        {
            throw new MetadataException($"a metadata record contradicts the ones before it: {fault}");
        }
    }

    private MetadataImage Apply(ClusterCreated created)
    {
        Insist(ClusterId.Length == 0, "the cluster is created twice");
        return this with { ClusterId = created.ClusterId, CreatedAtMs = created.CreatedAtMs, FeatureLevel = created.FeatureLevel };
    }

    private MetadataImage Apply(TopicCreated created)
    {
        Insist(!_byName.ContainsKey(created.Name), $"topic {created.Name} is created twice");
        Insist(!_byId.ContainsKey(created.TopicId) && !WasDeleted(created.TopicId), $"topic id {created.TopicId} is used twice");
        var topic = new TopicImage(
            created.TopicId, created.Name, created.TopicKind, created.CreatedAtMs, created.PartitionerSeed,
            TopicSettings.Default.With(created.Configs), Append([], created.Partitions));
        return this with
        {
            _byName = _byName.Add(topic.Name, topic),
            _byId = _byId.Add(topic.TopicId, topic),
            PartitionCount = PartitionCount + topic.Partitions.Length,
        };
    }

    private MetadataImage Apply(PartitionsAdded added)
    {
        var topic = Require(added.TopicId);
        return Replace(topic, before => before with { Partitions = Append(before.Partitions, added.Partitions) }) with
        {
            PartitionCount = PartitionCount + added.Partitions.Length,
        };
    }

    private MetadataImage Apply(TopicDeleted deleted)
    {
        Insist(!WasDeleted(deleted.TopicId), $"topic id {deleted.TopicId} is deleted twice");
        var topic = Find(deleted.TopicId);
        return this with
        {
            // A snapshot lists ids of topics that it does not create.
            _byName = topic is null ? _byName : _byName.Remove(topic.Name),
            _byId = _byId.Remove(deleted.TopicId),
            _deleted = _deleted.Add(deleted.TopicId),
            PartitionCount = PartitionCount - (topic?.Partitions.Length ?? 0),
        };
    }

    private MetadataImage Apply(ProducerIdsReserved reserved)
    {
        Insist(reserved.NextProducerId >= NextProducerId, $"producer ids go back to {reserved.NextProducerId}");
        return this with { NextProducerId = reserved.NextProducerId };
    }

    private TopicImage Require(Guid topicId) =>
        Find(topicId) ?? throw new MetadataException($"a metadata record changes topic {topicId}, which does not exist");

    private MetadataImage Replace(TopicImage topic, Func<TopicImage, TopicImage> change)
    {
        var changed = change(topic);
        return this with
        {
            _byName = _byName.SetItem(topic.Name, changed),
            _byId = _byId.SetItem(topic.TopicId, changed),
        };
    }
}
