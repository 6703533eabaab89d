using System.Diagnostics.CodeAnalysis;
using Weir.Client.Connections;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Consuming;

/// <summary>
/// One enumeration: its partitions, what arrived for them, and whose turn it is. Deliveries come in on receive loops, one
/// reader takes them out; partitions with something ready take turns, a frame each.
/// </summary>
internal sealed class ConsumerSession : IAsyncDisposable
{
    /// <summary>How often a batch may come damaged before the enumeration fails.</summary>
    private const int MaxDamagedDeliveries = 3;

    private readonly Lock _lock = new();
    private readonly Dictionary<int, PartitionReader> _readers = [];
    private readonly Queue<PartitionReader> _ready = [];
    private readonly ReadySignal _signal = new();
    private readonly ConsumerOptions _options;
    private readonly SubscriptionLoop _loop;
    private Exception? _error;
    private int _left;
    private bool _isStarted;
    private bool _isClosed;

    public ConsumerSession(string topic, ConsumerOptions options, bool usesPooledFrames, Func<ConsumerSession, SubscriptionLoop> createLoop)
    {
        Topic = topic;
        _options = options;
        UsesPooledFrames = usesPooledFrames;
        _loop = createLoop(this);
    }

    public string Topic { get; }

    /// <summary>Whether the memory of frames is used again.</summary>
    public bool UsesPooledFrames { get; }

    /// <summary>Begins to subscribe.</summary>
    public void Start() => _loop.Start();

    /// <summary>Adds partitions; the first call makes the enumeration able to end.</summary>
    public void AddPartitions(IEnumerable<(int Partition, ConsumerStart Start)> partitions, IReadOnlySet<int> paused)
    {
        lock (_lock)
        {
            foreach (var (partition, start) in partitions)
            {
                if (_readers.TryAdd(partition, new PartitionReader(partition, start) { IsPaused = paused.Contains(partition) }))
                {
                    _left++;
                }
            }

            _isStarted = true;
        }
    }

    /// <summary>The partitions that need a subscription now, and when the next one will.</summary>
    public List<PartitionReader> TakeNeeded(long now, out long nextAt)
    {
        var needed = new List<PartitionReader>();
        nextAt = long.MaxValue;
        lock (_lock)
        {
            foreach (var reader in _readers.Values)
            {
                if (_isClosed || reader.State != SubscriptionState.Needed)
                {
                    continue;
                }

                if (reader.RetryAt <= now)
                {
                    needed.Add(reader);
                }
                else
                {
                    nextAt = Math.Min(nextAt, reader.RetryAt);
                }
            }
        }

        return needed;
    }

    /// <summary>Subscribes one partition on a connection.</summary>
    public void Subscribe(PartitionReader reader, BrokerConnection connection, Guid topicId, uint id)
    {
        SubscriptionSink sink;
        lock (_lock)
        {
            if (_isClosed || reader.State != SubscriptionState.Needed)
            {
                return;
            }

            sink = reader.Sink = new SubscriptionSink(this, reader, reader.Cursor, connection, id);
            reader.State = SubscriptionState.Present;
        }

        if (!sink.TryStart(topicId, _options.PrefetchBytes))
        {
            OnEnded(sink, WeirException.Lost($"the connection to {connection.Address} is closed"));
        }
        else if (IsStale(sink))
        {
            // Closed or moved on while it was being asked for.
            sink.Stop();
        }
    }

    public void OnSubscribed(SubscriptionSink sink, SubscribeResponse response, DeferredCompletions later)
    {
        var ended = false;
        lock (_lock)
        {
            var (reader, cursor) = (sink.Reader, sink.Cursor);
            if (reader.Sink != sink)
            {
                return;
            }

            reader.Failures = 0;
            reader.NoteChecked();
            if (cursor.Position < 0)
            {
                cursor.Position = response.StartOffset;
            }

            if (_options.StopAtEnd && cursor.StopAt == long.MaxValue)
            {
                cursor.StopAt = response.HighWatermark;
            }

            ended = TryEnd(reader, cursor) && _signal.TryDisarm();
        }

        _loop.OnSubscribed(sink.Reader.Partition, response.StartOffset);
        if (ended)
        {
            later.Add(_signal);
        }
    }

