using Weir.Client.Connections;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;

namespace Weir.Client.Producing;

/// <summary>What became of a record that was offered.</summary>
internal enum AppendOutcome
{
    /// <summary>It is buffered.</summary>
    Added,

    /// <summary>The producer's buffer is full.</summary>
    BufferFull,

    /// <summary>It does not fit a batch of this topic.</summary>
    TooLarge,

    /// <summary>The partition is closed for good.</summary>
    Closed,
}

/// <summary>
/// One partition's open batch and its <see cref="PartitionSendQueue"/>, and what becomes of its batches. Thread-safe: one
/// short lock, which is never held while bytes are sealed or sent.
/// </summary>
internal sealed class PartitionProducer
{
    /// <summary>Bytes taken from the buffer gate at a time, so that not each record touches a shared counter.</summary>
    public const int ReserveBytes = 16 * 1024;

    private readonly Lock _lock = new();
    private readonly ProducerCore _core;
    private readonly PartitionSendQueue _queue;
    private readonly PartitionPump _pump;
    private ProducerBatch? _open;
    private WeirException? _closed;

    /// <summary>Creates one.</summary>
    /// <param name="core">What it shares with the other partitions.</param>
    /// <param name="partition">Its index.</param>
    /// <param name="identity">The identity to begin with; null gets one when the first batch is sent.</param>
    public PartitionProducer(ProducerCore core, int partition, InitProducerResponse? identity)
    {
        _core = core;
        Partition = partition;
        _queue = new PartitionSendQueue(core.Options.Acks != Acks.None);
        _pump = new PartitionPump(core, this, _queue, _lock);
        if (identity is not null)
        {
            _queue.SetIdentity(identity.ProducerId, identity.ProducerEpoch);
        }
    }

    public int Partition { get; }

    /// <summary>Why nothing more is taken, or null.</summary>
    public WeirException? Closed => _closed;

    /// <summary>Whether a closed batch has no outcome yet.</summary>
    public bool HasUnfinished
    {
        get
        {
            lock (_lock)
            {
                return _queue.NumberedCount + _queue.WaitingCount > 0;
            }
        }
    }

    /// <summary>Copies a record into the open batch, and sends what is due.</summary>
    public AppendOutcome TryAppend(
        in OutgoingRecord record, ReadOnlySpan<RecordHeader> headers, int estimatedBytes, long timestampMs,
        SendOperation? operation)
    {
        AppendOutcome outcome;
        bool isDue;
        lock (_lock)
        {
            outcome = Append(record, headers, estimatedBytes, timestampMs, operation, out var hasClosed);
            isDue = hasClosed || (outcome == AppendOutcome.Added && _core.LingerTicks == 0 && _queue.HasRoom);
        }

        if (isDue)
        {
            _pump.Run();
        }

        return outcome;
    }

    /// <summary>Has a barrier wait for every record taken so far, and sends them.</summary>
    public void Flush(FlushBarrier barrier)
    {
        lock (_lock)
        {
            if (_open is not null)
            {
                CloseOpen();
            }

            foreach (var batch in _queue.Unfinished)
            {
                ((ProducerBatch)batch).AddBarrier(barrier);
            }
        }

        _pump.Run();
    }

    /// <summary>Sends the open batch without waiting for more records.</summary>
    public void SendOpen()
    {
        lock (_lock)
        {
            if (_open is not null)
            {
                CloseOpen();
            }
        }

        _pump.Run();
    }

    /// <summary>Closes the open batch if it is due; called by the pump under the lock.</summary>
    public bool TryCloseDue(long now)
    {
        if (_open is { } open && _queue.HasRoom && open.ReadyAt <= now)
        {
            CloseOpen();
            return true;
        }

        return false;
    }

    /// <summary>Sends what is due; returns whether something still waits for its linger to pass.</summary>
    public bool SendDue()
    {
        _pump.Run();
        lock (_lock)
        {
            return _open is not null;
        }
    }

    /// <summary>Fails what is over its time.</summary>
    public void Expire(long now)
    {
        var expired = new List<QueuedBatch>();
        List<GivenUp> failed;
        lock (_lock)
        {
            if (_open is { } open && open.Deadline <= now)
            {
                CloseOpen();
            }

            _queue.Expire(now, expired);
            failed = GiveUp(expired);
        }

        FailAll(failed, ErrorCode.RequestTimedOut, $"no acknowledgement within {_core.Options.DeliveryTimeout}");
        _pump.Run();
    }

    /// <summary>Takes nothing more and fails everything without an outcome.</summary>
    public void Close(WeirException reason)
    {
        lock (_lock)
        {
            _closed ??= reason;
        }

        FailQueued(reason);
    }

    public void OnAcknowledged(ProducerBatch batch, ProduceResponse? response, DeferredCompletions? later)
    {
        bool wasAbandoned;
        ProduceWindow? window;
        int bytes;
        lock (_lock)
        {
            wasAbandoned = batch.IsAbandoned;
            window = PartitionPump.LeaveWindow(batch, out bytes);
            _queue.OnAcknowledged(batch);
        }

        if (!wasAbandoned)
        {
            _core.Deliveries.Succeed(batch.RecordCount);
            batch.Succeed(response, Partition, later);
        }

        _core.Retire(batch);
        window?.Release(bytes);
        _pump.Run();
    }

    public void OnRefused(ProducerBatch batch, ErrorMessage error)
    {
        _core.OnRefused(Partition, error);
        Settle(
            batch,
            queue => queue.OnRefused(batch, error.Error, _core.RetryAt(queue.Failures + 1, error.RetryAfterMs)),
            WeirException.From(error, _core.TopicName, Partition));
    }

