using System.Text;
using Weir.Client.Connections;
using Weir.Client.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client.Producing;

/// <summary>
/// What the partitions of one producer share: topic, identity, buffers, clocks, and the count of what became of records.
/// Thread-safe.
/// </summary>
internal sealed class ProducerCore : IAsyncDisposable
{
    private static readonly TimeSpan DisposeFlushLimit = TimeSpan.FromSeconds(5);

    private readonly ClusterConnections _cluster;
    private readonly TopicCatalog _catalog;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _closing;
    private readonly CancellationToken _closingToken;
    private readonly ProducerTimers _timers;
    private PartitionProducer[] _partitions = [];
    private TopicSnapshot? _topic;
    private Task? _starting;
    private bool _isStale;
    private bool _isDisposed;

    public ProducerCore(string topic, ProducerOptions options, ClusterConnections cluster, TopicCatalog catalog)
    {
        TopicName = topic;
        Options = options;
        FrameOverheadBytes = FrameHeader.Size + 32 + Encoding.UTF8.GetByteCount(options.Writer ?? string.Empty);
        _cluster = cluster;
        _catalog = catalog;
        _closing = CancellationTokenSource.CreateLinkedTokenSource(cluster.Closing);
        _closingToken = _closing.Token;
        Gate = new BufferGate(options.BufferBytes);
        Batches = new BatchPool(maxKept: Math.Clamp(options.BufferBytes / options.BatchBytes, 4, 256));
        Deliveries = new DeliveryLedger(topic, cluster.Logger);
        DeliveryTicks = ToTicks(options.DeliveryTimeout);
        LingerTicks = ToTicks(options.Linger);
        _timers = new ProducerTimers(this, options);
    }

    /// <summary>Bytes of a produce frame around its batch.</summary>
    public int FrameOverheadBytes { get; }

    public string TopicName { get; }

    public ProducerOptions Options { get; }

    public BufferGate Gate { get; }

    /// <summary>Called when the topic has become known, or has changed.</summary>
    public event Action? Changed;

    public BatchPool Batches { get; }

    public DeliveryLedger Deliveries { get; }

    public TimeProvider Time => _cluster.Time;

    /// <summary>Linger in timestamp ticks.</summary>
    public long LingerTicks { get; }

    /// <summary>Delivery timeout in timestamp ticks.</summary>
    public long DeliveryTicks { get; }

    /// <summary>Bytes at which a batch is closed.</summary>
    public int BatchBytes { get; private set; }

    /// <summary>The topic; set once <see cref="IsReady"/>.</summary>
    public TopicSnapshot Topic => _topic!;

    /// <summary>The partitions by index; empty until <see cref="IsReady"/>.</summary>
    public PartitionProducer[] Partitions => Volatile.Read(ref _partitions);

    /// <summary>Whether topic and identity are known.</summary>
    public bool IsReady => Volatile.Read(ref _partitions).Length > 0;

    public bool IsDisposed => Volatile.Read(ref _isDisposed);

