using Weir.Client.Connections;
using Weir.Client.Consuming;
using Weir.Client.Metadata;
using Weir.Protocol.Messages;

namespace Weir.Client.Groups;

/// <summary>
/// A partition that a member of a stream group owns: its records, and how far the application is. One enumeration at a time
/// has its turn on it, between <see cref="TryEnter"/> and <see cref="Leave"/>; the rest is thread-safe.
/// </summary>
internal sealed class StreamedPartition(AssignedPartition assigned, string topic, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WeirConsumer? _consumer;
    private RecordEnumerator? _records;
    private long _position = -1;
    private bool _isInHand;
    private bool _isInUse;
    private volatile bool _isGivenUp;
    private long _seenPosition = -1;
    private long _seenAt = -1;

    public string Topic => topic;

    public int Index => assigned.Partition;

    public Guid TopicId => assigned.TopicId;

    public int FencingToken => assigned.AssignmentEpoch;

    /// <summary>Everything below is finished; -1 before the first record.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>What was committed last.</summary>
    public long Committed { get; set; } = -1;

    /// <summary>Completes once the member gives it up and the application has no record of it in hand.</summary>
    public Task Released => _released.Task;

    public bool IsGivenUp => _isGivenUp;

    /// <summary>The record that the application has its turn with.</summary>
    public GroupRecord Current => new(_records!.Current, FencingToken);

    /// <summary>Begins to read; false if it is given up by then.</summary>
    public async Task<bool> OpenAsync(
        ClusterConnections cluster, TopicCatalog catalog, GroupConsumerOptions options, CancellationToken ct)
    {
        var start = options.StartOffset is { } find
            ? await find(new TopicPartition(topic, Index), FencingToken, ct).ConfigureAwait(false) ?? assigned.Offset
            : assigned.Offset;
        var consumer = new WeirConsumer(
            topic,
            new ConsumerOptions
            {
                Partitions = [Index],
                Start = ConsumerStart.AtOffset(start),
                PrefetchBytes = options.PrefetchBytes,
                ReuseBuffers = options.ReuseBuffers,
            },
            cluster, catalog, static _ => { });
        lock (_gate)
        {
            if (!_isGivenUp)
            {
                _consumer = consumer;
                _records = consumer.Enumerate(CancellationToken.None);
            }

            return !_isGivenUp;
        }
    }

    /// <summary>Begins a turn; false if it is given up.</summary>
    public bool TryEnter()
    {
        lock (_gate)
        {
            _isInUse = !_isGivenUp;
            return _isInUse;
        }
    }

    /// <summary>Ends a turn. A record that was not finished is the first of the next turn.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            _isInUse = false;
            _seenAt = -1;
            if (_isGivenUp)
            {
                _released.TrySetResult();
            }
        }
    }

    /// <summary>In a turn: the application is done with the record.</summary>
    public void Finish()
    {
        _isInHand = false;
        Volatile.Write(ref _position, _records!.Position);
    }

    /// <summary>In a turn: goes to the next record of the same batch; false if there is none or the partition is given up.</summary>
    public bool TryMoveInBatch()
    {
        _isInHand = !_isGivenUp && _records!.TryMoveInBatch();
        return _isInHand;
    }

    /// <summary>In a turn: goes to the next record that is here; false if none is.</summary>
    /// <exception cref="WeirException">What ended the reading.</exception>
    public bool TryMove()
    {
        if (_isInHand && Position <= _records!.Current.Offset)
        {
            return true;
        }

        _isInHand = _records!.TryMove();
        return _isInHand;
    }

    /// <summary>Between turns: waits for a record.</summary>
    /// <exception cref="ObjectDisposedException">It is given up.</exception>
    public ValueTask<bool> WaitAsync() => _records!.WaitAsync();

    /// <summary>Everything below an offset is finished.</summary>
    public void Mark(long next)
    {
        for (var seen = Position; seen < next; seen = Position)
        {
            Interlocked.CompareExchange(ref _position, next, seen);
        }
    }

    /// <summary>How long the application has had its record, as far as calls of this saw it.</summary>
    public TimeSpan SampleInHand()
    {
        lock (_gate)
        {
            if (!_isInUse)
            {
                return TimeSpan.Zero;
            }

            if (_seenAt < 0 || _seenPosition != Position)
            {
                (_seenAt, _seenPosition) = (time.GetTimestamp(), Position);
            }

            return time.GetElapsedTime(_seenAt);
        }
    }

    /// <summary>No further record is handed out; it closes once the application has none in hand.</summary>
    public void GiveUp()
    {
        lock (_gate)
        {
            if (_isGivenUp)
            {
                return;
            }

            _isGivenUp = true;
            if (!_isInUse)
            {
                _released.TrySetResult();
            }
        }

        _ = CloseAsync();
    }

    private async Task CloseAsync()
    {
        if (_consumer is { } consumer)
        {
            await consumer.DisposeAsync().ConfigureAwait(false);
            await _released.Task.ConfigureAwait(false);
            await _records!.DisposeAsync().ConfigureAwait(false);
        }
    }
}
