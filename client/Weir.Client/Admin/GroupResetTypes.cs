using Weir.Protocol.Messages;

namespace Weir.Client;

/// <summary>Where a reset moves the offsets of a group.</summary>
public readonly record struct ResetTarget
{
    private ResetTarget(ResetPosition position, long value)
    {
        Position = position;
        Value = value;
    }

    /// <summary>To the first record that is kept.</summary>
    public static ResetTarget Earliest { get; } = new(ResetPosition.Earliest, 0);

    /// <summary>After the last record that can be read now.</summary>
    public static ResetTarget Latest { get; } = new(ResetPosition.Latest, 0);

    /// <summary>Which kind of target.</summary>
    public ResetPosition Position { get; }

    /// <summary>The offset, Unix milliseconds, or records to shift by; else 0.</summary>
    public long Value { get; }

    /// <summary>To an offset, from 0, moved into what is kept.</summary>
    public static ResetTarget AtOffset(long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return new ResetTarget(ResetPosition.Offset, offset);
    }

    /// <summary>To the first record whose timestamp is at or after a point in time.</summary>
    public static ResetTarget AtTimestamp(DateTimeOffset time) => new(ResetPosition.Timestamp, time.ToUnixTimeMilliseconds());

    /// <summary>So many records forward, or back if negative, within what is kept.</summary>
    public static ResetTarget By(long records) => new(ResetPosition.Shift, records);
}

/// <summary>How a group's offsets shall be reset.</summary>
public sealed class GroupResetSpec
{
    /// <summary>Where to. Default: earliest.</summary>
    public ResetTarget To { get; set; } = ResetTarget.Earliest;

    /// <summary>One topic; null, the default, for all.</summary>
    public string? Topic { get; set; }

    /// <summary>One partition; null, the default, for all.</summary>
    public int? Partition { get; set; }

    /// <summary>Whether it is only said what would change. Default false.</summary>
    public bool DryRun { get; set; }

    /// <summary>Whether members that there are lose what they hold, instead of the reset being refused. Default false.</summary>
    public bool Force { get; set; }
}

/// <summary>A partition before and after a reset.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Partition">The partition.</param>
/// <param name="Before">What was committed; null if nothing was.</param>
/// <param name="After">What is committed now, or would be.</param>
public sealed record ResetOffsets(string Topic, int Partition, long? Before, long After);
