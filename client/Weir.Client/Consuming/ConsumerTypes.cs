using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client;

/// <summary>Where reading starts.</summary>
public readonly record struct ConsumerStart
{
    private ConsumerStart(StartPosition position, long value)
    {
        Position = position;
        Value = value;
    }

    /// <summary>At the first record that is kept.</summary>
    public static ConsumerStart Earliest { get; } = new(StartPosition.Earliest, 0);

    /// <summary>After the last record that can be read now.</summary>
    public static ConsumerStart Latest { get; } = new(StartPosition.Latest, 0);

    /// <summary>Which kind of start.</summary>
    public StartPosition Position { get; }

    /// <summary>The offset, or Unix milliseconds; else 0.</summary>
    public long Value { get; }

    /// <summary>At an offset, from 0; one that is not kept (or not yet there) fails with OffsetOutOfRange.</summary>
    public static ConsumerStart AtOffset(long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return new ConsumerStart(StartPosition.Offset, offset);
    }

    /// <summary>At the first record whose timestamp is at or after a point in time.</summary>
    public static ConsumerStart AtTimestamp(DateTimeOffset time) =>
        new(StartPosition.Timestamp, time.ToUnixTimeMilliseconds());

    /// <inheritdoc/>
    public override string ToString() => Position switch
    {
        StartPosition.Offset => $"offset {Value}",
        StartPosition.Timestamp => $"time {DateTimeOffset.FromUnixTimeMilliseconds(Value):O}",
        _ => Position.ToString(),
    };
}

/// <summary>What a consumer reads and how much it may hold. Checked by <c>CreateConsumer</c>; not read afterwards.</summary>
public sealed class ConsumerOptions
{
    /// <summary>
    /// Where each partition starts. Default: earliest. A partition that is added to the topic later always starts at its
    /// earliest record, so that none is missed.
    /// </summary>
    public ConsumerStart Start { get; set; } = ConsumerStart.Earliest;

    /// <summary>The partitions to read; null, the default, for all, with those added later.</summary>
    public IReadOnlyList<int>? Partitions { get; set; }

    /// <summary>
    /// Bytes of batches, as stored, that the broker may send ahead, per partition: what a consumer holds is at most this
    /// times the partitions it reads, and one batch. Default 8 MiB; 4 KiB to 1 GiB.
    /// </summary>
    public int PrefetchBytes { get; set; } = 8 * 1024 * 1024;

    /// <summary>Whether an enumeration ends at the high watermarks of its start. Default: it goes on for ever.</summary>
    public bool StopAtEnd { get; set; }

    /// <summary>
    /// Whether keys, values and headers are valid only until the next record is asked for, which saves all allocation.
    /// Default false: they may be kept, and keep the memory of their batch alive.
    /// </summary>
    public bool ReuseBuffers { get; set; }

    internal ConsumerOptions CheckedCopy()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(PrefetchBytes, 4096, nameof(PrefetchBytes));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(
            PrefetchBytes, ProtocolLimits.SubscriptionCreditBytes, nameof(PrefetchBytes));
        var copy = (ConsumerOptions)MemberwiseClone();
        if (Partitions is { } chosen)
        {
            copy.Partitions = [.. chosen.Distinct()];
            ArgumentOutOfRangeException.ThrowIfZero(chosen.Count, nameof(Partitions));
            foreach (var partition in chosen)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(partition, nameof(Partitions));
            }
        }

        return copy;
    }
}
