using System.Runtime.CompilerServices;
using Weir.Protocol.Errors;

namespace Weir.Protocol.Records;

/// <summary>Where the parts of one record lie in the records of its batch. A length of -1 is null.</summary>
/// <param name="TimestampMs">The producer's time, Unix milliseconds.</param>
/// <param name="KeyStart">First byte of the key.</param>
/// <param name="KeyLength">Bytes of the key, -1 for null.</param>
/// <param name="ValueStart">First byte of the value.</param>
/// <param name="ValueLength">Bytes of the value, -1 for null.</param>
/// <param name="HeadersStart">First byte of the first header.</param>
/// <param name="HeaderCount">Number of headers.</param>
/// <param name="End">First byte after the record.</param>
public readonly record struct RecordSlices(
    long TimestampMs, int KeyStart, int KeyLength, int ValueStart, int ValueLength, int HeadersStart, int HeaderCount, int End)
{
    /// <summary>Where the length of the key stands: from there to <see cref="End"/> the bytes are the same in all formats.</summary>
    public int FieldsStart { get; init; }
}

/// <summary>Where the parts of one header lie.</summary>
/// <param name="NameStart">First byte of the UTF-8 name.</param>
/// <param name="NameLength">Bytes of the name.</param>
/// <param name="ValueStart">First byte of the value.</param>
/// <param name="ValueLength">Bytes of the value, -1 for null.</param>
/// <param name="End">First byte after the header.</param>
public readonly record struct HeaderSlices(int NameStart, int NameLength, int ValueStart, int ValueLength, int End);

/// <summary>
/// Reads uncompressed records: varint length, zigzag varint timestamp delta, varint key length + 1 (0 is null) and key, the
/// same for the value, varint header count, and per header varint name length, UTF-8 name, varint value length + 1, value.
/// In a compacted batch a varint offset delta stands between the length and the timestamp delta. Varints are LEB128 of at most 32 bits (lengths) or 64 bits (deltas).
/// </summary>
/// <remarks>Bytes that break the format throw <see cref="ProtocolException"/> with <see cref="ErrorCode.InvalidBatch"/>.</remarks>
public static class RecordReader
{
    /// <summary>Bytes of the smallest record: null key, null value, no header.</summary>
    public const int MinRecordBytes = 5;

    /// <summary>Most headers of one record.</summary>
    public const int MaxHeaders = 1024;

    private const int MinHeaderBytes = 2;

    /// <summary>Reads the record that starts at <paramref name="position"/>, of a batch as producers write it.</summary>
    public static RecordSlices Read(ReadOnlySpan<byte> records, int position, long baseTimestampMs)
    {
        var record = Frame(records, ref position);
        return ReadFields(record, position, baseTimestampMs);
    }

    /// <summary>Reads the record that starts at <paramref name="position"/>, of a compacted batch.</summary>
    /// <param name="records">The records of the batch.</param>
    /// <param name="position">First byte of the record.</param>
    /// <param name="baseTimestampMs">Base timestamp of the batch.</param>
    /// <param name="offsetDelta">Its offset minus the base offset of the batch.</param>
    public static RecordSlices ReadCompacted(
        ReadOnlySpan<byte> records, int position, long baseTimestampMs, out uint offsetDelta)
    {
        var record = Frame(records, ref position);
        offsetDelta = ReadVarUInt32(record, ref position);
        return ReadFields(record, position, baseTimestampMs);
    }

    /// <summary>Reads the header that starts at <paramref name="position"/>, within a record that ends at <paramref name="recordEnd"/>.</summary>
    public static HeaderSlices ReadHeader(ReadOnlySpan<byte> records, int position, int recordEnd)
    {
        var record = records[..recordEnd];
        var nameLength = (int)ReadVarUInt32(record, ref position);
        if ((uint)nameLength > (uint)(record.Length - position))
        {
            throw Invalid($"header name of {nameLength} bytes at {position} is cut off");
        }

        var nameStart = position;
        position += nameLength;
        var valueLength = ReadLengthOrNull(record, ref position);
        return new HeaderSlices(nameStart, nameLength, position, valueLength, position + Math.Max(valueLength, 0));
    }

