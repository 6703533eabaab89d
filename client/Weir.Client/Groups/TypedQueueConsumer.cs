using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Weir.Client.Connections;

namespace Weir.Client;

/// <summary>A record of a queue or keyed group whose key and value were deserialized.</summary>
/// <typeparam name="TKey">Type of the key.</typeparam>
/// <typeparam name="TValue">Type of the value.</typeparam>
/// <param name="key">The key.</param>
/// <param name="value">The value.</param>
/// <param name="delivery">The record as it was delivered, to settle it by.</param>
public readonly struct Delivery<TKey, TValue>(TKey key, TValue value, Delivery delivery)
{
    /// <summary>The key.</summary>
    public TKey Key { get; } = key;

    /// <summary>The value.</summary>
    public TValue Value { get; } = value;

    /// <summary>The record as it was delivered: acknowledge, release, reject or extend it here.</summary>
    public Delivery Raw { get; } = delivery;
}

/// <summary>A <see cref="WeirQueueConsumer"/> that deserializes keys and values. Disposing it disposes the member inside.</summary>
/// <typeparam name="TKey">Type of the keys.</typeparam>
/// <typeparam name="TValue">Type of the values.</typeparam>
public sealed class WeirQueueConsumer<TKey, TValue> : IAsyncDisposable
{
    private readonly IDeserializer<TKey> _key;
    private readonly IDeserializer<TValue> _value;
    private readonly UndecodableRecords _undecodable;
    private readonly ILogger _logger;

    internal WeirQueueConsumer(
        WeirQueueConsumer consumer, IDeserializer<TKey> key, IDeserializer<TValue> value, UndecodableRecords undecodable, ILogger logger)
    {
        Consumer = consumer;
        _key = key;
        _value = value;
        _undecodable = undecodable;
        _logger = logger;
    }

    /// <summary>The member inside.</summary>
    public WeirQueueConsumer Consumer { get; }

    /// <summary>As <see cref="WeirQueueConsumer.ReadAllAsync"/>.</summary>
    /// <exception cref="RecordDeserializationException">As the member was told by <see cref="UndecodableRecords"/>.</exception>
    public async IAsyncEnumerable<Delivery<TKey, TValue>> ReadAllAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var delivery in Consumer.ReadAllAsync(ct).ConfigureAwait(false))
        {
            if (TryDeserialize(delivery, out var typed))
            {
                yield return typed.Value;
            }
        }
    }

    /// <summary>As <see cref="WeirQueueConsumer.RunAsync"/>. With <see cref="UndecodableRecords.Throw"/> the record is released.</summary>
    public Task RunAsync(
        Func<Delivery<TKey, TValue>, CancellationToken, ValueTask> handler, int maxConcurrency = 1, CancellationToken ct = default) =>
        Consumer.RunAsync(
            (delivery, token) => TryDeserialize(delivery, out var typed) ? handler(typed.Value, token) : ValueTask.CompletedTask,
            maxConcurrency, ct);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Consumer.DisposeAsync();

    private bool TryDeserialize(Delivery delivery, [NotNullWhen(true)] out Delivery<TKey, TValue>? typed)
    {
        try
        {
            typed = new Delivery<TKey, TValue>(
                _key.Deserialize(delivery.Key.GetValueOrDefault().Span, delivery.Key is null),
                _value.Deserialize(delivery.Value.GetValueOrDefault().Span, delivery.Value is null),
                delivery);
            return true;
        }
        catch (Exception e)
        {
            var fault = new RecordDeserializationException(delivery, e);
            if (_undecodable == UndecodableRecords.Throw)
            {
                throw fault;
            }

            ClientLog.SetAside(_logger, fault);
            _ = Consumer.WatchAsync(delivery, delivery.RejectAsync(fault.Message));
            typed = null;
            return false;
        }
    }
}
