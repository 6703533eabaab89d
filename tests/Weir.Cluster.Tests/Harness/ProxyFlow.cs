using System.Diagnostics;
using Weir.Testing.Support;

namespace Weir.Cluster.Tests.Harness;

/// <summary>One direction of a proxy: its present faults and its counts, for all connections.</summary>
internal sealed class ProxyFlow(ulong seed, ulong stream)
{
    private readonly Lock _lock = new();
    private readonly SeededRandom _random = new(seed, stream);
    private TaskCompletionSource? _held;
    private TimeSpan _delay;
    private TimeSpan _jitter;
    private long _left = long.MaxValue;
    private long _received;
    private long _delivered;

    public long Received => Volatile.Read(ref _received);

    public long Delivered => Volatile.Read(ref _delivered);

    public void SetDelay(TimeSpan delay, TimeSpan jitter)
    {
        lock (_lock)
        {
            (_delay, _jitter) = (delay, jitter);
        }
    }

    public void Hold()
    {
        lock (_lock)
        {
            _held ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public void Release()
    {
        lock (_lock)
        {
            _held?.SetResult();
            _held = null;
        }
    }

    public void CutAfter(long bytes)
    {
        lock (_lock)
        {
            _left = bytes;
        }
    }

    /// <summary>Bytes came in; the answer is the time at which they may go out.</summary>
    public long Take(int bytes)
    {
        Interlocked.Add(ref _received, bytes);
        lock (_lock)
        {
            var jitter = _jitter > TimeSpan.Zero ? _jitter * (_random.Next(1 << 16) / (double)(1 << 16)) : TimeSpan.Zero;
            return Stopwatch.GetTimestamp() + (long)((_delay + jitter).TotalSeconds * Stopwatch.Frequency);
        }
    }

    /// <summary>Waits for a time to go out, and while the direction is held.</summary>
    public async Task WaitAsync(long due, CancellationToken ct)
    {
        var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);
        if (left > TimeSpan.Zero)
        {
            await Task.Delay(left, TimeProvider.System, ct);
        }

        while (Held() is { } held)
        {
            await held.WaitAsync(ct);
        }
    }

    /// <summary>How many of some bytes may go out, and whether the connection is cut after them.</summary>
    public (int Bytes, bool IsCut) Grant(int bytes)
    {
        lock (_lock)
        {
            if (_left > bytes)
            {
                _left -= _left == long.MaxValue ? 0 : bytes;
                return (bytes, false);
            }

            var granted = (int)_left;
            _left = long.MaxValue;
            return (granted, true);
        }
    }

    public void Deliver(int bytes) => Interlocked.Add(ref _delivered, bytes);

    private Task? Held()
    {
        lock (_lock)
        {
            return _held?.Task;
        }
    }
}
