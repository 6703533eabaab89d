using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace Weir.Operator.Tests.Support;

/// <summary>A clock that a test moves, and that says when somebody has begun to wait.</summary>
public sealed class TestClock : FakeTimeProvider
{
    private readonly Channel<TimeSpan> _timers = Channel.CreateUnbounded<TimeSpan>();

    /// <summary>How far somebody has set the clock back; timers and timestamps do not follow it.</summary>
    public TimeSpan SetBack { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() - SetBack;

    public override long GetTimestamp() => base.GetUtcNow().Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _timers.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>Waits until somebody waits for so long, and lets that time pass.</summary>
    public async Task PassAsync(TimeSpan due)
    {
        while (await _timers.Reader.ReadAsync(TestContext.Current.CancellationToken) != due)
        {
        }

        Advance(due);
    }
}
