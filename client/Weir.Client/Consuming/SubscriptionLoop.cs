using Weir.Client.Connections;
using Weir.Client.Metadata;
using Weir.Protocol.Errors;

namespace Weir.Client.Consuming;

/// <summary>
/// Makes and renews the subscriptions of one enumeration, and looks for new partitions from time to time. Its session
/// creates and disposes it.
/// </summary>
internal sealed class SubscriptionLoop(
    ConsumerSession session,
    ConsumerOptions options,
    IReadOnlyDictionary<int, ConsumerStart> resumeAt,
    IReadOnlySet<int> paused,
    ClusterConnections cluster,
    TopicCatalog catalog) : IAsyncDisposable
{
    private static readonly TimeSpan LookForPartitionsEvery = TimeSpan.FromSeconds(30);
    private static uint s_lastSubscriptionId;

    private readonly CancellationTokenSource _closing = CancellationTokenSource.CreateLinkedTokenSource(cluster.Closing);
    private readonly Lock _lock = new();
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;
    private bool _mustRefresh;

    /// <summary>Starts it, once.</summary>
    public void Start() => _running = Task.Run(RunAsync, CancellationToken.None);

    /// <summary>Has it look at once.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            _news.TrySetResult();
        }
    }

    /// <summary>When to try again after so many failures.</summary>
    public long RetryAt(int failures, TimeSpan atLeast)
    {
        var wait = Backoff.Delay(cluster.Options.ReconnectBackoff, cluster.Options.ReconnectBackoffMax, failures);
        wait = wait > atLeast ? wait : atLeast;
        return cluster.Time.GetTimestamp() + (long)(wait.TotalSeconds * cluster.Time.TimestampFrequency);
    }

    public void OnSubscribed(int partition, long offset) =>
        ClientLog.Subscribed(cluster.Logger, session.Topic, partition, offset);

    public void OnEnded(int partition, long position, WeirException reason)
    {
        Volatile.Write(ref _mustRefresh, true);
        ClientLog.Resubscribing(cluster.Logger, session.Topic, partition, position >= 0 ? position : null, reason.Message);
        Wake();
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _closing.Dispose();
    }

    private async Task RunAsync()
    {
        var ct = _closing.Token;
        try
        {
            var topic = await catalog.GetAsync(session.Topic, ct).ConfigureAwait(false);
            session.AddPartitions(Choose(topic), paused);
            while (true)
            {
                topic = await SubscribeAllAsync(topic, ct).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            session.Fail(new ObjectDisposedException(nameof(WeirConsumer)));
        }
        catch (Exception e)
        {
            session.Fail(e);
        }
    }

    private async Task<TopicSnapshot> SubscribeAllAsync(TopicSnapshot topic, CancellationToken ct)
    {
        Task news;
        lock (_lock)
        {
            if (_news.Task.IsCompleted)
            {
                _news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            news = _news.Task;
        }

        ct.ThrowIfCancellationRequested();
        var needed = session.TakeNeeded(cluster.Time.GetTimestamp(), out _);
        if (needed.Count > 0)
        {
            topic = await RefreshIfDueAsync(topic, needed, ct).ConfigureAwait(false);

            // Side by side: the leader of one may not answer.
            await Task.WhenAll(needed.Select(reader => SubscribeAsync(topic, reader, ct))).ConfigureAwait(false);
        }

        if (session.TakeNeeded(cluster.Time.GetTimestamp(), out var nextAt).Count > 0)
        {
            return topic;
        }

        try
        {
            await news.WaitAsync(WaitUntil(nextAt), cluster.Time, ct).ConfigureAwait(false);
            return topic;
        }
        catch (TimeoutException)
        {
            return nextAt == long.MaxValue ? await LookForPartitionsAsync(topic, ct).ConfigureAwait(false) : topic;
        }
    }

    private TimeSpan WaitUntil(long timestamp)
    {
        if (timestamp == long.MaxValue)
        {
            return LookForPartitionsEvery;
        }

        var wait = cluster.Time.GetElapsedTime(cluster.Time.GetTimestamp(), timestamp);
        return wait > TimeSpan.FromMilliseconds(1) ? wait : TimeSpan.FromMilliseconds(1);
    }

    /// <summary>Asks who leads now, if something ended; if nobody can say, the readers try again later.</summary>
    private async Task<TopicSnapshot> RefreshIfDueAsync(TopicSnapshot topic, List<PartitionReader> needed, CancellationToken ct)
    {
        if (!Interlocked.Exchange(ref _mustRefresh, false))
        {
            return topic;
        }

        try
        {
            return await catalog.RefreshAsync(session.Topic, ct).ConfigureAwait(false);
        }
        catch (WeirException e) when (e.IsRetriable)
        {
            foreach (var reader in needed)
            {
                Postpone(reader, e);
            }

            needed.Clear();
            return topic;
        }
    }

    private async Task SubscribeAsync(TopicSnapshot topic, PartitionReader reader, CancellationToken ct)
    {
        try
        {
            if (reader.Partition >= topic.PartitionCount)
            {
                throw WeirException.At(
                    ErrorCode.UnknownPartition, $"the topic has {topic.PartitionCount} partitions", session.Topic, reader.Partition);
            }

            var connection = await catalog.GetLeaderAsync(topic, reader.Partition, ct).ConfigureAwait(false);
            session.Subscribe(reader, connection, topic.Id, Interlocked.Increment(ref s_lastSubscriptionId));
        }
        catch (WeirException e) when (e.IsRetriable)
        {
            Postpone(reader, e);
        }
    }

    private void Postpone(PartitionReader reader, WeirException reason)
    {
        Volatile.Write(ref _mustRefresh, true);
        reader.RetryAt = RetryAt(++reader.Failures, reason.RetryAfter);
    }

    private async Task<TopicSnapshot> LookForPartitionsAsync(TopicSnapshot topic, CancellationToken ct)
    {
        if (options.Partitions is not null || options.StopAtEnd)
        {
            return topic;
        }

        try
        {
            var now = await catalog.RefreshAsync(session.Topic, ct).ConfigureAwait(false);
            var added = Enumerable.Range(0, now.PartitionCount).Skip(topic.PartitionCount);
            session.AddPartitions(added.Select(static partition => (partition, ConsumerStart.Earliest)), paused);
            return now;
        }
        catch (WeirException e) when (e.IsRetriable)
        {
            return topic;
        }
    }

    private List<(int Partition, ConsumerStart Start)> Choose(TopicSnapshot topic)
    {
        var partitions = options.Partitions ?? [.. Enumerable.Range(0, topic.PartitionCount)];
        return [.. partitions.Select(partition => (partition, resumeAt.GetValueOrDefault(partition, options.Start)))];
    }
}
