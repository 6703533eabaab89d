using System.Collections.Concurrent;
using System.Text;
using System.Threading.Channels;
using Weir.Client.Connections;
using Weir.Client.Groups;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;

namespace Weir.Client;

/// <summary>
/// A member of a queue or keyed group: gets records that are locked for it, which the application settles one by one, in any
/// order and from any thread. It stays a member until it is disposed.
/// </summary>
/// <remarks>Several tasks may read at once: each record goes to one of them.</remarks>
public sealed class WeirQueueConsumer : IAsyncDisposable, IMembershipEvents
{
    private readonly ClusterConnections _cluster;
    private readonly QueueConsumerOptions _options;
    private readonly Action<WeirQueueConsumer> _onDisposed;
    private readonly TopicNames _names;
    private readonly Membership _member;
    private readonly SettlementQueue _settlements;
    private readonly Channel<GroupDeliverPush> _pushes = Channel.CreateUnbounded<GroupDeliverPush>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Channel<Delivery> _deliveries = Channel.CreateUnbounded<Delivery>();
    private readonly ConcurrentDictionary<Delivery, Delivery> _held = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private Task _running = Task.CompletedTask;
    private Task _opening = Task.CompletedTask;
    private Task _extending = Task.CompletedTask;
    private long _lastTaken;
    private TimeSpan _lockTime = TimeSpan.FromSeconds(1);
    private bool _isStarted;
    private bool _isDisposed;

    internal WeirQueueConsumer(
        string group, QueueConsumerOptions options, ClusterConnections cluster, Action<WeirQueueConsumer> onDisposed)
    {
        Group = group;
        _options = options;
        _cluster = cluster;
        _onDisposed = onDisposed;
        _names = new TopicNames(cluster);
        _member = new Membership(
            cluster,
            new JoinGroupRequest
            {
                Group = group,
                MemberId = Guid.NewGuid(),
                InstanceId = options.InstanceId,
                MemberName = cluster.Options.ClientId,
                Mode = options.IsKeyed ? GroupMode.Keyed : GroupMode.Queue,
                MaxInFlight = options.MaxInFlight,
                MaxInFlightBytes = options.MaxInFlightBytes,
            },
            this, push => _pushes.Writer.TryWrite(push));
        _settlements = new SettlementQueue(cluster, _member) { OnSettled = delivery => _held.TryRemove(delivery, out _) };
    }

    /// <summary>The group.</summary>
    public string Group { get; }

    PartitionKey[] IMembershipEvents.Owned => [];

    long IMembershipEvents.StuckForMs
    {
        get
        {
            var inHand = _held.Values.Where(static one => one.IsInHand).Select(static one => one.HeldSince).ToList();
            return inHand.Count == 0 ? 0 : (long)_cluster.Time.GetElapsedTime(inHand.Min()).TotalMilliseconds;
        }
    }

    /// <summary>
    /// Gets records until cancelled. Each must be settled; one that is not is delivered again when its lock expires.
    /// </summary>
    /// <param name="ct">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="WeirException">A fault that waiting does not mend, as <see cref="ErrorCode.UnknownGroup"/>.</exception>
    public IAsyncEnumerable<Delivery> ReadAllAsync(CancellationToken ct = default)
    {
        Start();
        return ReadAsync(ct);
    }

    /// <summary>
    /// Handles records until cancelled, several at once. What its handler returns from is acknowledged, unless it settled the
    /// record itself; what it throws releases the record with the exception's text as the reason: the group's back-off, and its
    /// dead letters in the end, follow. Locks are extended meanwhile.
    /// </summary>
    /// <param name="handler">Handles one record.</param>
    /// <param name="maxConcurrency">Most records handled at once.</param>
    /// <param name="ct">
    /// Ends the run with <see cref="OperationCanceledException"/>, after the handlers ended; they get a token that ends with it.
    /// </param>
    /// <exception cref="WeirException">As for <see cref="ReadAllAsync"/>.</exception>
    public async Task RunAsync(
        Func<Delivery, CancellationToken, ValueTask> handler, int maxConcurrency = 1, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxConcurrency, 1);
        using var workers = new Workers(ct);
        await workers.RunAsync(HandleAllAsync, maxConcurrency).ConfigureAwait(false);

        async Task HandleAllAsync()
        {
            await foreach (var delivery in ReadAllAsync(workers.Token).ConfigureAwait(false))
            {
                delivery.IsHandled = true;
                await HandleAsync(delivery, handler, workers.Token).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Gives back what the application was not given yet, and leaves: others get it at once. Never throws.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        await _opening.ConfigureAwait(false);
        await _extending.ConfigureAwait(false);
        await _settlements.WhenIdleAsync().WaitAsync(_options.ShutdownTimeout, _cluster.Time)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // Leaving gives back everything that is not settled, without counting it as a delivery.
        await _member.LeaveAsync().ConfigureAwait(false);
        _deliveries.Writer.TryComplete(new ObjectDisposedException(nameof(WeirQueueConsumer)));
        _onDisposed(this);
    }

    void IMembershipEvents.OnJoined(JoinGroupResponse joined)
    {
    }

    void IMembershipEvents.OnAssignment(AssignedPartition[] assigned)
    {
    }

    void IMembershipEvents.OnLost() => _held.Clear();

    void IMembershipEvents.OnFailed(Exception reason) => _deliveries.Writer.TryComplete(reason);

    private async IAsyncEnumerable<Delivery> ReadAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        while (await _deliveries.Reader.WaitToReadAsync(ct).ConfigureAwait(false))
        {
            while (_deliveries.Reader.TryRead(out var delivery))
            {
                if (_held.ContainsKey(delivery))
                {
                    delivery.HeldSince = _lastTaken = _cluster.Time.GetTimestamp();
                    delivery.IsInHand = true;
                    yield return delivery;
                }
            }
        }
    }

