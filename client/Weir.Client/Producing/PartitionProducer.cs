using Weir.Client.Connections;
using Weir.Protocol;
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
/// One partition's open batch, its <see cref="PartitionSendQueue"/>, and the pump that carries out what the queue decides.
/// The pump runs on whichever thread brings news, one at a time, without waiting.
/// </summary>
internal sealed class PartitionProducer : IWindowWaiter
{
    /// <summary>Bytes taken from the buffer gate at a time, so that not each record touches a shared counter.</summary>
    public const int ReserveBytes = 16 * 1024;

    private readonly Lock _lock = new();
    private readonly ProducerCore _core;
    private readonly PartitionSendQueue _queue;
    private readonly ProduceRequest _request;
    private ProducerBatch? _open;
    private WeirException? _closed;
    private bool _isPumping;
    private bool _pumpAgain;
    private bool _isPreparing;
    private bool _waitsForWindow;

    /// <summary>Creates one.</summary>
    /// <param name="core">What it shares with the other partitions.</param>
    /// <param name="partition">Its index.</param>
    /// <param name="identity">The identity to begin with; null gets one when the first batch is sent.</param>
    public PartitionProducer(ProducerCore core, int partition, InitProducerResponse? identity)
    {
        _core = core;
        Partition = partition;
        _queue = new PartitionSendQueue(core.Options.Acks != Acks.None);
        _request = new ProduceRequest { Partition = partition, Acks = core.Options.Acks };
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
        var isDue = false;
        lock (_lock)
        {
            if (_closed is not null)
            {
                return AppendOutcome.Closed;
            }

            if (_open is { } open && (!TryReserve(open, estimatedBytes) || !open.TryAdd(record, headers, timestampMs, operation)))
            {
                if (open.ReservedBytes - open.LengthBytes < estimatedBytes)
                {
                    return AppendOutcome.BufferFull;
                }

                CloseOpen();
                isDue = true;
            }

            if (_open is null && Open(record, headers, estimatedBytes, timestampMs, operation) is var outcome and not AppendOutcome.Added)
            {
                return outcome;
            }

            isDue |= _core.LingerTicks == 0 && _queue.HasRoom;
        }

        if (isDue)
        {
            Pump();
        }

        return AppendOutcome.Added;
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

        Pump();
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

        Pump();
    }

    /// <summary>Sends what is due; returns whether something still waits for its linger to pass.</summary>
    public bool SendDue()
    {
        Pump();
        lock (_lock)
        {
            return _open is not null;
        }
    }