    /// <summary>Walks uncompressed records from length to length and insists on their count.</summary>
    /// <exception cref="ProtocolException">The records do not fill the bytes exactly.</exception>
    public static void CheckFraming(ReadOnlySpan<byte> records, int recordCount)
    {
        var position = 0;
        for (var i = 0; i < recordCount; i++)
        {
            var length = (int)ReadVarUInt32(records, ref position);
            if (length < MinRecordBytes - 1 || length > records.Length - position)
            {
                throw Invalid($"record {i} of {recordCount} has {length} bytes, {records.Length - position} are left");
            }

            position += length;
        }

        if (position != records.Length)
        {
            throw Invalid($"{records.Length - position} bytes follow the last of {recordCount} records");
        }
    }

    /// <summary>Everything up to the end of the record at a position, which is moved behind its length.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ReadOnlySpan<byte> Frame(ReadOnlySpan<byte> records, ref int position)
    {
        var length = (int)ReadVarUInt32(records, ref position);
        return (uint)length <= (uint)(records.Length - position)
            ? records[..(position + length)]
            : throw Invalid($"record of {length} bytes at {position} is cut off");
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static RecordSlices ReadFields(ReadOnlySpan<byte> record, int position, long baseTimestampMs)
    {
        var end = record.Length;
        var timestamp = baseTimestampMs + ReadVarInt64(record, ref position);
        var fieldsStart = position;
        var keyLength = ReadLengthOrNull(record, ref position);
        var keyStart = position;
        position += Math.Max(keyLength, 0);
        var valueLength = ReadLengthOrNull(record, ref position);
        var valueStart = position;
        position += Math.Max(valueLength, 0);
        var headerCount = (int)ReadVarUInt32(record, ref position);
        if ((uint)headerCount > MaxHeaders
            || headerCount * MinHeaderBytes > end - position
            || (headerCount == 0 && position != end))
        {
            throw Invalid($"record with {headerCount} headers has {end - position} bytes for them");
        }

        return new RecordSlices(timestamp, keyStart, keyLength, valueStart, valueLength, position, headerCount, end)
        {
            FieldsStart = fieldsStart,
        };
    }

    /// <summary>Reads an unsigned LEB128 number of at most 32 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint ReadVarUInt32(ReadOnlySpan<byte> bytes, ref int position)
    {
        if ((uint)position < (uint)bytes.Length && bytes[position] < 0x80)
        {
            return bytes[position++];
        }

        return ReadLongVarUInt32(bytes, ref position);
    }

    private static uint ReadLongVarUInt32(ReadOnlySpan<byte> bytes, ref int position)
    {
        var value = ReadVarUInt64(bytes, ref position);
        return value <= uint.MaxValue ? (uint)value : throw Invalid($"number {value} has more than 32 bits");
    }

    private static ulong ReadVarUInt64(ReadOnlySpan<byte> bytes, ref int position)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if ((uint)position >= (uint)bytes.Length)
            {
                throw Invalid($"number at {position} is cut off");
            }

            var next = bytes[position++];
            if (shift == 63 && next > 1)
            {
                break;
            }

            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Invalid($"number before {position} is longer than 64 bits");
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long ReadVarInt64(ReadOnlySpan<byte> bytes, ref int position)
    {
        ulong zigzag = (uint)position < (uint)bytes.Length && bytes[position] < 0x80
            ? bytes[position++]
            : ReadVarUInt64(bytes, ref position);
        return (long)(zigzag >> 1) ^ -(long)(zigzag & 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ReadLengthOrNull(ReadOnlySpan<byte> record, ref int position)
    {
        var length = (long)ReadVarUInt32(record, ref position) - 1;
        return length <= record.Length - position
            ? (int)length
            : throw Invalid($"field of {length} bytes at {position} is cut off");
    }

    private static ProtocolException Invalid(string text) => new(ErrorCode.InvalidBatch, text);
}