    private async Task HandleAsync(
        Delivery delivery, Func<Delivery, CancellationToken, ValueTask> handler, CancellationToken ct)
    {
        try
        {
            await handler(delivery, ct).ConfigureAwait(false);
            if (!delivery.IsSettled)
            {
                _ = WatchAsync(delivery, delivery.AcknowledgeAsync());
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // It was not handled: leaving gives it back, and does not count it.
            throw;
        }
        catch (Exception e)
        {
            ClientLog.DeliveryFailed(_cluster.Logger, delivery.Topic, delivery.Partition, delivery.Offset, e);
            if (!delivery.IsSettled)
            {
                _ = WatchAsync(delivery, delivery.ReleaseAsync(reason: e.Message));
            }
        }
    }

    /// <summary>The next record does not wait for what becomes of this one: if it is not kept, it is delivered again.</summary>
    internal async Task WatchAsync(Delivery delivery, Task settled)
    {
        try
        {
            await settled.ConfigureAwait(false);
        }
        catch (Exception e) when (e is WeirException or ObjectDisposedException)
        {
            ClientLog.SettlementRefused(_cluster.Logger, delivery.Topic, delivery.Partition, delivery.Offset, e.Message);
        }
    }

    /// <summary>Extends the locks that would end before it looks the next time but one.</summary>
    private async Task ExtendLocksAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var period = _lockTime / 4;
            await Task.Delay(period, _cluster.Time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var until = _cluster.Time.GetUtcNow() + (2 * period);
            foreach (var delivery in _held.Values.OrderBy(static one => (one.TopicId, one.Partition, one.Offset)))
            {
                if (!delivery.IsSettled && delivery.LockedUntil <= until && KeepsLock(delivery))
                {
                    _ = WatchAsync(delivery, ExtendAsync(delivery));
                }
            }
        }
    }

    /// <summary>One that waits is kept while the application goes on, one with a handler while that may still end.</summary>
    private bool KeepsLock(Delivery delivery)
    {
        var since = delivery.IsInHand ? delivery.HeldSince : Math.Max(_lastTaken, delivery.HeldSince);
        return (delivery.IsHandled || !delivery.IsInHand) && _cluster.Time.GetElapsedTime(since) < _options.MaxLockExtension;
    }

    private async Task ExtendAsync(Delivery delivery)
    {
        var until = _cluster.Time.GetUtcNow() + _lockTime;
        await delivery.ExtendAsync().ConfigureAwait(false);
        delivery.LockedUntil = until;
    }

    private void Start()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (!_isStarted)
            {
                _isStarted = true;
                _running = Task.Run(() => _member.RunAsync(_stop.Token));
                _opening = Task.Run(OpenPushesAsync);
                _lastTaken = _cluster.Time.GetTimestamp();
                _extending = Task.Run(ExtendLocksAsync);
            }
        }
    }

    /// <summary>Takes pushes apart. What waits is bounded by what the member may hold.</summary>
    private async Task OpenPushesAsync()
    {
        try
        {
            await foreach (var push in _pushes.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
            {
                var topic = await _names.GetAsync(push.TopicId, _stop.Token).ConfigureAwait(false);
                _lockTime = TimeSpan.FromMilliseconds(push.LockMs);
                var lockedUntil = _cluster.Time.GetUtcNow() + _lockTime;
                foreach (var delivery in Open(push, topic, lockedUntil))
                {
                    delivery.HeldSince = _cluster.Time.GetTimestamp();
                    _held[delivery] = delivery;
                    _deliveries.Writer.TryWrite(delivery);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The end.
        }
        catch (Exception e)
        {
            _deliveries.Writer.TryComplete(e as WeirException ?? (e is ProtocolException broken
                ? new WeirException(broken.Code, broken.Message, broken)
                : e));
        }
    }

    private List<Delivery> Open(GroupDeliverPush push, string topic, DateTimeOffset lockedUntil)
    {
        var deliveries = new List<Delivery>(push.RecordCount);
        var bytes = push.Records;
        for (var i = 0; i < push.RecordCount; i++)
        {
            var header = DeliveredRecord.Read(bytes.Span);
            var record = RecordReader.Read(bytes.Span, DeliveredRecord.Size, header.BaseTimestampMs);
            deliveries.Add(new Delivery(_settlements, push.TopicId, topic, push.Partition, header, lockedUntil)
            {
                Key = record.KeyLength < 0 ? default(ReadOnlyMemory<byte>?) : bytes.Slice(record.KeyStart, record.KeyLength),
                Value = record.ValueLength < 0 ? default(ReadOnlyMemory<byte>?) : bytes.Slice(record.ValueStart, record.ValueLength),
                Headers = record.HeaderCount == 0 ? [] : ReadHeaders(bytes, record),
                Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(record.TimestampMs),
            });
            bytes = bytes[record.End..];
        }

        return deliveries;
    }

    private static RecordHeader[] ReadHeaders(ReadOnlyMemory<byte> bytes, in RecordSlices record)
    {
        var headers = new RecordHeader[record.HeaderCount];
        var position = record.HeadersStart;
        for (var i = 0; i < headers.Length; i++)
        {
            var header = RecordReader.ReadHeader(bytes.Span, position, record.End);
            headers[i] = new RecordHeader(
                Encoding.UTF8.GetString(bytes.Span.Slice(header.NameStart, header.NameLength)),
                header.ValueLength < 0 ? default(ReadOnlyMemory<byte>?) : bytes.Slice(header.ValueStart, header.ValueLength));
            position = header.End;
        }

        return headers;
    }
}
