namespace Weir.Client.Producing;

/// <summary>A record that waits in line. Guarded by the line's lock.</summary>
internal sealed class WaitingRecord(OutgoingRecord record, SendOperation? operation)
{
    private readonly TaskCompletionSource<bool> _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public OutgoingRecord Record => record;

    public SendOperation? Operation => operation;

    /// <summary>True: it is buffered. False: it left the line. Faults with why it can never be buffered.</summary>
    public Task<bool> Settled => _settled.Task;

    /// <summary>Whether it is being appended just now.</summary>
    public bool IsTaken { get; set; }

    /// <summary>Whether its caller gave up while it was being appended.</summary>
    public bool WantsOut { get; set; }

    public LinkedListNode<WaitingRecord>? Place { get; set; }

    public void Settle(bool isBuffered) => _settled.TrySetResult(isBuffered);

    public void Fail(Exception reason) => _settled.TrySetException(reason);
}

/// <summary>
/// Records that cannot be buffered at once, because the topic is not known yet or the buffer is full, in the order of the
/// calls. One worker at a time appends them from the front; a record counts as waiting until it is appended, so that no
/// later call can overtake it by appending directly. Thread-safe; holds no lock while it appends.
/// </summary>
/// <param name="tryAppend">Appends one; false if there is no room, or the topic is not known. Throws if it never can be.</param>
internal sealed class SendLine(Func<WaitingRecord, bool> tryAppend) : IThreadPoolWorkItem
{
    private readonly Lock _lock = new();
    private readonly LinkedList<WaitingRecord> _line = [];
    private Exception? _closed;
    private int _waiting;
    private bool _isRunning;
    private bool _mustRunAgain;

    /// <summary>Whether somebody waits: newcomers go behind.</summary>
    public bool HasWaiters => Volatile.Read(ref _waiting) > 0;

    /// <summary>Puts a record at the end of the line.</summary>
    /// <exception cref="Exception">What the line was closed with.</exception>
    public WaitingRecord Join(in OutgoingRecord record, SendOperation? operation)
    {
        var waiting = new WaitingRecord(record, operation);
        lock (_lock)
        {
            if (_closed is { } closed)
            {
                throw closed;
            }

            waiting.Place = _line.AddLast(waiting);
            Volatile.Write(ref _waiting, _line.Count);
        }

        // What it waits for may have come since its caller looked.
        Wake();
        return waiting;
    }

    /// <summary>Takes a record out again. False: it is being appended or was; its task tells which way it went.</summary>
    public bool TryLeave(WaitingRecord waiting)
    {
        lock (_lock)
        {
            if (waiting.Place is null || waiting.IsTaken)
            {
                waiting.WantsOut = true;
                return false;
            }

            Remove(waiting);
        }

        waiting.Settle(isBuffered: false);
        Wake();
        return true;
    }

    /// <summary>
    /// The topic is known, or bytes came back: has the worker look at the front of the line. Never blocks; the caller may
    /// hold a partition's lock.
    /// </summary>
    public void Wake()
    {
        if (!HasWaiters)
        {
            return;
        }

        lock (_lock)
        {
            _mustRunAgain = true;
            if (_isRunning)
            {
                return;
            }

            _isRunning = true;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Fails all who wait now and later.</summary>
    public void Close(Exception reason)
    {
        WaitingRecord[] left;
        lock (_lock)
        {
            _closed = reason;
            left = [.. _line.Where(static waiting => !waiting.IsTaken)];
            foreach (var waiting in left)
            {
                Remove(waiting);
            }
        }

        foreach (var waiting in left)
        {
            waiting.Fail(reason);
        }
    }

    /// <summary>The worker.</summary>
    public void Execute()
    {
        for (var isStuck = false; TryTakeFirst(isStuck, out var first);)
        {
            var isBuffered = false;
            Exception? fault = null;
            try
            {
                isBuffered = tryAppend(first);
            }
            catch (Exception e)
            {
                fault = e;
            }

            isStuck = !TryLand(first, isBuffered, fault);
        }
    }

    private bool TryTakeFirst(bool isStuck, out WaitingRecord first)
    {
        lock (_lock)
        {
            first = _line.First?.Value!;
            if (first is null || (isStuck && !_mustRunAgain))
            {
                _isRunning = false;
                return false;
            }

            _mustRunAgain = false;
            first.IsTaken = true;
            return true;
        }
    }

    /// <summary>Takes a record out of the line, or back into it if there was no room.</summary>
    private bool TryLand(WaitingRecord first, bool isBuffered, Exception? fault)
    {
        lock (_lock)
        {
            first.IsTaken = false;
            fault ??= isBuffered ? null : _closed;
            if (!isBuffered && fault is null && !first.WantsOut)
            {
                return false;
            }

            Remove(first);
        }

        if (fault is not null)
        {
            first.Fail(fault);
        }
        else
        {
            first.Settle(isBuffered);
        }

        return true;
    }

    private void Remove(WaitingRecord waiting)
    {
        _line.Remove(waiting.Place!);
        waiting.Place = null;
        Volatile.Write(ref _waiting, _line.Count);
    }
}
