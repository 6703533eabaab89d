using Microsoft.Extensions.Logging;
using Weir.Client.Connections;
using Weir.Client.Metadata;
using Weir.Client.Producing;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Client;

/// <summary>
/// A client of one cluster: one TCP connection per broker, shared by all producers, consumers and administration calls that
/// it creates. Reconnects by itself. Thread-safe; create one per application and dispose it at the end.
/// </summary>
public sealed class WeirClient : IAsyncDisposable
{
    private readonly ClusterConnections _cluster;
    private readonly TopicCatalog _catalog;
    private readonly Lock _lock = new();
    private readonly HashSet<WeirProducer> _producers = [];
    private readonly HashSet<WeirConsumer> _consumers = [];
    private readonly HashSet<IAsyncDisposable> _members = [];
    private bool _isDisposed;

    private WeirClient(ClusterConnections cluster)
    {
        _cluster = cluster;
        _catalog = new TopicCatalog(cluster);
        Admin = new WeirAdmin(cluster, _catalog);
    }

    /// <summary>Administration of topics and brokers.</summary>
    public WeirAdmin Admin { get; }

    /// <summary>The cluster's id.</summary>
    public string ClusterId => _cluster.ClusterId;

    /// <summary>Connects to the first of the servers that answers.</summary>
    /// <param name="options">How; copied.</param>
    /// <param name="ct">Ends the attempt.</param>
    /// <exception cref="WeirException">
    /// <see cref="ErrorCode.InvalidConfig"/> with every fault of the options, <see cref="ErrorCode.ConnectionLost"/> if no
    /// server answered, <see cref="ErrorCode.WrongCluster"/>, or what the broker answered.
    /// </exception>
    public static async Task<WeirClient> ConnectAsync(WeirClientOptions options, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options = options.Copy();
        if (options.FindFaults() is { Count: > 0 } faults)
        {
            throw new WeirException(ErrorCode.InvalidConfig, $"the client's options: {string.Join("; ", faults)}");
        }

        var cluster = new ClusterConnections(options, options.LoggerFactory.CreateLogger<WeirClient>());
        try
        {
            await cluster.ConnectFirstAsync(ct).ConfigureAwait(false);
            return new WeirClient(cluster);
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Connects with default options.</summary>
    /// <param name="servers">Brokers to ask first, <c>HOST:PORT[,HOST:PORT...]</c>.</param>
    /// <param name="ct">Ends the attempt.</param>
    /// <exception cref="WeirException">As for the other overload.</exception>
    public static Task<WeirClient> ConnectAsync(string servers, CancellationToken ct = default) =>
        ConnectAsync(new WeirClientOptions { Servers = servers }, ct);

    /// <summary>Creates a producer. The topic is asked for in the background; that it exists shows at the first send.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="options">How it batches and retries; copied. Null for the defaults.</param>
    /// <exception cref="ArgumentException">The topic's name or an option is not valid.</exception>
    public WeirProducer CreateProducer(string topic, ProducerOptions? options = null)
    {
        CheckTopic(topic);
        var core = new ProducerCore(topic, (options ?? new ProducerOptions()).CheckedCopy(), _cluster, _catalog);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var producer = new WeirProducer(core, Forget);
            _producers.Add(producer);
            return producer;
        }
    }

    /// <summary>Creates a producer that serializes. See <see cref="CreateProducer(string, ProducerOptions?)"/>.</summary>
    public WeirProducer<TKey, TValue> CreateProducer<TKey, TValue>(
        string topic, ISerializer<TKey> key, ISerializer<TValue> value, ProducerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        return new WeirProducer<TKey, TValue>(CreateProducer(topic, options), key, value);
    }

    /// <summary>Creates a consumer. Nothing is sent before it is enumerated.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="options">What it reads; copied. Null for everything from the earliest record on.</param>
    /// <exception cref="ArgumentException">The topic's name or an option is not valid.</exception>
    public WeirConsumer CreateConsumer(string topic, ConsumerOptions? options = null)
    {
        CheckTopic(topic);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var consumer = new WeirConsumer(
                topic, (options ?? new ConsumerOptions()).CheckedCopy(), _cluster, _catalog, Forget);
            _consumers.Add(consumer);
            return consumer;
        }
    }

    /// <summary>Creates a consumer that deserializes. See <see cref="CreateConsumer(string, ConsumerOptions?)"/>.</summary>
    public WeirConsumer<TKey, TValue> CreateConsumer<TKey, TValue>(
        string topic, IDeserializer<TKey> key, IDeserializer<TValue> value, ConsumerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        return new WeirConsumer<TKey, TValue>(CreateConsumer(topic, options), key, value);
    }

