using System.Buffers;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;

namespace Weir.Client.Producing;

/// <summary>Key and value of one record in a pooled buffer, until the record is buffered by the producer.</summary>
internal sealed class SerializedRecord : IBufferWriter<byte>, IDisposable
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(512);
    private int _length;
    private int _keyLength;
    private bool _hasKey;
    private bool _hasValue;

    /// <summary>Serializes both; what a serializer throws leaves no buffer behind.</summary>
    public static SerializedRecord Create<TKey, TValue>(
        ISerializer<TKey> keys, TKey key, ISerializer<TValue> values, TValue value)
    {
        var record = new SerializedRecord();
        try
        {
            record._hasKey = !keys.IsNull(key);
            if (record._hasKey)
            {
                keys.Serialize(key, record);
            }

            record._keyLength = record._length;
            record._hasValue = !values.IsNull(value);
            if (record._hasValue)
            {
                values.Serialize(value, record);
            }

            return record;
        }
        catch
        {
            record.Dispose();
            throw;
        }
    }

    public OutgoingRecord ToRecord(
        IReadOnlyList<RecordHeader>? headers, DateTimeOffset? timestamp, int? partition, DateTimeOffset? deliverAt) => new()
    {
        Key = _hasKey ? _bytes.AsMemory(0, _keyLength) : default(ReadOnlyMemory<byte>?),
        Value = _hasValue ? _bytes.AsMemory(_keyLength, _length - _keyLength) : default(ReadOnlyMemory<byte>?),
        Headers = headers,
        Timestamp = timestamp,
        Partition = partition,
        DeliverAt = deliverAt,
    };

    public void Advance(int count) => _length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var needed = Math.Max(sizeHint, 64);
        if (_bytes.Length - _length < needed)
        {
            if (_length + (long)needed > ProtocolLimits.FrameBytes * 2L)
            {
                throw new InvalidOperationException("a serializer wrote more than a batch can hold");
            }

            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, _length + needed));
            _bytes.AsSpan(0, _length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }

        return _bytes.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public void Dispose()
    {
        var bytes = _bytes;
        _bytes = [];
        if (bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }
}
