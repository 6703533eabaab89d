using Weir.Operator.Hosting;

namespace Weir.Operator.Kubernetes;

/// <summary>How a work queue delays.</summary>
internal sealed record WorkQueueOptions
{
    /// <summary>Delay after a key's first failure; it doubles with each one.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Largest such delay.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>
/// Keys that wait to be worked on. A key is in it once however often it is added, is never with two workers, and one that is
/// added while it is worked on is worked on once more afterwards. Nothing is ever dropped: a key that fails comes back, later and
/// later. Thread-safe.
/// </summary>
internal sealed class WorkQueue<TKey> : IDisposable
    where TKey : notnull
{
    private readonly Lock _lock = new();
    private readonly string _name;
    private readonly WorkQueueOptions _options;
    private readonly TimeProvider _time;
    private readonly Func<double> _random;
    private readonly OperatorMetrics _metrics;
    private readonly Queue<TKey> _ready = new();
    private readonly Dictionary<TKey, long> _dirty = [];
    private readonly HashSet<TKey> _processing = [];
    private readonly Dictionary<TKey, int> _failures = [];
    private readonly PriorityQueue<TKey, TimeSpan> _later = new();
    private readonly Dictionary<TKey, TimeSpan> _due = [];
    private readonly Queue<TaskCompletionSource<TKey>> _takers = new();
    private readonly ITimer _timer;
    private readonly long _started;

    public WorkQueue(string name, WorkQueueOptions options, TimeProvider time, Func<double> random, OperatorMetrics metrics)
    {
        _name = name;
        _options = options;
        _time = time;
        _random = random;
        _metrics = metrics;
        _started = time.GetTimestamp();
        _timer = time.CreateTimer(_ => OnTimer(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Keys that can be worked on now.</summary>
    public int Depth
    {
        get
        {
            lock (_lock)
            {
                return _dirty.Count;
            }
        }
    }

    /// <summary>Since the queue was made: a clock that is set forward or back changes no wait.</summary>
    private TimeSpan Now => _time.GetElapsedTime(_started);

    /// <summary>Adds a key, to be worked on as soon as a worker is free.</summary>
    public void Add(TKey key)
    {
        lock (_lock)
        {
            AddLocked(key);
        }
    }

    /// <summary>Adds a key after a time. Of several times the earliest counts.</summary>
    /// <param name="key">The key.</param>
    /// <param name="delay">The time.</param>
    /// <param name="slack">
    /// How much later it may be. Keys with the same slack come in groups, so that a process with many of them and nothing to do
    /// wakes up rarely.
    /// </param>
    public void AddAfter(TKey key, TimeSpan delay, TimeSpan slack = default)
    {
        lock (_lock)
        {
            if (delay <= TimeSpan.Zero)
            {
                AddLocked(key);
                return;
            }

            var due = Now + delay;
            if (slack > TimeSpan.Zero)
            {
                due += TimeSpan.FromTicks((slack.Ticks - (due.Ticks % slack.Ticks)) % slack.Ticks);
            }

            if (!_due.TryGetValue(key, out var present) || due < present)
            {
                _due[key] = due;
                _later.Enqueue(key, due);
                SetTimer();
            }
        }
    }

    /// <summary>Adds a key that failed, later each time.</summary>
    /// <param name="key">The key.</param>
    /// <param name="atLeast">A longer wait that somebody asked for; null for none.</param>
    /// <returns>The delay.</returns>
    public TimeSpan AddRateLimited(TKey key, TimeSpan? atLeast = null)
    {
        TimeSpan delay;
        lock (_lock)
        {
            var failures = _failures.GetValueOrDefault(key);
            _failures[key] = failures + 1;
            delay = _options.Backoff * Math.Pow(2, Math.Min(failures, 30));
            delay = delay > _options.BackoffMax ? _options.BackoffMax : delay;
            delay *= 1 + 0.1 * _random();
            delay = atLeast > delay ? atLeast.Value : delay;
        }

        _metrics.CountRetry(_name);
        AddAfter(key, delay);
        return delay;
    }

    /// <summary>A key did not fail: its next failure is the first one.</summary>
    public void Forget(TKey key)
    {
        lock (_lock)
        {
            _failures.Remove(key);
        }
    }

    /// <summary>Takes the next key; it belongs to the caller until <see cref="Done"/>.</summary>
    public async Task<TKey> TakeAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource<TKey> taker;
        lock (_lock)
        {
            if (_ready.TryDequeue(out var key))
            {
                Start(key);
                return key;
            }

            taker = new TaskCompletionSource<TKey>(TaskCreationOptions.RunContinuationsAsynchronously);
            _takers.Enqueue(taker);
        }

        // A key that was handed over in the same moment wins over the cancellation, or it would be lost.
        await using var registration = cancellationToken.Register(() => taker.TrySetCanceled(cancellationToken));
        return await taker.Task;
    }

    /// <summary>Gives a key back; if it was added meanwhile, it is worked on again.</summary>
    public void Done(TKey key)
    {
        lock (_lock)
        {
            _processing.Remove(key);
            if (_dirty.ContainsKey(key))
            {
                Offer(key);
            }
        }
    }

    public void Dispose() => _timer.Dispose();

    private void AddLocked(TKey key)
    {
        if (_dirty.TryAdd(key, _time.GetTimestamp()))
        {
            _metrics.CountAdd(_name);
            _metrics.SetDepth(_name, _dirty.Count);
            if (!_processing.Contains(key))
            {
                Offer(key);
            }
        }
    }

    private void Offer(TKey key)
    {
        while (_takers.TryDequeue(out var taker))
        {
            Start(key);
            if (taker.TrySetResult(key))
            {
                return;
            }

            // That worker was cancelled.
            _processing.Remove(key);
            _dirty.TryAdd(key, _time.GetTimestamp());
        }

        _ready.Enqueue(key);
    }

    private void Start(TKey key)
    {
        _dirty.Remove(key, out var since);
        _processing.Add(key);
        _metrics.SetDepth(_name, _dirty.Count);
        _metrics.ObserveWait(_name, _time.GetElapsedTime(since));
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            var now = Now;
            while (_later.TryPeek(out var key, out var due) && due <= now)
            {
                _later.Dequeue();

                // An entry that an earlier time replaced is skipped.
                if (_due.TryGetValue(key, out var present) && present == due)
                {
                    _due.Remove(key);
                    AddLocked(key);
                }
            }

            SetTimer();
        }
    }

    private void SetTimer()
    {
        if (_later.TryPeek(out _, out var due))
        {
            var wait = due - Now;
            _timer.Change(wait < TimeSpan.Zero ? TimeSpan.Zero : wait, Timeout.InfiniteTimeSpan);
        }
    }
}
