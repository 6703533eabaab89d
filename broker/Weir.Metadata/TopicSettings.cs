using System.Collections.Immutable;
using System.Globalization;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>A topic's settings, typed: what was set over the defaults of <see cref="TopicConfigCatalog"/>. Immutable.</summary>
public sealed class TopicSettings
{
    private readonly ImmutableSortedDictionary<string, string> _set;

    private TopicSettings(ImmutableSortedDictionary<string, string> set)
    {
        _set = set;
        Durability = Enum.Parse<Durability>(Get(TopicConfigCatalog.Durability), ignoreCase: true);
        SegmentBytes = (int)GetNumber(TopicConfigCatalog.SegmentBytes);
        SegmentAge = TimeSpan.FromMilliseconds(GetNumber(TopicConfigCatalog.SegmentMs));
        MaxBatchBytes = (int)GetNumber(TopicConfigCatalog.MaxBatchBytes);
        RetentionAge = GetNumber(TopicConfigCatalog.RetentionMs) is >= 0 and var age ? TimeSpan.FromMilliseconds(age) : null;
        RetentionBytes = GetNumber(TopicConfigCatalog.RetentionBytes) is >= 0 and var bytes ? bytes : null;
        MinInsyncReplicas = (int)GetNumber(TopicConfigCatalog.MinInsyncReplicas);
        ProducerExpiry = TimeSpan.FromMilliseconds(GetNumber(TopicConfigCatalog.ProducerExpiryMs));
    }

    /// <summary>The defaults.</summary>
    public static TopicSettings Default { get; } = new(ImmutableSortedDictionary<string, string>.Empty);

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

    /// <summary>Replicas that have a record before it is acknowledged.</summary>
    public int MinInsyncReplicas { get; }

    /// <summary>How long a silent producer id is remembered.</summary>
    public TimeSpan ProducerExpiry { get; }

    /// <summary>These settings with some changed; a null value goes back to the default. The entries must be valid.</summary>
    public TopicSettings With(IEnumerable<ConfigEntry> entries)
    {
        var set = _set;
        foreach (var entry in entries)
        {
            set = entry.Value is { } value ? set.SetItem(entry.Name, value) : set.Remove(entry.Name);
        }

        return new TopicSettings(set);
    }

    /// <summary>What was set, for a snapshot.</summary>
    public ConfigEntry[] ToEntries() => [.. _set.Select(static pair => new ConfigEntry { Name = pair.Key, Value = pair.Value })];

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

    private string Get(string key) =>
        _set.GetValueOrDefault(key) ?? TopicConfigCatalog.Keys.First(known => known.Key == key).Default;

    private long GetNumber(string key) => long.Parse(Get(key), CultureInfo.InvariantCulture);
}
