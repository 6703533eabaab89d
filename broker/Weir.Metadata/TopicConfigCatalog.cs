using System.Collections.Frozen;
using Weir.Metadata.Records;
using Weir.Protocol.Wire;

namespace Weir.Metadata;

/// <summary>
/// All topic settings. Their ranges may grow and never shrink: what a metadata log holds must stay valid.
/// </summary>
public static class TopicConfigCatalog
{
    /// <summary>What an acknowledgement stands for.</summary>
    public const string Durability = "durability";

    /// <summary>How long records are kept.</summary>
    public const string RetentionMs = "retention.ms";

    /// <summary>How many bytes of records are kept.</summary>
    public const string RetentionBytes = "retention.bytes";

    /// <summary>Size at which a segment is closed.</summary>
    public const string SegmentBytes = "segment.bytes";

    /// <summary>Age at which a segment is closed.</summary>
    public const string SegmentMs = "segment.ms";

    /// <summary>Largest batch.</summary>
    public const string MaxBatchBytes = "max.batch.bytes";

    /// <summary>Replicas that must have a record before it is acknowledged.</summary>
    public const string MinInsyncReplicas = "min.insync.replicas";

    /// <summary>How long a silent producer id is remembered.</summary>
    public const string ProducerExpiryMs = "producer.expiry.ms";

    /// <summary>How long tombstones of an entity topic are kept.</summary>
    public const string TombstoneRetentionMs = "tombstone.retention.ms";

    /// <summary>How much of a partition of an entity topic must be new before it is compacted.</summary>
    public const string CompactionDirtyPercent = "compaction.dirty.percent";

    /// <summary>How long a partition of an entity topic may stay as it is.</summary>
    public const string CompactionMaxLagMs = "compaction.max.lag.ms";

    /// <summary>How fast a partition is copied to where it moves.</summary>
    public const string ReassignmentBytesPerSecond = "reassignment.bytes.per.second";

    /// <summary>Over how many partitions keys are spread.</summary>
    public const string KeyPartitions = "key.partitions";

    /// <summary>The one producer of the topic, if it has one.</summary>
    public const string Writer = "writer";

    /// <summary>Value of <see cref="KeyPartitions"/> that follows the number of partitions.</summary>
    internal const string AllPartitions = "all";

    /// <summary>Value of <see cref="MinInsyncReplicas"/> that follows the replication factor.</summary>
    internal const string Majority = "majority";

    private const long OneDayMs = 24L * 60 * 60 * 1000;
    private const long SevenDaysMs = 7L * 24 * 60 * 60 * 1000;
    private const long HundredYearsMs = 36_500L * 24 * 60 * 60 * 1000;

    /// <summary>Every key, by name.</summary>
    public static IReadOnlyList<TopicConfigKey> Keys { get; } =
    [
        TopicConfigKey.Number(
            CompactionDirtyPercent, TopicConfigType.Number, 50, 1, 100,
            "Percent of a partition's closed segments that must be new before it is compacted; entity topics only."),
        TopicConfigKey.Bound(
            CompactionMaxLagMs, TopicConfigType.Milliseconds, HundredYearsMs,
            "A partition whose oldest new record is older is compacted however little is new; -1 for no bound; entity topics "
                + "only."),
        TopicConfigKey.Choice(
            Durability, ["fsync", "replicated", "leader", "memory"],
            "What an acknowledgement with acks=all stands for: on stable storage of min.insync.replicas replicas, handed to "
                + "their operating systems, handed to the leader's, or in the leader's memory."),
        TopicConfigKey.NumberOr(
            KeyPartitions, AllPartitions, 1, ProtocolLimits.PartitionsPerTopic,
            "Keys are spread over the first so many partitions. Set to the old number when partitions are added, so that no key "
                + "moves; whoever changes it moves keys, and their order does not hold across the change."),
        TopicConfigKey.Number(
            MaxBatchBytes, TopicConfigType.Bytes, 2 * 1024 * 1024, 1024, 32 * 1024 * 1024,
            "Largest record batch, before and after compression."),
        TopicConfigKey.NumberOr(
            MinInsyncReplicas, Majority, 1, 32,
            "Replicas that have a record before acks=all is answered; at most the replication factor, of which a majority is "
                + "the default."),
        TopicConfigKey.Number(
            ProducerExpiryMs, TopicConfigType.Milliseconds, SevenDaysMs, 1000, HundredYearsMs,
            "A producer id that is silent for so long is forgotten."),
        TopicConfigKey.Bound(
            ReassignmentBytesPerSecond, TopicConfigType.Bytes, long.MaxValue,
            "How many bytes per second a broker copies of a partition that moves to it; -1 for no bound."),
        TopicConfigKey.Bound(
            RetentionBytes, TopicConfigType.Bytes, long.MaxValue,
            "Oldest closed segments are deleted while a partition is larger; -1 for no bound."),
        TopicConfigKey.Bound(
            RetentionMs, TopicConfigType.Milliseconds, HundredYearsMs,
            "Closed segments are deleted once their last record is older; -1 keeps records for ever."),
        TopicConfigKey.Number(
            SegmentBytes, TopicConfigType.Bytes, 256 * 1024 * 1024, 64 * 1024, 1024 * 1024 * 1024,
            "A segment is closed before it grows over this."),
        TopicConfigKey.Number(
            SegmentMs, TopicConfigType.Milliseconds, SevenDaysMs, 1000, HundredYearsMs,
            "A segment is closed once its first record is so old."),
        TopicConfigKey.Number(
            TombstoneRetentionMs, TopicConfigType.Milliseconds, OneDayMs, 0, HundredYearsMs,
            "How long the deletion of a key is kept once what it deletes was removed, for readers on their way; entity topics "
                + "only."),
        TopicConfigKey.Text(
            Writer, ProtocolLimits.ShortStringBytes,
            "Only producers that name themselves so may publish to the topic; empty for anybody."),
    ];

    private static readonly FrozenDictionary<string, TopicConfigKey> ByKey =
        Keys.ToFrozenDictionary(static key => key.Key, StringComparer.Ordinal);

    /// <summary>The setting of a key; null if there is none.</summary>
    public static TopicConfigKey? Find(string key) => ByKey.GetValueOrDefault(key);

    /// <summary>Checks settings, each on its own, and writes them in the one way that is stored.</summary>
    /// <param name="settings">Keys with new values; a null value goes back to the default.</param>
    /// <param name="faults">Takes every fault there is, as sentences for people.</param>
    /// <returns>The settings without fault, by key.</returns>
    public static IReadOnlyDictionary<string, string?> Check(
        IEnumerable<ConfigSetting> settings, ICollection<string> faults)
    {
        var valid = new SortedDictionary<string, string?>(StringComparer.Ordinal);
        foreach (var setting in settings)
        {
            if (Find(setting.Name) is not { } key)
            {
                faults.Add($"'{setting.Name}' is no topic setting; did you mean '{NearestName.Find(Keys.Select(static key => key.Key), setting.Name)}'?");
            }
            else if (setting.Value is { } text && key.Normalize(text) is null)
            {
                faults.Add($"{key.Key}={text} is out of range: {key.Range}");
            }
            else if (!valid.TryAdd(key.Key, setting.Value is { } value ? key.Normalize(value) : null))
            {
                faults.Add($"{key.Key} is set twice");
            }
        }

        return valid;
    }
}
