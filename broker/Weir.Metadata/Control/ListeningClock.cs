namespace Weir.Metadata.Control;

/// <summary>
/// Time as far as somebody listened, for how long others were silent. Who stands still itself, for want of a processor or in a
/// machine that is paused, hears only afterwards what the others sent meanwhile: that silence was its own. Not thread-safe.
/// </summary>
public sealed class ListeningClock
{
    /// <summary>Longest time between two ticks that counts in full. Whoever listens ticks several times as often.</summary>
    public const int MaxTickMs = 100;

    private long? _tickedAtMs;

    /// <summary>Milliseconds; begins with 0.</summary>
    public long NowMs { get; private set; }

    /// <summary>The time is so late, and everything that arrived until the last tick was read.</summary>
    /// <param name="nowMs">Of a clock that never goes back, in milliseconds.</param>
    public void Tick(long nowMs)
    {
        NowMs += Math.Min(nowMs - (_tickedAtMs ?? nowMs), MaxTickMs);
        _tickedAtMs = nowMs;
    }
}