    /// <summary>Gets topic and identity; a failed attempt is followed by another at the next call.</summary>
    public Task StartAsync()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, typeof(WeirProducer));
            if (_starting is null || _starting.IsFaulted || _starting.IsCanceled)
            {
                _starting = StartCoreAsync();
            }

            return _starting;
        }
    }

    /// <summary>The open connection to a partition's leader, or null if something must be prepared first.</summary>
    public BrokerConnection? OpenLeader(int partition)
    {
        var leaders = Topic.Leaders;
        return !Volatile.Read(ref _isStale) && partition < leaders.Length ? _cluster.OpenNode(leaders[partition]) : null;
    }

    /// <summary>Gets, in the background, a connection to the partition's leader, and a new identity if asked for.</summary>
    public void Prepare(PartitionProducer partition, bool renewsIdentity) =>
        _ = Task.Run(() => PrepareAsync(partition, renewsIdentity), CancellationToken.None);

    /// <summary>When to try again after so many failures in a row.</summary>
    public long RetryAt(int failures, int retryAfterMs)
    {
        var options = _cluster.Options;
        var wait = Backoff.Delay(options.ReconnectBackoff, options.ReconnectBackoffMax, failures);
        return Time.GetTimestamp() + Math.Max(ToTicks(wait), ToTicks(TimeSpan.FromMilliseconds(Math.Max(retryAfterMs, 0))));
    }

    /// <summary>Has the pumps run again at a timestamp.</summary>
    public void PumpAt(long timestamp) => _timers.PumpAt(timestamp);

    /// <summary>A batch was opened.</summary>
    public void OnOpened() => _timers.ArmLinger();

    /// <summary>A batch was closed: records without a key go on to the next partition.</summary>
    public void OnClosed(int partition) => Sticky.Leave(partition);

    public StickyPartition Sticky { get; } = new();

    public void OnRefused(int partition, ErrorMessage error)
    {
        // Whatever it was, another broker may lead by now; but for a full buffer, which is the leader's own.
        if (error.Error is not ErrorCode.Throttled)
        {
            MarkStale();
        }

        ClientLog.ProduceRetried(_cluster.Logger, TopicName, partition, error.Text);
    }

    /// <summary>What is known of the topic may be out of date.</summary>
    public void MarkStale() => Volatile.Write(ref _isStale, true);

    /// <summary>Reports records as failed.</summary>
    public void OnFailed(FailedRecords records, int partition, WeirException error)
    {
        Deliveries.Fail(records, partition, error);
        records.Tell(error);
    }

    /// <summary>Takes a batch out of use.</summary>
    public void Retire(ProducerBatch batch)
    {
        var reserved = batch.ReservedBytes;
        Batches.Return(batch, BatchBytes);
        Gate.Release(reserved);
    }

    /// <summary>
    /// The buffer is full: if it is full of open batches alone, sends them. If others are on their way they will make room,
    /// and the open ones had better be filled.
    /// </summary>
    public void MakeRoom()
    {
        foreach (var partition in Partitions)
        {
            if (partition.HasUnfinished)
            {
                return;
            }
        }

        foreach (var partition in Partitions)
        {
            partition.SendOpen();
        }
    }

    /// <summary>Waits until every record taken so far has its outcome.</summary>
    public Task FlushAsync()
    {
        var barrier = new FlushBarrier();
        foreach (var partition in Partitions)
        {
            partition.Flush(barrier);
        }

        barrier.Arrive();
        return barrier.Opened;
    }

    /// <summary>Gives what is buffered a few seconds, then fails the rest.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
        }

        try
        {
            await FlushAsync().WaitAsync(DisposeFlushLimit, Time, _cluster.Closing).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // What is left fails below, each record with its own error.
        }

        var reason = WeirException.Lost("the producer was disposed before the record was acknowledged");
        await _closing.CancelAsync().ConfigureAwait(false);
        foreach (var partition in Partitions)
        {
            partition.Close(reason);
        }

        await _timers.DisposeAsync().ConfigureAwait(false);
        Batches.Close();
        _closing.Dispose();
    }

    private async Task StartCoreAsync()
    {
        var topic = await _catalog.GetAsync(TopicName, _closingToken).ConfigureAwait(false);
        if (topic.Partitioner != Partitioner.XxHash3)
        {
            throw new WeirException(
                ErrorCode.UnsupportedVersion, $"partitioner {topic.Partitioner} of {TopicName} is not known: upgrade the client");
        }

        var identity = await NewIdentityAsync().ConfigureAwait(false);

        // Before anything can be buffered: an alarm that is set without a timer would count as set for ever.
        _timers.Start();
        SetTopic(topic, identity);
        Changed?.Invoke();
    }

    private async Task<InitProducerResponse?> NewIdentityAsync() => Options.Acks == Acks.None
        ? null
        : await _cluster.RequestAnyAsync<InitProducerRequest, InitProducerResponse>(
            new InitProducerRequest(), isRepeatable: true, _closingToken).ConfigureAwait(false);

    private void SetTopic(TopicSnapshot topic, InitProducerResponse? identity)
    {
        lock (_lock)
        {
            var partitions = _partitions;
            BatchBytes = BatchBytes == 0 ? Math.Min(Options.BatchBytes, topic.MaxBatchBytes) : BatchBytes;
            _topic = topic;
            if (topic.PartitionCount <= partitions.Length)
            {
                return;
            }

            var more = new PartitionProducer[topic.PartitionCount];
            partitions.CopyTo(more, 0);
            for (var i = partitions.Length; i < more.Length; i++)
            {
                more[i] = new PartitionProducer(this, i, identity);
            }

            Sticky.Count = more.Length;
            Volatile.Write(ref _partitions, more);
        }
    }

    private async Task PrepareAsync(PartitionProducer partition, bool renewsIdentity)
    {
        for (var failures = 0; ;)
        {
            try
            {
                if (Volatile.Read(ref _isStale) || failures > 0)
                {
                    SetTopic(await _catalog.RefreshAsync(TopicName, _closingToken).ConfigureAwait(false), identity: null);
                    Volatile.Write(ref _isStale, false);
                }

                await _catalog.GetLeaderAsync(Topic, partition.Partition, _closingToken).ConfigureAwait(false);
                var identity = renewsIdentity ? await NewIdentityAsync().ConfigureAwait(false) : null;
                if (identity is not null)
                {
                    ClientLog.ProducerRenewed(_cluster.Logger, TopicName, partition.Partition, identity.ProducerId);
                }

                partition.OnPrepared(identity, error: null);
                return;
            }
            catch (WeirException e) when (e.IsRetriable && !_closingToken.IsCancellationRequested)
            {
                failures++;
            }
            catch (Exception e)
            {
                partition.OnPrepared(null, e as WeirException ?? WeirException.Lost("the producer was disposed", e));
                return;
            }

            await WaitAsync(failures).ConfigureAwait(false);
        }
    }

    private Task WaitAsync(int failures)
    {
        var options = _cluster.Options;
        var delay = Backoff.Delay(options.ReconnectBackoff, options.ReconnectBackoffMax, failures);
        var wait = Task.Delay(delay, Time, _closingToken);
        return wait.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private long ToTicks(TimeSpan time) => (long)(time.TotalSeconds * Time.TimestampFrequency);
}
