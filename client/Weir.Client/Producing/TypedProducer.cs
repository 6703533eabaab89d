using Weir.Client.Producing;
using Weir.Protocol.Records;

namespace Weir.Client;

/// <summary>
/// A <see cref="WeirProducer"/> that serializes keys and values. Thread-safe if its serializers are. Disposing it disposes
/// the producer inside.
/// </summary>
/// <typeparam name="TKey">Type of the keys.</typeparam>
/// <typeparam name="TValue">Type of the values.</typeparam>
public sealed class WeirProducer<TKey, TValue> : IAsyncDisposable
{
    private readonly ISerializer<TKey> _key;
    private readonly ISerializer<TValue> _value;

    internal WeirProducer(WeirProducer producer, ISerializer<TKey> key, ISerializer<TValue> value)
    {
        Producer = producer;
        _key = key;
        _value = value;
    }

    /// <summary>The producer inside: flush, counters, events.</summary>
    public WeirProducer Producer { get; }

    /// <summary>As <see cref="WeirProducer.SendAsync"/>. What a serializer throws comes by the task; nothing is sent then.</summary>
    public async ValueTask<SendResult> SendAsync(
        TKey key, TValue value, IReadOnlyList<RecordHeader>? headers = null, DateTimeOffset? timestamp = null,
        int? partition = null, DateTimeOffset? deliverAt = null, CancellationToken ct = default)
    {
        using var bytes = SerializedRecord.Create(_key, key, _value, value);
        return await Producer.SendAsync(bytes.ToRecord(headers, timestamp, partition, deliverAt), ct).ConfigureAwait(false);
    }

    /// <summary>As <see cref="WeirProducer.PostAsync"/>. What a serializer throws comes by the task; nothing is sent then.</summary>
    public async ValueTask PostAsync(
        TKey key, TValue value, IReadOnlyList<RecordHeader>? headers = null, DateTimeOffset? timestamp = null,
        int? partition = null, DateTimeOffset? deliverAt = null, CancellationToken ct = default)
    {
        using var bytes = SerializedRecord.Create(_key, key, _value, value);
        await Producer.PostAsync(bytes.ToRecord(headers, timestamp, partition, deliverAt), ct).ConfigureAwait(false);
    }

    /// <summary>As <see cref="WeirProducer.FlushAsync"/>.</summary>
    public ValueTask FlushAsync(CancellationToken ct = default) => Producer.FlushAsync(ct);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Producer.DisposeAsync();
}
