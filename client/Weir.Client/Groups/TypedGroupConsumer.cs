using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Weir.Client.Connections;

namespace Weir.Client;

/// <summary>What a typed member of a group does with a record that cannot be deserialized.</summary>
public enum UndecodableRecords
{
    /// <summary>The enumeration, or the run, fails with <see cref="RecordDeserializationException"/>; the record stays unfinished.</summary>
    Throw,

    /// <summary>It is logged and set aside: finished in a stream; rejected in a queue, so a dead letter where the group has them.</summary>
    SetAside,
}

/// <summary>A record of a stream group whose key and value were deserialized.</summary>
/// <typeparam name="TKey">Type of the key.</typeparam>
/// <typeparam name="TValue">Type of the value.</typeparam>
/// <param name="key">The key.</param>
/// <param name="value">The value.</param>
/// <param name="record">The record as it was read.</param>
public readonly struct GroupRecord<TKey, TValue>(TKey key, TValue value, GroupRecord record)
{
    /// <summary>The key.</summary>
    public TKey Key { get; } = key;

    /// <summary>The value.</summary>
    public TValue Value { get; } = value;

    /// <summary>The record as it was read: headers, raw bytes, fencing token.</summary>
    public GroupRecord Record { get; } = record;
}

/// <summary>A <see cref="WeirGroupConsumer"/> that deserializes keys and values. Disposing it disposes the member inside.</summary>
/// <typeparam name="TKey">Type of the keys.</typeparam>
/// <typeparam name="TValue">Type of the values.</typeparam>
public sealed class WeirGroupConsumer<TKey, TValue> : IAsyncDisposable
{
    private readonly IDeserializer<TKey> _key;
    private readonly IDeserializer<TValue> _value;
    private readonly UndecodableRecords _undecodable;
    private readonly ILogger _logger;

    internal WeirGroupConsumer(
        WeirGroupConsumer consumer, IDeserializer<TKey> key, IDeserializer<TValue> value, UndecodableRecords undecodable, ILogger logger)
    {
        Consumer = consumer;
        _key = key;
        _value = value;
        _undecodable = undecodable;
        _logger = logger;
    }

    /// <summary>The member inside: assignment, commits, events.</summary>
    public WeirGroupConsumer Consumer { get; }

    /// <summary>As <see cref="WeirGroupConsumer.ReadAllAsync"/>.</summary>
    /// <exception cref="RecordDeserializationException">As the member was told by <see cref="UndecodableRecords"/>.</exception>
    public async IAsyncEnumerable<GroupRecord<TKey, TValue>> ReadAllAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (var record in Consumer.ReadAllAsync(ct).ConfigureAwait(false))
        {
            if (TryDeserialize(record, out var typed))
            {
                yield return typed.Value;
            }
        }
    }

    /// <summary>As <see cref="WeirGroupConsumer.RunAsync"/>.</summary>
    /// <exception cref="RecordDeserializationException">As the member was told by <see cref="UndecodableRecords"/>.</exception>
    public Task RunAsync(
        Func<GroupRecord<TKey, TValue>, CancellationToken, ValueTask> handler, int maxConcurrency = 1, CancellationToken ct = default) =>
        Consumer.RunAsync(
            (record, token) => TryDeserialize(record, out var typed) ? handler(typed.Value, token) : ValueTask.CompletedTask,
            maxConcurrency, ct);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Consumer.DisposeAsync();

    private bool TryDeserialize(in GroupRecord record, [NotNullWhen(true)] out GroupRecord<TKey, TValue>? typed)
    {
        var raw = record.Record;
        try
        {
            typed = new GroupRecord<TKey, TValue>(
                _key.Deserialize(raw.KeySpan, !raw.HasKey), _value.Deserialize(raw.ValueSpan, !raw.HasValue), record);
            return true;
        }
        catch (Exception e)
        {
            var fault = new RecordDeserializationException(raw, e);
            if (_undecodable == UndecodableRecords.Throw)
            {
                throw fault;
            }

            ClientLog.SetAside(_logger, fault);
            typed = null;
            return false;
        }
    }
}