    /// <summary>
    /// The latest committed record of a key of an entity topic. A record that was acknowledged before the call is never missed.
    /// </summary>
    /// <param name="topic">The topic, of kind entity.</param>
    /// <param name="key">The key, at most 32 KiB.</param>
    /// <param name="ct">Ends the waiting.</param>
    /// <returns>The record, which may be a tombstone; null if the key has none.</returns>
    /// <exception cref="WeirException">
    /// <see cref="ErrorCode.InvalidRequest"/> for a topic of another kind, <see cref="ErrorCode.UnknownTopic"/>, or what the
    /// partition's leader answered.
    /// </exception>
    public Task<LatestRecord?> GetLatestAsync(string topic, ReadOnlyMemory<byte> key, CancellationToken ct = default)
    {
        CheckTopic(topic);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(key.Length, ProtocolLimits.KeyBytes, nameof(key));
        return LatestLookup.GetAsync(_cluster, _catalog, topic, key, ct);
    }

    /// <summary>Creates a member of a stream group. It joins when it is enumerated first.</summary>
    /// <param name="group">A declared group of mode stream.</param>
    /// <param name="options">How it commits and reads ahead; copied. Null for the defaults.</param>
    /// <exception cref="ArgumentException">The group's name or an option is not valid.</exception>
    public WeirGroupConsumer CreateGroupConsumer(string group, GroupConsumerOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(group);
        return Add(new WeirGroupConsumer(group, (options ?? new GroupConsumerOptions()).Copy(), _cluster, _catalog, Forget));
    }

    /// <summary>Creates a member that deserializes. See <see cref="CreateGroupConsumer(string, GroupConsumerOptions?)"/>.</summary>
    public WeirGroupConsumer<TKey, TValue> CreateGroupConsumer<TKey, TValue>(
        string group, IDeserializer<TKey> key, IDeserializer<TValue> value, GroupConsumerOptions? options = null,
        UndecodableRecords undecodable = UndecodableRecords.Throw)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        return new WeirGroupConsumer<TKey, TValue>(CreateGroupConsumer(group, options), key, value, undecodable, _cluster.Logger);
    }

    /// <summary>Creates a member that deserializes. See <see cref="CreateQueueConsumer(string, QueueConsumerOptions?)"/>.</summary>
    public WeirQueueConsumer<TKey, TValue> CreateQueueConsumer<TKey, TValue>(
        string group, IDeserializer<TKey> key, IDeserializer<TValue> value, QueueConsumerOptions? options = null,
        UndecodableRecords undecodable = UndecodableRecords.Throw)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        return new WeirQueueConsumer<TKey, TValue>(CreateQueueConsumer(group, options), key, value, undecodable, _cluster.Logger);
    }

    /// <summary>Creates a member of a queue or keyed group. It joins when it is enumerated first.</summary>
    /// <param name="group">A declared group.</param>
    /// <param name="options">Its mode and bounds; copied. Null for the defaults.</param>
    /// <exception cref="ArgumentException">The group's name or an option is not valid.</exception>
    public WeirQueueConsumer CreateQueueConsumer(string group, QueueConsumerOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(group);
        return Add(new WeirQueueConsumer(group, (options ?? new QueueConsumerOptions()).Copy(), _cluster, Forget));
    }

    /// <summary>
    /// Disposes its producers (which send what is buffered, for at most 5 s), its consumers and its connections. Safe at any
    /// moment; never throws.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        WeirProducer[] producers;
        WeirConsumer[] consumers;
        IAsyncDisposable[] members;
        lock (_lock)
        {
            _isDisposed = true;
            members = [.. _members];
            producers = [.. _producers];
            consumers = [.. _consumers];
        }

        await Task.WhenAll(members.Select(static member => member.DisposeAsync().AsTask())).ConfigureAwait(false);
        await Task.WhenAll(producers.Select(static producer => producer.DisposeAsync().AsTask())).ConfigureAwait(false);
        foreach (var consumer in consumers)
        {
            await consumer.DisposeAsync().ConfigureAwait(false);
        }

        await _cluster.DisposeAsync().ConfigureAwait(false);
    }

    private static void CheckTopic(string topic)
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        if (!TopicName.IsValid(topic))
        {
            throw new ArgumentException($"'{topic}' is not 1 to 249 of [a-zA-Z0-9._-]", nameof(topic));
        }
    }

    private T Add<T>(T member)
        where T : IAsyncDisposable
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            _members.Add(member);
            return member;
        }
    }

    private void Forget(IAsyncDisposable member)
    {
        lock (_lock)
        {
            _members.Remove(member);
        }
    }

    private void Forget(WeirProducer producer)
    {
        lock (_lock)
        {
            _producers.Remove(producer);
        }
    }

    private void Forget(WeirConsumer consumer)
    {
        lock (_lock)
        {
            _consumers.Remove(consumer);
        }
    }
}
