using System.Text;
using Weir.Client.Consuming;
using Weir.Protocol.Records;

namespace Weir.Client;

/// <summary>
/// A record as it was read. Small: key, value and headers are views of its batch's memory. With
/// <see cref="ConsumerOptions.ReuseBuffers"/> they are valid until the next record is asked for, else for ever.
/// </summary>
public readonly struct ConsumedRecord
{
    private readonly OpenBatch _batch;
    private readonly RecordSlices _slices;

    internal ConsumedRecord(OpenBatch batch, in RecordSlices slices, long offset)
    {
        _batch = batch;
        _slices = slices;
        Offset = offset;
    }

    /// <summary>The topic.</summary>
    public string Topic => _batch.Topic;

    /// <summary>The partition.</summary>
    public int Partition => _batch.Header.Partition;

    /// <summary>The offset in the partition.</summary>
    public long Offset { get; }

    /// <summary>The producer's time, in milliseconds.</summary>
    public DateTimeOffset Timestamp => ToTime(_slices.TimestampMs);

    /// <summary>When the leader appended it, in milliseconds.</summary>
    public DateTimeOffset AppendTime => ToTime(_batch.Header.AppendTimeMs);

    /// <summary>Epoch of the leader that appended it.</summary>
    public int LeaderEpoch => _batch.Header.LeaderEpoch;

    /// <summary>The key, or null if it has none; null and empty differ.</summary>
    public ReadOnlyMemory<byte>? Key => SliceOrNull(_batch.Records, _slices.KeyStart, _slices.KeyLength);

    /// <summary>The value, or null if it has none; null and empty differ.</summary>
    public ReadOnlyMemory<byte>? Value => SliceOrNull(_batch.Records, _slices.ValueStart, _slices.ValueLength);

    /// <summary>Number of headers; reads nothing.</summary>
    public int HeaderCount => _slices.HeaderCount;

    /// <summary>The headers, decoded at each call; empty if there are none.</summary>
    /// <exception cref="WeirException">The headers break the batch format.</exception>
    public IReadOnlyList<RecordHeader> Headers => _slices.HeaderCount == 0 ? [] : DecodeHeaders();

    internal ReadOnlySpan<byte> KeySpan =>
        _slices.KeyLength < 0 ? default : _batch.Records.Span.Slice(_slices.KeyStart, _slices.KeyLength);

    internal ReadOnlySpan<byte> ValueSpan =>
        _slices.ValueLength < 0 ? default : _batch.Records.Span.Slice(_slices.ValueStart, _slices.ValueLength);

    internal bool HasKey => _slices.KeyLength >= 0;

    internal bool HasValue => _slices.ValueLength >= 0;

    // Written out: in a conditional expression, null would become an empty memory by its conversion from an array.
    private static ReadOnlyMemory<byte>? SliceOrNull(ReadOnlyMemory<byte> records, int start, int length) =>
        length < 0 ? default(ReadOnlyMemory<byte>?) : records.Slice(start, length);

    private static DateTimeOffset ToTime(long unixMs) => DateTimeOffset.FromUnixTimeMilliseconds(
        Math.Clamp(unixMs, DateTimeOffset.MinValue.ToUnixTimeMilliseconds(), DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()));

    private RecordHeader[] DecodeHeaders()
    {
        var records = _batch.Records;
        var headers = new RecordHeader[_slices.HeaderCount];
        var position = _slices.HeadersStart;
        try
        {
            for (var i = 0; i < headers.Length; i++)
            {
                var found = RecordReader.ReadHeader(records.Span, position, _slices.End);
                var name = Encoding.UTF8.GetString(records.Span.Slice(found.NameStart, found.NameLength));
                headers[i] = new RecordHeader(name, SliceOrNull(records, found.ValueStart, found.ValueLength));
                position = found.End;
            }

            return headers;
        }
        catch (Protocol.Errors.ProtocolException e)
        {
            throw WeirException.At(e.Code, e.Message, Topic, Partition, Offset, e);
        }
    }
}

/// <summary>A record whose key and value were deserialized.</summary>
/// <typeparam name="TKey">Type of the key.</typeparam>
/// <typeparam name="TValue">Type of the value.</typeparam>
/// <param name="key">The key.</param>
/// <param name="value">The value.</param>
/// <param name="record">The record as it was read.</param>
public readonly struct ConsumedRecord<TKey, TValue>(TKey key, TValue value, ConsumedRecord record)
{
    /// <summary>The key.</summary>
    public TKey Key { get; } = key;

    /// <summary>The value.</summary>
    public TValue Value { get; } = value;

    /// <summary>The record as it was read: headers, raw bytes.</summary>
    public ConsumedRecord Record { get; } = record;

    /// <summary>The topic.</summary>
    public string Topic => Record.Topic;

    /// <summary>The partition.</summary>
    public int Partition => Record.Partition;

    /// <summary>The offset in the partition.</summary>
    public long Offset => Record.Offset;

    /// <summary>The producer's time.</summary>
    public DateTimeOffset Timestamp => Record.Timestamp;
}

/// <summary>
/// A batch as it is stored, header and records in one piece, checksum verified, not decompressed. Valid until the next
/// batch is asked for. The first batch may begin before the offset that reading started at.
/// </summary>
public readonly struct ConsumedBatch
{
    internal ConsumedBatch(string topic, in RecordBatchHeader header, ReadOnlyMemory<byte> memory, long highWatermark)
    {
        Topic = topic;
        Header = header;
        Memory = memory;
        HighWatermark = highWatermark;
    }

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>The batch's header.</summary>
    public RecordBatchHeader Header { get; }

    /// <summary>The whole batch, header included.</summary>
    public ReadOnlyMemory<byte> Memory { get; }

    /// <summary>The partition's high watermark when the batch was delivered.</summary>
    public long HighWatermark { get; }

    /// <summary>The partition.</summary>
    public int Partition => Header.Partition;

    /// <summary>Offset of the first record.</summary>
    public long BaseOffset => Header.BaseOffset;

    /// <summary>Number of records.</summary>
    public int RecordCount => Header.RecordCount;
}