    /// <summary>Fails what is over its time.</summary>
    public void Expire(long now)
    {
        var failed = new List<QueuedBatch>();
        lock (_lock)
        {
            if (_open is { } open && open.Deadline <= now)
            {
                CloseOpen();
            }

            _queue.Expire(now, failed);
        }

        FailAll(failed, ErrorCode.RequestTimedOut, $"no acknowledgement within {_core.Options.DeliveryTimeout}");
        Pump();
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

    public void OnWindowOpen()
    {
        lock (_lock)
        {
            _waitsForWindow = false;
        }

        Pump();
    }

    public void OnAcknowledged(ProducerBatch batch, ProduceResponse? response, DeferredCompletions? later)
    {
        bool wasAbandoned;
        lock (_lock)
        {
            wasAbandoned = batch.IsAbandoned;
            _queue.OnAcknowledged(batch);
        }

        var window = LeaveWindow(batch, out var bytes);
        if (!wasAbandoned)
        {
            _core.Deliveries.Succeed(batch.RecordCount);
            batch.Succeed(response, Partition, later);
        }

        _core.Retire(batch);
        window?.Release(bytes);
        Pump();
    }

    public void OnRefused(ProducerBatch batch, ErrorMessage error)
    {
        bool stays;
        bool wasAbandoned;
        lock (_lock)
        {
            wasAbandoned = batch.IsAbandoned;
            stays = _queue.OnRefused(batch, error.Error, _core.RetryAt(_queue.Failures + 1, error.RetryAfterMs));
        }

        _core.OnRefused(Partition, error);
        Settle(batch, stays, wasAbandoned, WeirException.From(error, _core.TopicName, Partition));
    }

    public void OnLost(ProducerBatch batch, WeirException reason)
    {
        bool stays;
        bool wasAbandoned;
        lock (_lock)
        {
            wasAbandoned = batch.IsAbandoned;
            stays = _queue.OnLost(batch);
        }

        Settle(batch, stays, wasAbandoned, reason);
    }

    /// <summary>What was prepared is there, or will not come: goes on.</summary>
    public void OnPrepared(InitProducerResponse? identity, WeirException? error)
    {
        lock (_lock)
        {
            _isPreparing = false;
            if (identity is not null)
            {
                _queue.SetIdentity(identity.ProducerId, identity.ProducerEpoch);
            }
        }

        if (error is not null)
        {
            FailQueued(error);
        }

        Pump();
    }

    /// <summary>Fails everything that is waiting, and stays open: the topic may come back.</summary>
    private void FailQueued(WeirException error)
    {
        var failed = new List<QueuedBatch>();
        lock (_lock)
        {
            if (_open is not null)
            {
                CloseOpen();
            }

            _queue.Abandon(failed);
        }

        FailAll(failed, error.Code, error.Message);
    }

    private void Settle(ProducerBatch batch, bool stays, bool wasAbandoned, WeirException error)
    {
        var window = LeaveWindow(batch, out var bytes);
        if (!stays)
        {
            if (!wasAbandoned)
            {
                _core.OnFailed(batch, Partition, error);
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
            Pump();
        }
    }

    private static ProduceWindow? LeaveWindow(ProducerBatch batch, out int bytes)
    {
        bytes = batch.WindowBytes;
        var window = batch.SentOn?.Window;
        batch.SentOn = null;
        return window;
    }

    private void FailAll(List<QueuedBatch> failed, ErrorCode code, string text)
    {
        foreach (var batch in failed.Cast<ProducerBatch>())
        {
            _core.OnFailed(batch, Partition, WeirException.At(code, text, _core.TopicName, Partition));
            lock (_lock)
            {
                if (batch.IsAbandoned)
                {
                    // Its buffer is still in use; the answer or the end of the connection returns it.
                    continue;
                }
            }

            _core.Retire(batch);
        }
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

    private void Pump()
    {
        lock (_lock)
        {
            if (_isPumping)
            {
                _pumpAgain = true;
                return;
            }

            if (_isPreparing || _waitsForWindow)
            {
                // Who prepares, or opens the window, pumps.
                return;
            }

            _isPumping = true;
        }

        while (TryTakeStep(out var batch))
        {
            if (!TrySend(batch))
            {
                lock (_lock)
                {
                    if (!_pumpAgain)
                    {
                        _isPumping = false;
                        return;
                    }

                    _pumpAgain = false;
                }
            }
        }
    }

    /// <summary>The next batch to send, or the end of the pump.</summary>
    private bool TryTakeStep(out ProducerBatch batch)
    {
        lock (_lock)
        {
            while (true)
            {
                var now = _core.Time.GetTimestamp();
                var step = _queue.Decide(now, out var next, out var until);
                if (step == SendStep.Send)
                {
                    // In flight from here on, so that nobody gives it up and its buffer with it while it is sealed.
                    batch = (ProducerBatch)next!;
                    _queue.MarkSent(batch);
                    return true;
                }

                if (step == SendStep.None && _open is { } open && _queue.HasRoom && open.ReadyAt <= now)
                {
                    CloseOpen();
                    continue;
                }

                if (step == SendStep.Wait)
                {
                    _core.PumpAt(until);
                }
                else if (step == SendStep.Identify)
                {
                    Prepare(renewsIdentity: true);
                }

                if (!_pumpAgain)
                {
                    _isPumping = false;
                    batch = null!;
                    return false;
                }

                _pumpAgain = false;
            }
        }
    }

    private bool TrySend(ProducerBatch batch)
    {
        if (_core.OpenLeader(Partition) is not { } connection)
        {
            TakeBack(batch, mustConnect: true);
            return false;
        }

        var topic = _core.Topic;
        _request.TopicId = topic.Id;
        _request.TimeoutMs = _core.RequestTimeoutMs;
        _request.Batch = batch.Seal(topic.Id, Partition, _core.Options.Compression);
        var bytes = _request.Batch.Length + ProducerCore.FrameOverheadBytes;
        lock (_lock)
        {
            // Under the lock, so that the window cannot open before the flag is set.
            if (!connection.Window.TryTake(bytes, this))
            {
                _waitsForWindow = true;
            }
            else
            {
                batch.SentOn = connection;
                batch.WindowBytes = bytes;
            }
        }

        if (batch.SentOn is null)
        {
            TakeBack(batch, mustConnect: false);
            return false;
        }

        var isSent = _core.Options.Acks == Acks.None
            ? connection.TryPush(ApiKey.Produce, _request, batch)
            : connection.TryRequest(ApiKey.Produce, _request, batch);
        if (!isSent)
        {
            LeaveWindow(batch, out _)?.Release(bytes);
            TakeBack(batch, mustConnect: true);
        }

        return isSent;
    }

    /// <summary>A batch could not leave: it stays first, unless it was given up meanwhile.</summary>
    private void TakeBack(ProducerBatch batch, bool mustConnect)
    {
        bool stays;
        lock (_lock)
        {
            stays = _queue.MarkUnsent(batch);
            if (mustConnect)
            {
                Prepare(renewsIdentity: false);
            }
        }

        if (!stays)
        {
            _core.Retire(batch);
        }
    }

    /// <summary>Starts to get what is missing, once at a time. Called under the lock.</summary>
    private void Prepare(bool renewsIdentity)
    {
        if (!_isPreparing && _closed is null)
        {
            _isPreparing = true;
            _core.Prepare(this, renewsIdentity);
        }
    }
}
