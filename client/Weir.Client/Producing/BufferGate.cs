namespace Weir.Client.Producing;

/// <summary>
/// The bytes that a producer may hold. Who finds too little waits in line; the one in front is woken when bytes come back,
/// tries, and wakes the next in turn. Thread-safe.
/// </summary>
internal sealed class BufferGate(long limitBytes)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Turn> _line = [];
    private long _used;
    private Exception? _closed;
    private int _waiting;

    /// <summary>Whether somebody waits: newcomers go behind.</summary>
    public bool HasWaiters => Volatile.Read(ref _waiting) > 0;

    /// <summary>Bytes held now.</summary>
    public long UsedBytes => Interlocked.Read(ref _used);

    /// <summary>Takes bytes; more than the limit is granted only while nothing is held.</summary>
    public bool TryTake(int bytes)
    {
        while (true)
        {
            var used = Interlocked.Read(ref _used);
            if (!Fits(used, bytes))
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _used, used + bytes, used) == used)
            {
                return true;
            }
        }
    }

    /// <summary>Gives bytes back.</summary>
    public void Release(int bytes)
    {
        Interlocked.Add(ref _used, -bytes);
        if (HasWaiters)
        {
            WakeFirst();
        }
    }

    /// <summary>Waits in line until so many bytes may be had; the turn must be ended by <see cref="EndTurn()"/>.</summary>
    public async Task WaitTurnAsync(int bytes, TimeSpan timeout, TimeProvider time, CancellationToken ct)
    {
        var turn = new Turn(bytes);
        lock (_lock)
        {
            if (_closed is not null)
            {
                throw _closed;
            }

            _line.AddLast(turn);
            _waiting++;
        }

        // Bytes may have come back since the attempt that failed.
        WakeFirst();
        try
        {
            await turn.Came.Task.WaitAsync(timeout, time, ct).ConfigureAwait(false);
        }
        catch
        {
            Leave(turn);
            throw;
        }
    }

    /// <summary>Wakes the next in line, if there may be room.</summary>
    public void EndTurn()
    {
        if (HasWaiters)
        {
            WakeFirst();
        }
    }

    /// <summary>Fails all who wait now and later.</summary>
    public void Close(Exception reason)
    {
        Turn[] waiting;
        lock (_lock)
        {
            _closed = reason;
            waiting = [.. _line];
            _line.Clear();
            _waiting = 0;
        }

        foreach (var turn in waiting)
        {
            turn.Came.TrySetException(reason);
        }
    }

    private void Leave(Turn turn)
    {
        lock (_lock)
        {
            if (_line.Remove(turn))
            {
                _waiting--;
                return;
            }
        }

        // It was woken while it gave up: the turn goes to the next.
        EndTurn();
    }

    private void WakeFirst()
    {
        Turn? first;
        lock (_lock)
        {
            first = _line.First?.Value;
            if (first is null || !Fits(UsedBytes, first.Bytes))
            {
                return;
            }

            _line.RemoveFirst();
            _waiting--;
        }

        first.Came.TrySetResult();
    }

    private bool Fits(long used, int bytes) => used == 0 || used + bytes <= limitBytes;

    private sealed class Turn(int bytes)
    {
        public int Bytes => bytes;

        public TaskCompletionSource Came { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
