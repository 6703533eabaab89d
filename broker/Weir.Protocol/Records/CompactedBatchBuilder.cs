using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;

namespace Weir.Protocol.Records;

/// <summary>
/// Encodes records that were read from stored batches into one compacted batch: each keeps its offset and bytes. Used again
/// and again by one thread; dispose returns its buffers, after which no sealed batch may be touched.
/// </summary>
public sealed class CompactedBatchBuilder : IDisposable
{
    private byte[] _array = ArrayPool<byte>.Shared.Rent(64 * 1024);
    private byte[] _compressed = [];
    private int _length = RecordBatchHeader.CompactedSize;
    private long _baseTimestampMs;
    private long _maxTimestampMs;

    /// <summary>First offset that the batch covers.</summary>
    public long BaseOffset { get; private set; }

    /// <summary>Records so far.</summary>
    public int RecordCount { get; private set; }

    /// <summary>Bytes of the records so far.</summary>
    public int RecordBytes => _length - RecordBatchHeader.CompactedSize;

    /// <summary>Forgets what was added and starts a batch at an offset.</summary>
    public void Start(long baseOffset)
    {
        BaseOffset = baseOffset;
        RecordCount = 0;
        _length = RecordBatchHeader.CompactedSize;
    }

    /// <summary>Adds a record.</summary>
    /// <param name="offset">Its offset, above the one before.</param>
    /// <param name="timestampMs">Its timestamp.</param>
    /// <param name="fields">Its bytes from the length of the key on.</param>
    public void Add(long offset, long timestampMs, ReadOnlySpan<byte> fields)
    {
        if (RecordCount == 0)
        {
            _baseTimestampMs = _maxTimestampMs = timestampMs;
        }

        var offsetDelta = (ulong)(offset - BaseOffset);
        var difference = timestampMs - _baseTimestampMs;
        var timestampDelta = (ulong)((difference << 1) ^ (difference >> 63));
        var body = VarintSize(offsetDelta) + VarintSize(timestampDelta) + fields.Length;
        Grow(_length + VarintSize((ulong)body) + body);
        WriteVarint((ulong)body);
        WriteVarint(offsetDelta);
        WriteVarint(timestampDelta);
        fields.CopyTo(_array.AsSpan(_length));
        _length += fields.Length;
        _maxTimestampMs = Math.Max(_maxTimestampMs, timestampMs);
        RecordCount++;
    }

    /// <summary>The batch, compressed as its frame says where that makes it smaller, with both checksums.</summary>
    /// <param name="frame">
    /// Everything but what follows from the records: topic, partition, producer, stamp, last offset delta, compression, and the
    /// timestamps of a batch without records.
    /// </param>
    /// <param name="deleteHorizonMs">When its tombstones may go; 0 for none.</param>
    /// <returns>Valid until the next call of any member.</returns>
    public Memory<byte> Seal(in RecordBatchHeader frame, long deleteHorizonMs)
    {
        var compression = RecordCount == 0 ? CompressionType.None : frame.Compression;
        var length = compression == CompressionType.None ? 0 : Compress(compression);
        compression = length == 0 ? CompressionType.None : compression;
        var batch = length == 0 ? _array.AsMemory(0, _length) : _compressed.AsMemory(0, length);
        var header = frame with
        {
            IsCompacted = true,
            BaseOffset = BaseOffset,
            Length = batch.Length,
            Compression = compression,
            RecordCount = RecordCount,
            UncompressedBytes = RecordBytes,
            BaseTimestampMs = RecordCount == 0 ? frame.MaxTimestampMs : _baseTimestampMs,
            MaxTimestampMs = RecordCount == 0 ? frame.MaxTimestampMs : _maxTimestampMs,
        };
        header.Write(batch.Span);
        BinaryPrimitives.WriteInt64LittleEndian(batch.Span[RecordBatchHeader.Size..], deleteHorizonMs);
        RecordBatchHeader.Seal(batch.Span);
        RecordBatchHeader.Stamp(
            batch.Span, header.BaseOffset, header.AppendTimeMs, header.HighWatermark, header.LeaderEpoch);
        return batch;
    }

    /// <summary>
    /// The part of a stored batch from an offset within it on, as a batch of its own: for a log that ends within a batch of its
    /// leader's, which compaction has made larger.
    /// </summary>
    /// <param name="batch">A verified batch.</param>
    /// <param name="header">Its header.</param>
    /// <param name="offset">Above its base offset and below its end.</param>
    /// <exception cref="Errors.ProtocolException">The records cannot be read.</exception>
    public static byte[] TrimTo(ReadOnlyMemory<byte> batch, in RecordBatchHeader header, long offset)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(offset, header.BaseOffset);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(offset, header.NextOffset);
        using var builder = new CompactedBatchBuilder();
        builder.Start(offset);
        var records = BatchCompression.Decompress(batch, header, int.MaxValue, out var pooled).Span;
        try
        {
            var walk = new BatchRecords(records, header);
            while (walk.MoveNext())
            {
                if (walk.Offset >= offset)
                {
                    builder.Add(walk.Offset, walk.Current.TimestampMs, records[walk.Current.FieldsStart..walk.Current.End]);
                }
            }
        }
        finally
        {
            if (pooled is not null)
            {
                ArrayPool<byte>.Shared.Return(pooled);
            }
        }

        var cut = (int)(offset - header.BaseOffset);
        var frame = header with
        {
            LastOffsetDelta = header.LastOffsetDelta - cut,
            BaseSequence = header.ProducerId == RecordBatchHeader.NoProducerId
                ? -1
                : (int)(((uint)header.BaseSequence + (uint)cut) & int.MaxValue),
        };
        var horizon = header.IsCompacted ? RecordBatchHeader.ReadDeleteHorizon(batch.Span) : 0;
        return builder.Seal(frame, horizon).ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var array in new[] { _array, _compressed })
        {
            if (array.Length > 0)
            {
                ArrayPool<byte>.Shared.Return(array);
            }
        }

        _array = _compressed = [];
    }

    private int Compress(CompressionType compression)
    {
        if (_compressed.Length < _length)
        {
            if (_compressed.Length > 0)
            {
                ArrayPool<byte>.Shared.Return(_compressed);
            }

            _compressed = ArrayPool<byte>.Shared.Rent(_array.Length);
        }

        const int start = RecordBatchHeader.CompactedSize;
        var used = BatchCompression.TryCompress(
            compression, _array.AsSpan(start, RecordBytes), _compressed.AsSpan(start, RecordBytes - 1));
        return used == 0 ? 0 : start + used;
    }

    private void WriteVarint(ulong value)
    {
        while (value >= 0x80)
        {
            _array[_length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _array[_length++] = (byte)value;
    }

    private static int VarintSize(ulong value) => (70 - BitOperations.LeadingZeroCount(value | 1)) / 7;

    private void Grow(int needed)
    {
        if (needed <= _array.Length)
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, _array.Length * 2));
        _array.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_array);
        _array = larger;
    }
}
