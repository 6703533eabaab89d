using System.Buffers;
using System.Text;

namespace Weir.Protocol.Records;

/// <summary>A header of a record: a UTF-8 name and bytes that may be null.</summary>
/// <param name="Name">Name; names may repeat.</param>
/// <param name="Value">Value; null and empty differ.</param>
public readonly record struct RecordHeader(string Name, ReadOnlyMemory<byte>? Value);

/// <summary>Who writes a batch.</summary>
/// <param name="ProducerId">Producer id, or <see cref="RecordBatchHeader.NoProducerId"/>.</param>
/// <param name="ProducerEpoch">Its epoch, or -1.</param>
/// <param name="BaseSequence">Sequence number of the first record, or -1.</param>
public readonly record struct BatchProducer(long ProducerId, short ProducerEpoch, int BaseSequence)
{
    /// <summary>A writer without identity.</summary>
    public static BatchProducer None { get; } = new(RecordBatchHeader.NoProducerId, -1, -1);
}

/// <summary>
/// Encodes records one after the other into a pooled buffer that grows, and seals them into a batch. Not thread-safe;
/// dispose returns the buffer, after which the memory of a sealed batch must not be touched.
/// </summary>
public sealed class RecordBatchBuilder : IDisposable
{
    private readonly int _maxBatchBytes;
    private byte[] _array;
    private int _length = RecordBatchHeader.Size;
    private long _baseTimestampMs;
    private long _maxTimestampMs;
    private RecordBatchHeader? _sealed;

    /// <summary>Starts an empty batch.</summary>
    /// <param name="maxBatchBytes">Most bytes of the sealed batch before compression, header included.</param>
    public RecordBatchBuilder(int maxBatchBytes)
    {
        _maxBatchBytes = maxBatchBytes;
        _array = ArrayPool<byte>.Shared.Rent(Math.Min(maxBatchBytes, 4096));
    }

    /// <summary>Records so far.</summary>
    public int RecordCount { get; private set; }

    /// <summary>Bytes so far, header included.</summary>
    public int LengthBytes => _length;

