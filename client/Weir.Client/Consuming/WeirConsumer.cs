using Weir.Client.Connections;
using Weir.Client.Consuming;
using Weir.Client.Metadata;

namespace Weir.Client;

/// <summary>
/// Reads a topic's partitions, pushed by the broker within a byte credit per partition. Records of one partition come in
/// order, each once; partitions take turns. Reconnects by itself and goes on at the next offset.
/// </summary>
/// <remarks>
/// One enumeration at a time; a later one goes on where the last one stopped. Seek, pause, resume and position may be
/// called from any thread, also during an enumeration. If retention removed the next record, the enumeration fails with
/// <see cref="Protocol.Errors.ErrorCode.OffsetOutOfRange"/>: nothing is ever skipped silently; seek to go on.
/// </remarks>
public sealed class WeirConsumer : IAsyncDisposable
{
    private readonly ClusterConnections _cluster;
    private readonly TopicCatalog _catalog;
    private readonly ConsumerOptions _options;
    private readonly Action<WeirConsumer> _onDisposed;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, ConsumerStart> _resumeAt = [];
    private readonly HashSet<int> _paused = [];
    private ConsumerSession? _session;
    private bool _isDisposed;

    internal WeirConsumer(
        string topic, ConsumerOptions options, ClusterConnections cluster, TopicCatalog catalog,
        Action<WeirConsumer> onDisposed)
    {
        Topic = topic;
        _options = options;
        _cluster = cluster;
        _catalog = catalog;
        _onDisposed = onDisposed;
    }

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>Reads records until cancelled, disposed, or at the end if so asked.</summary>
    /// <param name="ct">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="WeirException">A fault that waiting does not mend, with topic, partition and offset.</exception>
    /// <exception cref="InvalidOperationException">Another enumeration of this consumer is under way.</exception>
    public IAsyncEnumerable<ConsumedRecord> ReadAllAsync(CancellationToken ct = default) =>
        new Enumeration<ConsumedRecord>(token => Enumerate(ct, token));

    /// <summary>Reads stored batches, for relays and tools: verified, not decompressed, valid until the next.</summary>
    /// <param name="ct">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="WeirException">A fault that waiting does not mend, with topic, partition and offset.</exception>
    /// <exception cref="InvalidOperationException">Another enumeration of this consumer is under way.</exception>
    public IAsyncEnumerable<ConsumedBatch> ReadBatchesAsync(CancellationToken ct = default) =>
        new Enumeration<ConsumedBatch>(token =>
        {
            var session = Begin(usesPooledFrames: true, out var scope, ct, token);
            return new BatchEnumerator(session, scope);
        });

    /// <summary>Has a partition go on elsewhere, from the next record on.</summary>
    public void Seek(int partition, ConsumerStart to)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(partition);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            _resumeAt[partition] = to;
            _session?.Seek(partition, to);
        }
    }

    /// <summary>Hands out no more records of these partitions, from the next record on. What is prefetched stays.</summary>
    public void Pause(params int[] partitions) => SetPaused(partitions, isPaused: true);

    /// <summary>Ends <see cref="Pause"/>.</summary>
    public void Resume(params int[] partitions) => SetPaused(partitions, isPaused: false);

    /// <summary>The offset after the last record that was handed out; null if nothing is known yet.</summary>
    public long? Position(int partition)
    {
        lock (_lock)
        {
            if (_session is { } session)
            {
                return session.Position(partition);
            }

            return _resumeAt.TryGetValue(partition, out var start)
                && start.Position == Protocol.Messages.StartPosition.Offset ? start.Value : null;
        }
    }

    /// <summary>Ends an enumeration with <see cref="ObjectDisposedException"/>. Does nothing the second time.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _session?.Fail(new ObjectDisposedException(nameof(WeirConsumer)));
        }

        _onDisposed(this);
        return ValueTask.CompletedTask;
    }

    internal RecordEnumerator Enumerate(CancellationToken first, CancellationToken second = default)
    {
        var session = Begin(_options.ReuseBuffers, out var scope, first, second);
        return new RecordEnumerator(session, scope, _cluster.Options.MaxUncompressedBatchBytes, _options.ReuseBuffers);
    }

    internal void End(ConsumerSession session)
    {
        lock (_lock)
        {
            foreach (var (partition, position) in session.Positions())
            {
                _resumeAt[partition] = ConsumerStart.AtOffset(position);
            }

            _session = null;
        }
    }

    private void SetPaused(int[] partitions, bool isPaused)
    {
        lock (_lock)
        {
            foreach (var partition in partitions)
            {
                _ = isPaused ? _paused.Add(partition) : _paused.Remove(partition);
                _session?.SetPaused(partition, isPaused);
            }
        }
    }

    private ConsumerSession Begin(
        bool usesPooledFrames, out EnumerationScope scope, CancellationToken first, CancellationToken second)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_session is not null)
            {
                throw new InvalidOperationException("this consumer is being enumerated already");
            }

            var resumeAt = new Dictionary<int, ConsumerStart>(_resumeAt);
            var paused = new HashSet<int>(_paused);
            _session = new ConsumerSession(Topic, _options, usesPooledFrames, session =>
                new SubscriptionLoop(session, _options, resumeAt, paused, _cluster, _catalog));
            scope = new EnumerationScope(this, _session, first, second);
            _session.Start();
            return _session;
        }
    }
}