    public void OnDelivered(DeliveredFrame frame, DeferredCompletions later)
    {
        lock (_lock)
        {
            var reader = frame.Sink.Reader;
            if (reader.Sink != frame.Sink || _isClosed)
            {
                frame.Release();
                return;
            }

            reader.Add(frame);
            MakeReady(reader);
            if (_ready.Count == 0 || !_signal.TryDisarm())
            {
                return;
            }
        }

        later.Add(_signal);
    }

    /// <summary>A delivery was damaged: drops it and subscribes again, to a broker that checks its records first.</summary>
    /// <returns>False if that was tried often enough.</returns>
    public bool TryRefetch(DeliveredFrame frame, WeirException reason)
    {
        var sink = frame.Sink;
        frame.Release();
        lock (_lock)
        {
            if (IsStaleUnderLock(sink))
            {
                return true;
            }

            if (sink.Reader.NoteDamage() > MaxDamagedDeliveries)
            {
                return false;
            }
        }

        sink.Stop();
        OnEnded(sink, reason);
        return true;
    }

    /// <summary>A subscription ended or was refused: it is renewed, or the enumeration fails.</summary>
    public void OnEnded(SubscriptionSink sink, WeirException reason)
    {
        lock (_lock)
        {
            var reader = sink.Reader;
            if (reader.Sink != sink)
            {
                return;
            }

            reader.Sink = null;
            reader.State = SubscriptionState.Needed;
            reader.RetryAt = _loop.RetryAt(reader.Failures++, reason.RetryAfter);

            // What arrived and was not read is sent again: reading goes on where the reader is.
            reader.DropFrames();
        }

        if (reason.IsRetriable || reason.Code == ErrorCode.CorruptBatch)
        {
            _loop.OnEnded(sink.Reader.Partition, sink.Cursor.Position, reason);
        }
        else
        {
            Fail(reason);
        }
    }

    /// <summary>Ends the enumeration with an error; the first one counts.</summary>
    public void Fail(Exception error)
    {
        lock (_lock)
        {
            _error ??= error;
            foreach (var reader in _readers.Values)
            {
                reader.Cursor.IsInterrupted = true;
            }

            if (!_signal.TryDisarm())
            {
                return;
            }
        }

        _signal.Complete(inline: false);
    }

    /// <summary>Takes the next frame; throws what ended the enumeration.</summary>
    public bool TryTake([NotNullWhen(true)] out DeliveredFrame? frame)
    {
        lock (_lock)
        {
            ThrowIfFailed();
            while (_ready.TryDequeue(out var reader))
            {
                reader.IsReady = false;
                if (reader.HasFrames && !reader.IsPaused)
                {
                    frame = reader.Take();
                    MakeReady(reader);
                    return true;
                }
            }

            frame = null;
            return false;
        }
    }

    /// <summary>Waits until there is something to take; false once everything was read to its end.</summary>
    public ValueTask<bool> WaitAsync()
    {
        ValueTask wait;
        lock (_lock)
        {
            ThrowIfFailed();
            if (_ready.Count > 0)
            {
                return new ValueTask<bool>(true);
            }

            if (_isStarted && _left == 0)
            {
                return new ValueTask<bool>(false);
            }

            wait = _signal.Arm();
        }

        return AwaitAsync(wait);

        static async ValueTask<bool> AwaitAsync(ValueTask wait)
        {
            await wait.ConfigureAwait(false);
            return true;
        }
    }

    /// <summary>Ends the use of a frame and gives its credit back.</summary>
    public void Finish(DeliveredFrame frame)
    {
        frame.Release();
        frame.Sink.GiveBack(frame.CreditBytes, _options.PrefetchBytes / 4);
        lock (_lock)
        {
            if (!IsStaleUnderLock(frame.Sink))
            {
                TryEnd(frame.Sink.Reader, frame.Sink.Cursor);
            }
        }
    }

