using System.Buffers.Binary;

namespace Weir.Protocol.Records;

/// <summary>
/// A record as a queue or keyed group delivers it: offset i64, base timestamp i64, first delivered at i64, delivery count
/// u16, and then the record as it stands in its batch (<see cref="RecordReader"/>), all little-endian.
/// </summary>
/// <param name="Offset">Its offset.</param>
/// <param name="BaseTimestampMs">What the record's timestamp counts from, Unix milliseconds.</param>
/// <param name="FirstDeliveredMs">When it was delivered for the first time, Unix milliseconds.</param>
/// <param name="DeliveryCount">How often, with this time; from 1.</param>
public readonly record struct DeliveredRecord(long Offset, long BaseTimestampMs, long FirstDeliveredMs, ushort DeliveryCount)
{
    /// <summary>Bytes before the record.</summary>
    public const int Size = 26;

    /// <summary>Writes the part before the record.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteInt64LittleEndian(destination, Offset);
        BinaryPrimitives.WriteInt64LittleEndian(destination[8..], BaseTimestampMs);
        BinaryPrimitives.WriteInt64LittleEndian(destination[16..], FirstDeliveredMs);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[24..], DeliveryCount);
    }

    /// <summary>Reads the part before the record, of at least <see cref="Size"/> bytes.</summary>
    public static DeliveredRecord Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadInt64LittleEndian(source),
        BinaryPrimitives.ReadInt64LittleEndian(source[8..]),
        BinaryPrimitives.ReadInt64LittleEndian(source[16..]),
        BinaryPrimitives.ReadUInt16LittleEndian(source[24..]));
}

/// <summary>Names of record headers that have a meaning to Weir; all begin with <c>weir-</c>.</summary>
public static class WellKnownHeaders
{
    /// <summary>Queue and keyed groups deliver the record no earlier: Unix milliseconds, i64 little-endian.</summary>
    public const string DeliverAt = "weir-deliver-at";

    /// <summary>Of a dead letter: group that gave it up, UTF-8.</summary>
    public const string DeadLetterGroup = "weir-dead-letter-group";

    /// <summary>Of a dead letter: why, UTF-8.</summary>
    public const string DeadLetterReason = "weir-dead-letter-reason";

    /// <summary>Of a dead letter: topic it comes from, UTF-8.</summary>
    public const string DeadLetterTopic = "weir-dead-letter-topic";

    /// <summary>Of a dead letter: partition it comes from, i64 little-endian.</summary>
    public const string DeadLetterPartition = "weir-dead-letter-partition";

    /// <summary>Of a dead letter: offset it had, i64 little-endian.</summary>
    public const string DeadLetterOffset = "weir-dead-letter-offset";

    /// <summary>Of a dead letter: how often it was delivered, i64 little-endian.</summary>
    public const string DeadLetterDeliveries = "weir-dead-letter-deliveries";

    /// <summary>Of a record that was replayed from a dead-letter topic: topic, partition and offset of the dead letter, as
    /// <c>topic/partition/offset</c> in UTF-8.</summary>
    public const string ReplayedFrom = "weir-replayed-from";
}
