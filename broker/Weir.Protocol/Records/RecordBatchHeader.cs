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
/// Layout, little-endian: 0 base offset i64, 8 append time i64, 16 high watermark i64, 24 leader epoch i32, 28 stamp checksum
/// u32, 32 checksum u64, 40 length u32, 44 format u8, 45 compression u8, 46 reserved u16, 48 topic id 16 bytes, 64 partition
/// i32, 68 record count u32, 72 producer id i64, 80 base sequence i32, 84 producer epoch i16, 86 reserved u16, 88 base
/// timestamp i64, 96 max timestamp i64, 104 last offset delta u32, 108 uncompressed bytes u32, 112 records. A compacted batch
/// has its delete horizon i64 at 112 and its records from 120 on.
/// </remarks>
public readonly record struct RecordBatchHeader
{
    /// <summary>Bytes before the records.</summary>
    public const int Size = 112;

    /// <summary>Where the topic id stands; recovery searches damaged files for it.</summary>
    public const int TopicIdPosition = 48;

    /// <summary>The format that producers write: every offset of the batch has a record.</summary>
    public const byte ProducedFormat = 1;

    /// <summary>
    /// The format that compaction writes: each record carries its offset, and offsets of the batch may have no record.
    /// </summary>
    public const byte CompactedFormat = 2;

    /// <summary>Bytes before the records of a compacted batch.</summary>
    public const int CompactedSize = Size + sizeof(long);

    /// <summary>Producer id of a batch without one: no duplicate is detected.</summary>
    public const long NoProducerId = -1;

    private const int StampChecksumPosition = 28;
    private const int ChecksumPosition = 32;
    private const int LengthPosition = 40;

    /// <summary>Offset of the first record; stamped by the leader.</summary>
    public long BaseOffset { get; init; }

    /// <summary>When the leader appended it, Unix milliseconds; stamped.</summary>
    public long AppendTimeMs { get; init; }

    /// <summary>
    /// The partition's high watermark when it was appended; stamped. A whole batch proves by it that everything below was
    /// committed, so that recovery never takes damage there for a torn tail.
    /// </summary>
    public long HighWatermark { get; init; }

    /// <summary>Epoch of the leader that appended it; stamped.</summary>
    public int LeaderEpoch { get; init; }

    /// <summary>XXH3-64 of bytes 40 to the end.</summary>
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

    /// <summary>
    /// Whether compaction wrote it. Then it covers all offsets up to <see cref="LastOffsetDelta"/>, has perhaps no record, and
    /// its records are read with <see cref="BatchRecords"/>.
    /// </summary>
    public bool IsCompacted { get; init; }

    /// <summary>Where the records start.</summary>
    public int RecordsPosition => IsCompacted ? CompactedSize : Size;

    /// <summary>First offset after the batch.</summary>
    public long NextOffset => BaseOffset + LastOffsetDelta + 1;

    /// <summary>Reads the length field of a batch whose first <see cref="Size"/> bytes are there.</summary>
    public static uint ReadLength(ReadOnlySpan<byte> batch) => BinaryPrimitives.ReadUInt32LittleEndian(batch[LengthPosition..]);

    /// <summary>
    /// When the tombstones of a whole compacted batch may go, Unix milliseconds; 0 if it has none that compaction has counted.
    /// </summary>
    public static long ReadDeleteHorizon(ReadOnlySpan<byte> compactedBatch) =>
        BinaryPrimitives.ReadInt64LittleEndian(compactedBatch[Size..]);

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
        WriteStamp(destination, BaseOffset, AppendTimeMs, HighWatermark, LeaderEpoch);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[StampChecksumPosition..], 0);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[ChecksumPosition..], 0);
        BinaryPrimitives.WriteInt32LittleEndian(destination[LengthPosition..], Length);
        destination[44] = IsCompacted ? CompactedFormat : ProducedFormat;
        destination[45] = (byte)Compression;
        BinaryPrimitives.WriteUInt16LittleEndian(destination[46..], 0);
        TopicId.TryWriteBytes(destination[TopicIdPosition..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt32LittleEndian(destination[64..], Partition);
        BinaryPrimitives.WriteInt32LittleEndian(destination[68..], RecordCount);
        BinaryPrimitives.WriteInt64LittleEndian(destination[72..], ProducerId);
        BinaryPrimitives.WriteInt32LittleEndian(destination[80..], BaseSequence);
        BinaryPrimitives.WriteInt16LittleEndian(destination[84..], ProducerEpoch);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[86..], 0);
        BinaryPrimitives.WriteInt64LittleEndian(destination[88..], BaseTimestampMs);
        BinaryPrimitives.WriteInt64LittleEndian(destination[96..], MaxTimestampMs);
        BinaryPrimitives.WriteInt32LittleEndian(destination[104..], LastOffsetDelta);
        BinaryPrimitives.WriteInt32LittleEndian(destination[108..], UncompressedBytes);
    }

    /// <summary>The writer's last step: fills the checksum of a whole batch.</summary>
    public static void Seal(Span<byte> batch) =>
        BinaryPrimitives.WriteUInt64LittleEndian(
            batch[ChecksumPosition..], XxHash3.HashToUInt64(batch[LengthPosition..]));

    /// <summary>The leader's step: fills the stamped fields and their checksum in place.</summary>
    public static void Stamp(
        Span<byte> batch, long baseOffset, long appendTimeMs, long highWatermark, int leaderEpoch)
    {
        WriteStamp(batch, baseOffset, appendTimeMs, highWatermark, leaderEpoch);
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
        HighWatermark = BinaryPrimitives.ReadInt64LittleEndian(batch[16..]),
        LeaderEpoch = BinaryPrimitives.ReadInt32LittleEndian(batch[24..]),
        Checksum = BinaryPrimitives.ReadUInt64LittleEndian(batch[ChecksumPosition..]),
        Length = BinaryPrimitives.ReadInt32LittleEndian(batch[LengthPosition..]),
        IsCompacted = batch[44] == CompactedFormat,
        Compression = (CompressionType)batch[45],
        TopicId = new Guid(batch.Slice(TopicIdPosition, 16), bigEndian: true),
        Partition = BinaryPrimitives.ReadInt32LittleEndian(batch[64..]),
        RecordCount = BinaryPrimitives.ReadInt32LittleEndian(batch[68..]),
        ProducerId = BinaryPrimitives.ReadInt64LittleEndian(batch[72..]),
        BaseSequence = BinaryPrimitives.ReadInt32LittleEndian(batch[80..]),
        ProducerEpoch = BinaryPrimitives.ReadInt16LittleEndian(batch[84..]),
        BaseTimestampMs = BinaryPrimitives.ReadInt64LittleEndian(batch[88..]),
        MaxTimestampMs = BinaryPrimitives.ReadInt64LittleEndian(batch[96..]),
        LastOffsetDelta = BinaryPrimitives.ReadInt32LittleEndian(batch[104..]),
        UncompressedBytes = BinaryPrimitives.ReadInt32LittleEndian(batch[108..]),
    };

    private static void WriteStamp(
        Span<byte> batch, long baseOffset, long appendTimeMs, long highWatermark, int leaderEpoch)
    {
        BinaryPrimitives.WriteInt64LittleEndian(batch, baseOffset);
        BinaryPrimitives.WriteInt64LittleEndian(batch[8..], appendTimeMs);
        BinaryPrimitives.WriteInt64LittleEndian(batch[16..], highWatermark);
        BinaryPrimitives.WriteInt32LittleEndian(batch[24..], leaderEpoch);
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
        if (batch[44] is not (ProducedFormat or CompactedFormat))
        {
            return $"batch format {batch[44]} is not known";
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(batch[46..]) != 0
            || BinaryPrimitives.ReadUInt16LittleEndian(batch[86..]) != 0)
        {
            return "a reserved field of the batch header is not zero";
        }

        if (Length < RecordsPosition || RecordCount < (IsCompacted ? 0 : 1) || LastOffsetDelta < Math.Max(0, RecordCount - 1)
            || Partition < 0 || (RecordCount == 0) != (Length == RecordsPosition))
        {
            return $"batch of {Length} bytes with {RecordCount} records up to delta {LastOffsetDelta} cannot be";
        }

        if (Compression == CompressionType.None
                ? UncompressedBytes != Length - RecordsPosition
                : UncompressedBytes < RecordCount * (long)MinRecordBytes || RecordCount == 0)
        {
            return $"{UncompressedBytes} uncompressed bytes do not fit {RecordCount} records in {Length} bytes";
        }

        return RecordCount * (long)MinRecordBytes > UncompressedBytes
            ? $"{RecordCount} records cannot fit in {UncompressedBytes} bytes"
            : HasValidProducer ? string.Empty : "producer id, epoch and sequence do not belong together";
    }

    private int MinRecordBytes => RecordReader.MinRecordBytes + (IsCompacted ? 1 : 0);

    private bool HasValidProducer => ProducerId == NoProducerId
        ? ProducerEpoch == -1 && BaseSequence == -1
        : ProducerId >= 0 && ProducerEpoch >= 0 && BaseSequence >= 0;
}