    public void OnLost(ProducerBatch batch, WeirException reason)
    {
        _core.MarkStale();
        Settle(batch, queue => queue.OnLost(batch), reason);
    }

    /// <summary>What was prepared is there, or will not come: goes on.</summary>
    public void OnPrepared(InitProducerResponse? identity, WeirException? error)
    {
        lock (_lock)
        {
            _pump.EndPreparing();
            if (identity is not null)
            {
                _queue.SetIdentity(identity.ProducerId, identity.ProducerEpoch);
            }
        }

        if (error is not null)
        {
            FailQueued(error);
        }

        _pump.Run();
    }

    /// <summary>Fails everything that is waiting, and stays open: the topic may come back.</summary>
    private void FailQueued(WeirException error)
    {
        var abandoned = new List<QueuedBatch>();
        List<GivenUp> failed;
        lock (_lock)
        {
            if (_open is not null)
            {
                CloseOpen();
            }

            _queue.Abandon(abandoned);
            failed = GiveUp(abandoned);
        }

        FailAll(failed, error.Code, error.Message);
    }

    private void Settle(ProducerBatch batch, Func<PartitionSendQueue, bool> land, WeirException error)
    {
        bool stays;
        bool wasAbandoned;
        ProduceWindow? window;
        int bytes;
        lock (_lock)
        {
            wasAbandoned = batch.IsAbandoned;
            window = PartitionPump.LeaveWindow(batch, out bytes);
            stays = land(_queue);
        }

        if (!stays)
        {
            if (!wasAbandoned)
            {
                _core.OnFailed(batch.TakeFailed(), Partition, batch.InDoubt ? WeirException.InDoubt(error) : error);
            }

            _core.Retire(batch);
        }

        window?.Release(bytes);
        if (_queue.IsFenced)
        {
            Close(error);
        }
        else
        {
            _pump.Run();
        }
    }

    /// <summary>Under the lock: from here on the answer to one in flight takes it out of use, whatever becomes of its records.</summary>
    private static List<GivenUp> GiveUp(List<QueuedBatch> batches) =>
    [
        .. batches.Cast<ProducerBatch>().Select(static batch => new GivenUp(
            batch.TakeFailed(), batch.InDoubt || batch.IsAbandoned, batch.IsAbandoned ? null : batch)),
    ];

    private void FailAll(List<GivenUp> failed, ErrorCode code, string text)
    {
        foreach (var (records, isInDoubt, unused) in failed)
        {
            var error = WeirException.At(code, text, _core.TopicName, Partition);
            _core.OnFailed(records, Partition, isInDoubt ? WeirException.InDoubt(error) : error);
            if (unused is not null)
            {
                _core.Retire(unused);
            }
        }
    }

    private AppendOutcome Append(
        in OutgoingRecord record, ReadOnlySpan<RecordHeader> headers, int estimatedBytes, long timestampMs,
        SendOperation? operation, out bool hasClosed)
    {
        hasClosed = false;
        if (_closed is not null)
        {
            return AppendOutcome.Closed;
        }

        if (_open is { } open)
        {
            if (!TryReserve(open, estimatedBytes))
            {
                return AppendOutcome.BufferFull;
            }

            if (open.TryAdd(record, headers, timestampMs, operation))
            {
                return AppendOutcome.Added;
            }

            CloseOpen();
            hasClosed = true;
        }

        return Open(record, headers, estimatedBytes, timestampMs, operation);
    }

    private bool TryReserve(ProducerBatch batch, int bytes)
    {
        if (batch.ReservedBytes - batch.LengthBytes >= bytes)
        {
            return true;
        }

        var more = Math.Max(bytes, ReserveBytes);
        if (!_core.Gate.TryTake(more))
        {
            return false;
        }

        batch.ReservedBytes += more;
        return true;
    }

    private AppendOutcome Open(
        in OutgoingRecord record, ReadOnlySpan<RecordHeader> headers, int estimatedBytes, long timestampMs,
        SendOperation? operation)
    {
        var size = _core.BatchBytes;
        if (estimatedBytes > size - RecordBatchHeader.Size)
        {
            size = _core.Topic.MaxBatchBytes;
        }

        var batch = _core.Batches.Rent(size);
        if (!TryReserve(batch, estimatedBytes))
        {
            _core.Batches.Return(batch, _core.BatchBytes);
            return AppendOutcome.BufferFull;
        }

        if (!batch.TryAdd(record, headers, timestampMs, operation))
        {
            _core.Retire(batch);
            return AppendOutcome.TooLarge;
        }

        var now = _core.Time.GetTimestamp();
        batch.Owner = this;
        batch.Deadline = now + _core.DeliveryTicks;
        batch.ReadyAt = now + _core.LingerTicks;
        _open = batch;
        _core.OnOpened();
        return AppendOutcome.Added;
    }

    private void CloseOpen()
    {
        var batch = _open!;
        _core.Gate.Release(batch.ReservedBytes - batch.LengthBytes);
        batch.ReservedBytes = batch.LengthBytes;
        _queue.Enqueue(batch);
        _open = null;
        _core.OnClosed(Partition);
    }

    /// <summary>A batch whose records fail.</summary>
    /// <param name="Records">Its records.</param>
    /// <param name="IsInDoubt">Whether they may be in the log nevertheless.</param>
    /// <param name="Unused">The batch itself, if no answer to it is awaited any more.</param>
    private readonly record struct GivenUp(FailedRecords Records, bool IsInDoubt, ProducerBatch? Unused);
}
