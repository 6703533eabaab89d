namespace Weir.Client.Producing;

/// <summary>The clocks of one producer: linger, retry and delivery timeout, one timer each for all partitions.</summary>
internal sealed class ProducerTimers(ProducerCore core, ProducerOptions options) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private ITimer? _linger;
    private ITimer? _retry;
    private ITimer? _expiry;
    private int _isLingerArmed;
    private long _retryDue = long.MaxValue;

    /// <summary>Creates the timers; before it nothing is buffered.</summary>
    public void Start()
    {
        var period = TimeSpan.FromTicks(Math.Clamp(
            options.DeliveryTimeout.Ticks / 10, TimeSpan.TicksPerMillisecond * 20, TimeSpan.TicksPerSecond));
        lock (_lock)
        {
            if (core.IsDisposed || _linger is not null)
            {
                return;
            }

            _linger = Create(static timers => timers.SendDue(), Timeout.InfiniteTimeSpan);
            _retry = Create(static timers => timers.Retry(), Timeout.InfiniteTimeSpan);
            _expiry = Create(static timers => timers.Expire(), period);
        }
    }

    /// <summary>Makes sure that open batches are looked at once their linger has passed.</summary>
    public void ArmLinger()
    {
        if (core.LingerTicks > 0 && Interlocked.Exchange(ref _isLingerArmed, 1) == 0)
        {
            Change(_linger, options.Linger);
        }
    }

    /// <summary>Makes sure that the pumps run at a timestamp or before.</summary>
    public void PumpAt(long timestamp)
    {
        lock (_lock)
        {
            if (timestamp >= _retryDue)
            {
                return;
            }

            _retryDue = timestamp;
            var wait = core.Time.GetElapsedTime(core.Time.GetTimestamp(), timestamp);
            Change(_retry, wait > TimeSpan.FromMilliseconds(1) ? wait : TimeSpan.FromMilliseconds(1));
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var timer in (ITimer?[])[_linger, _retry, _expiry])
        {
            if (timer is not null)
            {
                await timer.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private static void Change(ITimer? timer, TimeSpan due)
    {
        try
        {
            timer?.Change(due, Timeout.InfiniteTimeSpan);
        }
        catch (ObjectDisposedException)
        {
            // The producer ends: nothing is due any more.
        }
    }

    private ITimer Create(Action<ProducerTimers> tick, TimeSpan period) => core.Time.CreateTimer(
        static state =>
        {
            var (timers, action) = ((ProducerTimers, Action<ProducerTimers>))state!;
            action(timers);
        },
        (this, tick),
        period,
        period);

    private void SendDue()
    {
        Volatile.Write(ref _isLingerArmed, 0);
        var left = false;
        foreach (var partition in core.Partitions)
        {
            left |= partition.SendDue();
        }

        if (left)
        {
            ArmLinger();
        }
    }

    private void Retry()
    {
        lock (_lock)
        {
            _retryDue = long.MaxValue;
        }

        foreach (var partition in core.Partitions)
        {
            partition.SendDue();
        }
    }

    private void Expire()
    {
        var now = core.Time.GetTimestamp();
        foreach (var partition in core.Partitions)
        {
            partition.Expire(now);
        }
    }
}