    /// <summary>
    /// Asked when a cursor is interrupted. True: the frame goes on. False: it is gone, or put back until the partition
    /// is resumed.
    /// </summary>
    public bool MayGoOn(DeliveredFrame frame)
    {
        lock (_lock)
        {
            ThrowIfFailed();
            var reader = frame.Sink.Reader;
            if (reader.Cursor != frame.Sink.Cursor)
            {
                frame.Release();
                return false;
            }

            if (!reader.IsPaused)
            {
                return true;
            }

            // After a reconnect its records come again; while the sink is the same they must not be lost.
            if (IsStaleUnderLock(frame.Sink))
            {
                frame.Release();
            }
            else
            {
                reader.PutBack(frame);
            }

            return false;
        }
    }

    public bool Seek(int partition, ConsumerStart to)
    {
        SubscriptionSink? sink;
        lock (_lock)
        {
            if (_isClosed || !_readers.TryGetValue(partition, out var reader))
            {
                return false;
            }

            if (reader.State == SubscriptionState.Done)
            {
                _left++;
            }

            sink = reader.Sink;
            reader.Sink = null;
            reader.State = SubscriptionState.Needed;
            reader.RetryAt = long.MinValue;
            reader.DropFrames();
            reader.Cursor.IsInterrupted = true;
            reader.Cursor = new ReadCursor(to) { IsInterrupted = reader.IsPaused };
        }

        sink?.Stop();
        _loop.Wake();
        return true;
    }

    public void SetPaused(int partition, bool isPaused)
    {
        lock (_lock)
        {
            if (!_readers.TryGetValue(partition, out var reader) || reader.IsPaused == isPaused)
            {
                return;
            }

            reader.IsPaused = isPaused;
            reader.Cursor.IsInterrupted = isPaused || _error is not null;
            MakeReady(reader);
            if (isPaused || _ready.Count == 0 || !_signal.TryDisarm())
            {
                return;
            }
        }

        _signal.Complete(inline: false);
    }

    /// <summary>How far each partition was read, where that is known.</summary>
    public List<(int Partition, long Position)> Positions()
    {
        lock (_lock)
        {
            return [.. _readers.Values.Where(static r => r.Cursor.Position >= 0).Select(static r => (r.Partition, r.Cursor.Position))];
        }
    }

    public long? Position(int partition)
    {
        lock (_lock)
        {
            return _readers.TryGetValue(partition, out var reader) && reader.Cursor.Position >= 0
                ? reader.Cursor.Position
                : null;
        }
    }

    /// <summary>Ends all subscriptions and drops what arrived.</summary>
    public async ValueTask DisposeAsync()
    {
        var sinks = new List<SubscriptionSink>();
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
            foreach (var reader in _readers.Values)
            {
                if (reader.Sink is { } sink)
                {
                    sinks.Add(sink);
                    reader.Sink = null;
                }

                reader.DropFrames();
            }
        }

        foreach (var sink in sinks)
        {
            sink.Stop();
        }

        await _loop.DisposeAsync().ConfigureAwait(false);
    }

    private void ThrowIfFailed()
    {
        if (_error is { } error)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
        }
    }

    private bool IsStale(SubscriptionSink sink)
    {
        lock (_lock)
        {
            return IsStaleUnderLock(sink);
        }
    }

    private bool IsStaleUnderLock(SubscriptionSink sink) => _isClosed || sink.Reader.Sink != sink;

    private void MakeReady(PartitionReader reader)
    {
        if (!reader.IsReady && reader.HasFrames && !reader.IsPaused)
        {
            reader.IsReady = true;
            _ready.Enqueue(reader);
        }
    }

    /// <summary>Ends a partition that was read to its end; true if it was the last.</summary>
    private bool TryEnd(PartitionReader reader, ReadCursor cursor)
    {
        if (!cursor.IsAtEnd || reader.State == SubscriptionState.Done)
        {
            return false;
        }

        reader.State = SubscriptionState.Done;
        reader.DropFrames();
        var sink = reader.Sink;
        reader.Sink = null;
        sink?.Stop();
        return --_left == 0;
    }
}
