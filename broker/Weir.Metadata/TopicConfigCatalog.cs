using System.Globalization;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>One topic setting: its key, type, default, range and meaning.</summary>
/// <param name="Key">The key, as in <c>--config KEY=VALUE</c>.</param>
/// <param name="Default">Value where it is not set.</param>
/// <param name="Range">Which values are taken, for people.</param>
/// <param name="Meaning">What it does.</param>
/// <param name="IsValid">Whether a text is a value in range.</param>
public sealed record TopicConfigKey(string Key, string Default, string Range, string Meaning, Func<string, bool> IsValid);

/// <summary>All topic settings: what parsing, describing and the documentation use.</summary>
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

    /// <summary>Every key, by name.</summary>
    public static IReadOnlyList<TopicConfigKey> Keys { get; } =
    [
        new(Durability, "fsync", "fsync, replicated, leader, memory",
            "What an acknowledgement with acks=all stands for.",
            static text => Enum.GetNames<Durability>().Any(name => name.Equals(text, StringComparison.OrdinalIgnoreCase))),
        Number(MaxBatchBytes, 2 * 1024 * 1024, 1024, 32 * 1024 * 1024, "Largest record batch, before and after compression."),
        Number(MinInsyncReplicas, 1, 1, 32, "Replicas that have a record before acks=all is answered."),
        Number(ProducerExpiryMs, 604_800_000, 1000, long.MaxValue / 2, "A producer id that is silent for so long is forgotten."),
        Number(RetentionBytes, -1, -1, long.MaxValue, "Closed segments go while a partition is larger; -1 for no bound."),
        Number(RetentionMs, -1, -1, long.MaxValue / 2, "Closed segments go once their last record is older; -1 for ever."),
        Number(SegmentBytes, 256 * 1024 * 1024, 64 * 1024, 1024 * 1024 * 1024, "A segment is closed before it grows over this."),
        Number(SegmentMs, 604_800_000, 1000, long.MaxValue / 2, "A segment is closed once its first record is so old."),
    ];

    /// <summary>Every fault of some entries, all at once; empty if there is none.</summary>
    /// <param name="entries">Entries to check; a null value is always valid.</param>
    public static IReadOnlyList<string> FindFaults(IEnumerable<ConfigEntry> entries)
    {
        var faults = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            var key = Keys.FirstOrDefault(key => key.Key == entry.Name);
            if (key is null)
            {
                faults.Add($"'{entry.Name}' is no topic setting; did you mean '{Nearest(entry.Name)}'?");
            }
            else if (!seen.Add(entry.Name))
            {
                faults.Add($"{entry.Name} is set twice");
            }
            else if (entry.Value is { } value && !key.IsValid(value))
            {
                faults.Add($"{entry.Name}={value} is out of range: {key.Range}");
            }
        }

        return faults;
    }

    private static TopicConfigKey Number(string key, long @default, long min, long max, string meaning) => new(
        key, @default.ToString(CultureInfo.InvariantCulture), $"{min} to {max}", meaning,
        text => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            && value >= min && value <= max);

    private static string Nearest(string name) => Keys.MinBy(key => Distance(key.Key, name))!.Key;

    /// <summary>Levenshtein distance.</summary>
    private static int Distance(string one, string other)
    {
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (one[i - 1] == other[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
