using System.Runtime.CompilerServices;
using Weir.Protocol.Errors;

namespace Weir.Client;

/// <summary>A <see cref="WeirConsumer"/> that deserializes keys and values. Disposing it disposes the consumer inside.</summary>
/// <typeparam name="TKey">Type of the keys.</typeparam>
/// <typeparam name="TValue">Type of the values.</typeparam>
public sealed class WeirConsumer<TKey, TValue> : IAsyncDisposable
{
    private readonly IDeserializer<TKey> _key;
    private readonly IDeserializer<TValue> _value;

    internal WeirConsumer(WeirConsumer consumer, IDeserializer<TKey> key, IDeserializer<TValue> value)
    {
        Consumer = consumer;
        _key = key;
        _value = value;
    }

    /// <summary>The consumer inside: seek, pause, resume, position.</summary>
    public WeirConsumer Consumer { get; }

    /// <summary>As <see cref="WeirConsumer.ReadAllAsync"/>.</summary>
    /// <exception cref="RecordDeserializationException">
    /// A record cannot be deserialized. The position is after it: enumerating again goes on with the next record.
    /// </exception>
    public async IAsyncEnumerable<ConsumedRecord<TKey, TValue>> ReadAllAsync(
        [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var record in Consumer.ReadAllAsync(ct).ConfigureAwait(false))
        {
            yield return Deserialize(record);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Consumer.DisposeAsync();

    private ConsumedRecord<TKey, TValue> Deserialize(in ConsumedRecord record)
    {
        try
        {
            return new ConsumedRecord<TKey, TValue>(
                _key.Deserialize(record.KeySpan, !record.HasKey), _value.Deserialize(record.ValueSpan, !record.HasValue), record);
        }
        catch (Exception e)
        {
            throw new RecordDeserializationException(record, e);
        }
    }
}

/// <summary>A record's key or value is not what its deserializer reads. The record is not lost: it is given here.</summary>
public sealed class RecordDeserializationException : WeirException
{
    internal RecordDeserializationException(in ConsumedRecord record, Exception inner)
        : this(record.Topic, record.Partition, record.Offset, record.Key, record.Value, inner)
    {
    }

    internal RecordDeserializationException(Delivery delivery, Exception inner)
        : this(delivery.Topic, delivery.Partition, delivery.Offset, delivery.Key, delivery.Value, inner)
    {
    }

    private RecordDeserializationException(
        string topic, int partition, long offset, ReadOnlyMemory<byte>? key, ReadOnlyMemory<byte>? value, Exception inner)
        : base(
            ErrorCode.InvalidRequest,
            $"record at offset {offset} of {topic} {partition} cannot be deserialized: {inner.Message}",
            inner)
    {
        Topic = topic;
        Partition = partition;
        Offset = offset;
        Key = key?.ToArray();
        Value = value?.ToArray();
    }

    /// <summary>The key's bytes, or null.</summary>
    public byte[]? Key { get; }

    /// <summary>The value's bytes, or null.</summary>
    public byte[]? Value { get; }
}