    /// <summary>Adds a record, if it fits.</summary>
    /// <param name="timestampMs">The producer's time, Unix milliseconds.</param>
    /// <param name="key">Key bytes; ignored if <paramref name="hasKey"/> is false.</param>
    /// <param name="hasKey">False for a null key.</param>
    /// <param name="value">Value bytes; ignored if <paramref name="hasValue"/> is false.</param>
    /// <param name="hasValue">False for a null value (a tombstone on an entity topic).</param>
    /// <param name="headers">Headers, at most <see cref="RecordReader.MaxHeaders"/>.</param>
    /// <returns>False, and nothing changed, if the batch would be larger than its bound.</returns>
    /// <exception cref="InvalidOperationException">The batch is sealed.</exception>
    public bool TryAdd(
        long timestampMs, ReadOnlySpan<byte> key, bool hasKey, ReadOnlySpan<byte> value, bool hasValue,
        ReadOnlySpan<RecordHeader> headers)
    {
        ObjectDisposedException.ThrowIf(_array.Length == 0, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(headers.Length, RecordReader.MaxHeaders);
        if (_sealed is not null)
        {
            throw new InvalidOperationException("a sealed batch takes no more records");
        }

        if (RecordCount == 0)
        {
            _baseTimestampMs = _maxTimestampMs = timestampMs;
        }

        var delta = Zigzag(timestampMs - _baseTimestampMs);
        var body = VarintSize(delta)
            + VarintSize(hasKey ? (ulong)key.Length + 1 : 0) + (hasKey ? key.Length : 0L)
            + VarintSize(hasValue ? (ulong)value.Length + 1 : 0) + (hasValue ? value.Length : 0L)
            + VarintSize((ulong)headers.Length) + (headers.IsEmpty ? 0 : HeaderBytes(headers));
        var total = body + VarintSize((ulong)body);
        if (total > _maxBatchBytes - _length)
        {
            return false;
        }

        Grow(_length + (int)total);
        var target = _array.AsSpan(_length, (int)total);
        var position = WriteVarint(target, 0, (ulong)body);
        position = WriteVarint(target, position, delta);
        position = WriteField(target, position, key, hasKey);
        position = WriteField(target, position, value, hasValue);
        position = WriteVarint(target, position, (ulong)headers.Length);
        foreach (var header in headers)
        {
            var nameLength = Encoding.UTF8.GetByteCount(header.Name);
            position = WriteVarint(target, position, (ulong)nameLength);
            position += Encoding.UTF8.GetBytes(header.Name, target[position..]);
            position = WriteField(target, position, header.Value.GetValueOrDefault().Span, header.Value.HasValue);
        }

        _length += (int)total;
        _maxTimestampMs = Math.Max(_maxTimestampMs, timestampMs);
        RecordCount++;
        return true;
    }

    /// <summary>
    /// Compresses the records where that makes them smaller, fills header and checksum, and returns the batch. It takes no
    /// more records after it; sealing again with another producer identity is allowed.
    /// </summary>
    /// <exception cref="InvalidOperationException">No record was added.</exception>
    public ReadOnlyMemory<byte> Seal(
        Guid topicId, int partition, BatchProducer producer, CompressionType compression = CompressionType.None)
    {
        ObjectDisposedException.ThrowIf(_array.Length == 0, this);
        if (RecordCount == 0)
        {
            throw new InvalidOperationException("a batch needs at least one record");
        }

        if (_sealed is { } before)
        {
            return Rewrite(before with
            {
                TopicId = topicId,
                Partition = partition,
                ProducerId = producer.ProducerId,
                ProducerEpoch = producer.ProducerEpoch,
                BaseSequence = producer.BaseSequence,
            });
        }

        var uncompressedBytes = _length - RecordBatchHeader.Size;
        var used = Compress(compression);
        return Rewrite(new RecordBatchHeader
        {
            Length = _length,
            Compression = used,
            TopicId = topicId,
            Partition = partition,
            RecordCount = RecordCount,
            ProducerId = producer.ProducerId,
            BaseSequence = producer.BaseSequence,
            ProducerEpoch = producer.ProducerEpoch,
            BaseTimestampMs = _baseTimestampMs,
            MaxTimestampMs = _maxTimestampMs,
            LastOffsetDelta = RecordCount - 1,
            UncompressedBytes = uncompressedBytes,
        });
    }

    /// <summary>Forgets all records and keeps the buffer, so that the builder can be used again.</summary>
    public void Reset()
    {
        _length = RecordBatchHeader.Size;
        RecordCount = 0;
        _sealed = null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        var array = _array;
        _array = [];
        if (array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }

    private ReadOnlyMemory<byte> Rewrite(RecordBatchHeader header)
    {
        _sealed = header;
        var batch = _array.AsMemory(0, _length);
        header.Write(batch.Span);
        RecordBatchHeader.Seal(batch.Span);
        return batch;
    }

    private CompressionType Compress(CompressionType compression)
    {
        if (compression == CompressionType.None)
        {
            return compression;
        }

        var records = _array.AsSpan(RecordBatchHeader.Size, _length - RecordBatchHeader.Size);
        var target = ArrayPool<byte>.Shared.Rent(RecordBatchHeader.Size + records.Length);
        var compressed = BatchCompression.TryCompress(
            compression, records, target.AsSpan(RecordBatchHeader.Size, records.Length - 1));
        if (compressed == 0)
        {
            ArrayPool<byte>.Shared.Return(target);
            return CompressionType.None;
        }

        ArrayPool<byte>.Shared.Return(_array);
        _array = target;
        _length = RecordBatchHeader.Size + compressed;
        return compression;
    }

    private static long HeaderBytes(ReadOnlySpan<RecordHeader> headers)
    {
        long bytes = 0;
        foreach (var header in headers)
        {
            var nameLength = Encoding.UTF8.GetByteCount(header.Name);
            bytes += VarintSize((ulong)nameLength) + nameLength;
            bytes += header.Value is { } value ? VarintSize((ulong)value.Length + 1) + value.Length : 1;
        }

        return bytes;
    }

    private static int WriteField(Span<byte> target, int position, ReadOnlySpan<byte> bytes, bool present)
    {
        if (!present)
        {
            target[position] = 0;
            return position + 1;
        }

        position = WriteVarint(target, position, (ulong)bytes.Length + 1);
        bytes.CopyTo(target[position..]);
        return position + bytes.Length;
    }

    private static int WriteVarint(Span<byte> target, int position, ulong value)
    {
        while (value >= 0x80)
        {
            target[position++] = (byte)(value | 0x80);
            value >>= 7;
        }

        target[position++] = (byte)value;
        return position;
    }

    private static ulong Zigzag(long value) => (ulong)((value << 1) ^ (value >> 63));

    private static int VarintSize(ulong value) => (70 - System.Numerics.BitOperations.LeadingZeroCount(value | 1)) / 7;

    private void Grow(int needed)
    {
        if (needed <= _array.Length)
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Min(_maxBatchBytes, Math.Max(needed, _array.Length * 2)));
        _array.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_array);
        _array = larger;
    }
}
