using Weir.Testing.Support;

namespace Weir.Simulation;

/// <summary>
/// Virtual time and the one queue of everything that happens. Two events at one time run in the order in which they were
/// planned, so a seed gives one history; <see cref="TraceHash"/> tells two of them apart.
/// </summary>
public sealed class World(ulong seed)
{
    private readonly PriorityQueue<Action, (long Time, long Sequence)> _events = new();
    private long _sequence;

    /// <summary>Microseconds since the start.</summary>
    public long NowUs { get; private set; }

    /// <summary>Milliseconds since the start.</summary>
    public long NowMs => NowUs / 1000;

    /// <summary>Events that ran.</summary>
    public long EventCount { get; private set; }

    /// <summary>Changes with every event and everything that is mixed into it.</summary>
    public ulong TraceHash { get; private set; } = 14695981039346656037;

    /// <summary>A stream of random numbers of its own for each user, so that one does not shift another.</summary>
    public SeededRandom Stream(ulong number) => new(seed, number);

    /// <summary>Plans an event.</summary>
    public void After(long delayUs, Action action) => _events.Enqueue(action, (NowUs + Math.Max(0, delayUs), _sequence++));

    /// <summary>Mixes what happened into the hash.</summary>
    public void Trace(long value) => TraceHash = (TraceHash ^ (ulong)value) * 1099511628211;

    /// <summary>Runs events up to a time.</summary>
    public void RunUntil(long timeUs, Func<bool> isStopped)
    {
        while (!isStopped() && _events.TryPeek(out _, out var next) && next.Time <= timeUs)
        {
            var action = _events.Dequeue();
            NowUs = next.Time;
            EventCount++;
            Trace(next.Time);
            action();
        }

        NowUs = Math.Max(NowUs, timeUs);
    }
}
