using System.Collections.Immutable;
using System.Globalization;
using Weir.Metadata.Records;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Metadata;

/// <summary>A topic's settings, typed: what was set over the defaults of <see cref="TopicConfigCatalog"/>. Immutable.</summary>
public sealed class TopicSettings
{
    private readonly ImmutableSortedDictionary<string, string> _set;
    private readonly int? _minInsyncReplicas;

    private TopicSettings(ImmutableSortedDictionary<string, string> set)
    {
        _set = set;
        Durability = Enum.Parse<Durability>(Get(TopicConfigCatalog.Durability), ignoreCase: true);
        SegmentBytes = (int)GetNumber(TopicConfigCatalog.SegmentBytes);
        SegmentAge = TimeSpan.FromMilliseconds(GetNumber(TopicConfigCatalog.SegmentMs));
        MaxBatchBytes = (int)GetNumber(TopicConfigCatalog.MaxBatchBytes);
        RetentionAge = GetNumber(TopicConfigCatalog.RetentionMs) is >= 0 and var age ? TimeSpan.FromMilliseconds(age) : null;
        RetentionBytes = GetNumber(TopicConfigCatalog.RetentionBytes) is >= 0 and var bytes ? bytes : null;
        _minInsyncReplicas = Get(TopicConfigCatalog.MinInsyncReplicas) == TopicConfigCatalog.Majority
            ? null
            : (int)GetNumber(TopicConfigCatalog.MinInsyncReplicas);
        ProducerExpiry = TimeSpan.FromMilliseconds(GetNumber(TopicConfigCatalog.ProducerExpiryMs));
        KeyPartitions = Get(TopicConfigCatalog.KeyPartitions) == TopicConfigCatalog.AllPartitions
            ? null
            : (int)GetNumber(TopicConfigCatalog.KeyPartitions);
        Writer = Get(TopicConfigCatalog.Writer) is { Length: > 0 } writer ? writer : null;
        TombstoneRetention = TimeSpan.FromMilliseconds(GetNumber(TopicConfigCatalog.TombstoneRetentionMs));
        CompactionDirtyPercent = (int)GetNumber(TopicConfigCatalog.CompactionDirtyPercent);
        MaxCompactionLag = GetNumber(TopicConfigCatalog.CompactionMaxLagMs) is >= 0 and var lag
            ? TimeSpan.FromMilliseconds(lag)
            : null;
        ReassignmentBytesPerSecond = GetNumber(TopicConfigCatalog.ReassignmentBytesPerSecond) is > 0 and var rate ? rate : null;
    }

    /// <summary>The defaults.</summary>
    public static TopicSettings Default { get; } =
        new(ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal));

    /// <summary>What an acknowledgement with acks=all stands for.</summary>
    public Durability Durability { get; }

    /// <summary>Size at which a segment is closed.</summary>
    public int SegmentBytes { get; }

    /// <summary>Age at which a segment is closed.</summary>
    public TimeSpan SegmentAge { get; }

    /// <summary>Largest batch.</summary>
    public int MaxBatchBytes { get; }

    /// <summary>How long records are kept; null for ever.</summary>
    public TimeSpan? RetentionAge { get; }

    /// <summary>How many bytes are kept; null for no bound.</summary>
    public long? RetentionBytes { get; }

    /// <summary>How many bytes per second of a partition are copied to where it moves; null for no bound.</summary>
    public long? ReassignmentBytesPerSecond { get; }

    /// <summary>Over how many partitions keys are spread; null for all.</summary>
    public int? KeyPartitions { get; }

    /// <summary>Whether somebody, an operator or the growth of the topic, has said over how many partitions keys are spread.</summary>
    public bool HasKeyPartitions => _set.ContainsKey(TopicConfigCatalog.KeyPartitions);

    /// <summary>The one producer that may publish; null for anybody.</summary>
    public string? Writer { get; }

    /// <summary>How long the tombstones of an entity topic are kept.</summary>
    public TimeSpan TombstoneRetention { get; }

    /// <summary>How much of a partition of an entity topic must be new before it is compacted, in percent.</summary>
    public int CompactionDirtyPercent { get; }

    /// <summary>How long a partition of an entity topic may stay as it is; null for no bound.</summary>
    public TimeSpan? MaxCompactionLag { get; }

    /// <summary>How long a silent producer id is remembered.</summary>
    public TimeSpan ProducerExpiry { get; }

    /// <summary>
    /// Replicas that have a record before it is acknowledged and readable: as set, or a majority; one where the topic's
    /// durability promises no more than the leader's copy.
    /// </summary>
    public int MinInsyncReplicasFor(int replicas) => Durability is Durability.Leader or Durability.Memory
        ? 1
        : _minInsyncReplicas ?? replicas / 2 + 1;

    /// <summary>Replicas that each partition must have: min.insync.replicas as set, also where the durability does not use it.</summary>
    public int LeastReplicas => _minInsyncReplicas ?? 1;

    /// <summary>These settings with some changed; a null value goes back to the default. Checks everything there is to check.</summary>
    /// <param name="changes">Keys with new values.</param>
    /// <param name="replicas">Replicas of each partition, which bounds min.insync.replicas.</param>
    /// <param name="faults">Takes every fault there is. With a fault, the result stands only for what had none.</param>
    public TopicSettings With(IEnumerable<ConfigSetting> changes, int replicas, ICollection<string> faults)
    {
        var set = _set;
        foreach (var (key, value) in TopicConfigCatalog.Check(changes, faults))
        {
            set = value is null ? set.Remove(key) : set.SetItem(key, value);
        }

        var settings = set == _set ? this : new TopicSettings(set);
        if (settings._minInsyncReplicas > replicas)
        {
            faults.Add(
                $"{TopicConfigCatalog.MinInsyncReplicas}={settings._minInsyncReplicas} is over the replication factor {replicas}");
        }

        return settings;
    }

    /// <summary>What leads from other settings of the same topic to these; empty if they are equal.</summary>
    public ConfigSetting[] ChangesFrom(TopicSettings before) =>
    [
        .. TopicConfigCatalog.Keys
            .Where(key => before._set.GetValueOrDefault(key.Key) != _set.GetValueOrDefault(key.Key))
            .Select(key => new ConfigSetting { Name = key.Key, Value = _set.GetValueOrDefault(key.Key) }),
    ];

    /// <summary>Every setting with its present value.</summary>
    public ConfigEntry[] Describe() =>
    [
        .. TopicConfigCatalog.Keys.Select(key => new ConfigEntry
        {
            Name = key.Key,
            Value = Get(key.Key),
            IsDefault = !_set.ContainsKey(key.Key),
        }),
    ];

    /// <summary>These settings as the partitions' logs take them.</summary>
    public LogOptions ToLogOptions(TopicKind kind = TopicKind.Event) => new()
    {
        IsCompacted = kind == TopicKind.Entity,
        TombstoneRetention = TombstoneRetention,
        MinDirtyRatio = CompactionDirtyPercent / 100.0,
        MaxCompactionLag = MaxCompactionLag,
        Durability = Durability,
        SegmentBytes = SegmentBytes,
        SegmentAge = SegmentAge,
        MaxBatchBytes = MaxBatchBytes,
        RetentionAge = RetentionAge,
        RetentionBytes = RetentionBytes,
        ProducerExpiry = ProducerExpiry,
    };

    private string Get(string key) => _set.GetValueOrDefault(key) ?? TopicConfigCatalog.Find(key)!.Default;

    private long GetNumber(string key) => long.Parse(Get(key), CultureInfo.InvariantCulture);
}
