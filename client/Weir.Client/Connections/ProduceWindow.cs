namespace Weir.Client.Connections;

/// <summary>Waits for room in a connection's produce window.</summary>
internal interface IWindowWaiter
{
    /// <summary>There is room now: try again.</summary>
    void OnWindowOpen();
}

/// <summary>
/// The bytes of produce requests that may wait for their reply on one connection. One request always fits while no other
/// waits. Those refused are called in the order in which they came. Thread-safe.
/// </summary>
internal sealed class ProduceWindow
{
    private readonly Lock _lock = new();
    private readonly Queue<IWindowWaiter> _waiters = [];
    private long _used;
    private bool _isClosed;

    /// <summary>Size of the window; set once by the hello.</summary>
    public int LimitBytes { get; set; } = 1024 * 1024;

    /// <summary>Takes room, or queues the waiter. A waiter queues at most once at a time.</summary>
    public bool TryTake(int bytes, IWindowWaiter waiter)
    {
        lock (_lock)
        {
            if (_isClosed || _used == 0 || _used + bytes <= LimitBytes)
            {
                _used += bytes;
                return true;
            }

            _waiters.Enqueue(waiter);
            return false;
        }
    }

    /// <summary>Gives room back and calls the waiter in front; it calls on whoever is next by taking or not taking.</summary>
    public void Release(int bytes)
    {
        var left = 0;
        lock (_lock)
        {
            _used -= bytes;
            left = _waiters.Count;
        }

        // Each waiter queues again if it finds too little room; one round over the queue is enough.
        for (; left > 0; left--)
        {
            IWindowWaiter? waiter;
            lock (_lock)
            {
                if (_used >= LimitBytes || !_waiters.TryDequeue(out waiter))
                {
                    return;
                }
            }

            waiter.OnWindowOpen();
        }
    }

    /// <summary>The connection ended: calls everyone who waits, and refuses nobody any more.</summary>
    public void Close()
    {
        IWindowWaiter[] waiting;
        lock (_lock)
        {
            _isClosed = true;
            waiting = [.. _waiters];
            _waiters.Clear();
        }

        foreach (var waiter in waiting)
        {
            waiter.OnWindowOpen();
        }
    }
}
