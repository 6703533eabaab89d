using System.Buffers.Binary;
using System.IO.Hashing;
using Weir.Protocol.Errors;

namespace Weir.Protocol.Records;

/// <summary>How the records of a batch are compressed.</summary>
public enum CompressionType : byte
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>One LZ4 block.</summary>
    Lz4 = 1,

    /// <summary>One Zstandard frame (RFC 8878).</summary>
    Zstd = 2,
}

/// <summary>
/// The header of a record batch: the one layout on the wire, in replication and on disk. The writer fills everything from
/// <see cref="Length"/> on and its checksum; the leader stamps what comes before, which the writer's checksum leaves out,
/// and covers it with a checksum of its own.
/// </summary>
/// <remarks>
/// Layout, little-endian: 0 base offset i64, 8 append time i64, 16 leader epoch i32, 20 stamp checksum u32, 24 checksum u64,
/// 32 length u32, 36 format u8, 37 compression u8, 38 reserved u16, 40 topic id 16 bytes, 56 partition i32, 60 record count
/// u32, 64 producer id i64, 72 base sequence i32, 76 producer epoch i16, 78 reserved u16, 80 base timestamp i64, 88 max
/// timestamp i64, 96 last offset delta u32, 100 uncompressed bytes u32, 104 records.
/// </remarks>
public readonly record struct RecordBatchHeader
{
    /// <summary>Bytes before the records.</summary>
    public const int Size = 104;

    /// <summary>The only format there is.</summary>
    public const byte CurrentFormat = 1;

    /// <summary>Producer id of a batch without one: no duplicate is detected.</summary>
    public const long NoProducerId = -1;

    private const int StampChecksumPosition = 20;
    private const int ChecksumPosition = 24;
    private const int LengthPosition = 32;

    /// <summary>Offset of the first record; stamped by the leader.</summary>
    public long BaseOffset { get; init; }

    /// <summary>When the leader appended it, Unix milliseconds; stamped.</summary>
    public long AppendTimeMs { get; init; }

    /// <summary>Epoch of the leader that appended it; stamped.</summary>
    public int LeaderEpoch { get; init; }

    /// <summary>XXH3-64 of bytes 32 to the end.</summary>
    public ulong Checksum { get; init; }

    /// <summary>Bytes of the batch, this header included.</summary>
    public int Length { get; init; }

    /// <summary>How the records are compressed.</summary>
    public CompressionType Compression { get; init; }

    /// <summary>The topic it was written for: a batch found elsewhere is a misdirected one.</summary>
    public Guid TopicId { get; init; }

    /// <summary>The partition it was written for.</summary>
    public int Partition { get; init; }

    /// <summary>Records in it.</summary>
    public int RecordCount { get; init; }

    /// <summary>Producer id, or <see cref="NoProducerId"/>.</summary>
    public long ProducerId { get; init; }

    /// <summary>Sequence number of the first record, -1 without a producer id.</summary>
    public int BaseSequence { get; init; }

    /// <summary>Epoch of the producer id, -1 without one.</summary>
    public short ProducerEpoch { get; init; }

    /// <summary>Timestamp that record deltas count from, Unix milliseconds.</summary>
    public long BaseTimestampMs { get; init; }

    /// <summary>Largest record timestamp, Unix milliseconds.</summary>
    public long MaxTimestampMs { get; init; }

    /// <summary>Offset of the last record minus the base offset.</summary>
    public int LastOffsetDelta { get; init; }

    /// <summary>Bytes of the records after decompression.</summary>
    public int UncompressedBytes { get; init; }

    /// <summary>First offset after the batch.</summary>
    public long NextOffset => BaseOffset + LastOffsetDelta + 1;

    /// <summary>Reads the length field of a batch whose first <see cref="Size"/> bytes are there.</summary>
    public static uint ReadLength(ReadOnlySpan<byte> batch) => BinaryPrimitives.ReadUInt32LittleEndian(batch[LengthPosition..]);

    /// <summary>Reads a header and checks its fields against each other; no checksum.</summary>
    /// <param name="batch">From the batch's first byte, at least <see cref="Size"/> bytes.</param>
    /// <param name="header">The header, if it is valid.</param>
    /// <param name="fault">Why not, if it is not.</param>
    public static bool TryRead(ReadOnlySpan<byte> batch, out RecordBatchHeader header, out string fault)
    {
        header = default;
        if (batch.Length < Size)
        {
            fault = $"{batch.Length} bytes are shorter than a batch header";
            return false;
        }

        header = Decode(batch);
        fault = header.FindFault(batch);
        return fault.Length == 0;
    }

    /// <summary>Writes all fields but the two checksums.</summary>
    public void Write(Span<byte> destination)
    {
        WriteStamp(destination, BaseOffset, AppendTimeMs, LeaderEpoch);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[StampChecksumPosition..], 0);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[ChecksumPosition..], 0);
        BinaryPrimitives.WriteInt32LittleEndian(destination[LengthPosition..], Length);
        destination[36] = CurrentFormat;
        destination[37] = (byte)Compression;
        BinaryPrimitives.WriteUInt16LittleEndian(destination[38..], 0);
        TopicId.TryWriteBytes(destination[40..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt32LittleEndian(destination[56..], Partition);
        BinaryPrimitives.WriteInt32LittleEndian(destination[60..], RecordCount);
        BinaryPrimitives.WriteInt64LittleEndian(destination[64..], ProducerId);
        BinaryPrimitives.WriteInt32LittleEndian(destination[72..], BaseSequence);
        BinaryPrimitives.WriteInt16LittleEndian(destination[76..], ProducerEpoch);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[78..], 0);
        BinaryPrimitives.WriteInt64LittleEndian(destination[80..], BaseTimestampMs);
        BinaryPrimitives.WriteInt64LittleEndian(destination[88..], MaxTimestampMs);
        BinaryPrimitives.WriteInt32LittleEndian(destination[96..], LastOffsetDelta);
        BinaryPrimitives.WriteInt32LittleEndian(destination[100..], UncompressedBytes);
    }

    /// <summary>The writer's last step: fills the checksum of a whole batch.</summary>
    public static void Seal(Span<byte> batch) =>
        BinaryPrimitives.WriteUInt64LittleEndian(
            batch[ChecksumPosition..], XxHash3.HashToUInt64(batch[LengthPosition..]));

    /// <summary>The leader's step: fills the stamped fields and their checksum in place.</summary>
    public static void Stamp(Span<byte> batch, long baseOffset, long appendTimeMs, int leaderEpoch)
    {
        WriteStamp(batch, baseOffset, appendTimeMs, leaderEpoch);
        BinaryPrimitives.WriteUInt32LittleEndian(batch[StampChecksumPosition..], ComputeStampChecksum(batch));
    }

    /// <summary>Whether the writer's checksum matches; <paramref name="batch"/> is exactly the batch.</summary>
    public static bool HasValidChecksum(ReadOnlySpan<byte> batch) =>
        BinaryPrimitives.ReadUInt64LittleEndian(batch[ChecksumPosition..])
            == XxHash3.HashToUInt64(batch[LengthPosition..]);

    /// <summary>Whether the stamped fields match their checksum, and belong to this batch's checksum.</summary>
    public static bool HasValidStamp(ReadOnlySpan<byte> batch) =>
        BinaryPrimitives.ReadUInt32LittleEndian(batch[StampChecksumPosition..]) == ComputeStampChecksum(batch);

    /// <summary>Throws unless header and checksum are whole, as a receiver of a foreign batch must insist.</summary>
    /// <exception cref="ProtocolException"><see cref="ErrorCode.InvalidBatch"/> or <see cref="ErrorCode.CorruptBatch"/>.</exception>
    public static RecordBatchHeader Verify(ReadOnlySpan<byte> batch)
    {
        if (!TryRead(batch, out var header, out var fault))
        {
            throw new ProtocolException(ErrorCode.InvalidBatch, fault);
        }

        if (header.Length != batch.Length)
        {
            throw new ProtocolException(
                ErrorCode.InvalidBatch, $"batch says {header.Length} bytes and has {batch.Length}");
        }

        return HasValidChecksum(batch)
            ? header
            : throw new ProtocolException(ErrorCode.CorruptBatch, "the batch's checksum does not match its bytes");
    }

    private static RecordBatchHeader Decode(ReadOnlySpan<byte> batch) => new()
    {
        BaseOffset = BinaryPrimitives.ReadInt64LittleEndian(batch),
        AppendTimeMs = BinaryPrimitives.ReadInt64LittleEndian(batch[8..]),
        LeaderEpoch = BinaryPrimitives.ReadInt32LittleEndian(batch[16..]),
        Checksum = BinaryPrimitives.ReadUInt64LittleEndian(batch[ChecksumPosition..]),
        Length = BinaryPrimitives.ReadInt32LittleEndian(batch[LengthPosition..]),
        Compression = (CompressionType)batch[37],
        TopicId = new Guid(batch.Slice(40, 16), bigEndian: true),
        Partition = BinaryPrimitives.ReadInt32LittleEndian(batch[56..]),
        RecordCount = BinaryPrimitives.ReadInt32LittleEndian(batch[60..]),
        ProducerId = BinaryPrimitives.ReadInt64LittleEndian(batch[64..]),
        BaseSequence = BinaryPrimitives.ReadInt32LittleEndian(batch[72..]),
        ProducerEpoch = BinaryPrimitives.ReadInt16LittleEndian(batch[76..]),
        BaseTimestampMs = BinaryPrimitives.ReadInt64LittleEndian(batch[80..]),
        MaxTimestampMs = BinaryPrimitives.ReadInt64LittleEndian(batch[88..]),
        LastOffsetDelta = BinaryPrimitives.ReadInt32LittleEndian(batch[96..]),
        UncompressedBytes = BinaryPrimitives.ReadInt32LittleEndian(batch[100..]),
    };

    private static void WriteStamp(Span<byte> batch, long baseOffset, long appendTimeMs, int leaderEpoch)
    {
        BinaryPrimitives.WriteInt64LittleEndian(batch, baseOffset);
        BinaryPrimitives.WriteInt64LittleEndian(batch[8..], appendTimeMs);
        BinaryPrimitives.WriteInt32LittleEndian(batch[16..], leaderEpoch);
    }

    private static uint ComputeStampChecksum(ReadOnlySpan<byte> batch)
    {
        Span<byte> stamped = stackalloc byte[StampChecksumPosition + sizeof(ulong)];
        batch[..StampChecksumPosition].CopyTo(stamped);
        batch.Slice(ChecksumPosition, sizeof(ulong)).CopyTo(stamped[StampChecksumPosition..]);
        return (uint)XxHash3.HashToUInt64(stamped);
    }

    private string FindFault(ReadOnlySpan<byte> batch)
    {
        if (batch[36] != CurrentFormat)
        {
            return $"batch format {batch[36]} is not known";
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(batch[38..]) != 0
            || BinaryPrimitives.ReadUInt16LittleEndian(batch[78..]) != 0)
        {
            return "a reserved field of the batch header is not zero";
        }

        if (Length <= Size || RecordCount < 1 || LastOffsetDelta < RecordCount - 1 || Partition < 0)
        {
            return $"batch of {Length} bytes with {RecordCount} records up to delta {LastOffsetDelta} cannot be";
        }

        if (Compression == CompressionType.None
                ? UncompressedBytes != Length - Size
                : UncompressedBytes < RecordCount * (long)RecordReader.MinRecordBytes)
        {
            return $"{UncompressedBytes} uncompressed bytes do not fit {RecordCount} records in {Length} bytes";
        }

        return RecordCount * (long)RecordReader.MinRecordBytes > UncompressedBytes
            ? $"{RecordCount} records cannot fit in {UncompressedBytes} bytes"
            : HasValidProducer ? string.Empty : "producer id, epoch and sequence do not belong together";
    }

    private bool HasValidProducer => ProducerId == NoProducerId
        ? ProducerEpoch == -1 && BaseSequence == -1
        : ProducerId >= 0 && ProducerEpoch >= 0 && BaseSequence >= 0;
}
