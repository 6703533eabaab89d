using CsCheck;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;
using Weir.Operator.Tests.Support;

namespace Weir.Operator.Tests;

/// <summary>The queue of work, on a clock that stands still unless told.</summary>
public sealed class WorkQueueTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Key_added_often_is_taken_once()
    {
        using var queue = Create(new TestClock());
        queue.Add("a");
        queue.Add("a");
        queue.Add("b");
        Assert.Equal("a", await queue.TakeAsync(Token));
        Assert.Equal("b", await queue.TakeAsync(Token));
        Assert.False(queue.TakeAsync(Token).IsCompleted);
    }

    [Fact]
    public async Task Key_added_while_it_is_worked_on_comes_once_more_afterwards()
    {
        using var queue = Create(new TestClock());
        queue.Add("a");
        var key = await queue.TakeAsync(Token);
        queue.Add("a");
        queue.Add("a");
        var next = queue.TakeAsync(Token);
        Assert.False(next.IsCompleted);
        queue.Done(key);
        Assert.Equal("a", await next);
        queue.Done("a");
        Assert.Equal(0, queue.Depth);
    }

    [Fact]
    public async Task Failing_key_comes_back_later_each_time_and_is_never_dropped()
    {
        var clock = new TestClock();
        using var queue = Create(clock);
        var last = TimeSpan.Zero;
        queue.Add("a");
        for (var failure = 0; failure < 50; failure++)
        {
            var key = await queue.TakeAsync(Token);
            var delay = queue.AddRateLimited(key);
            queue.Done(key);
            Assert.True(delay >= last && delay <= TimeSpan.FromMinutes(5.5));
            last = delay;
            clock.Advance(delay);
        }

        Assert.True(last >= TimeSpan.FromMinutes(5));
        queue.Forget("a");
        Assert.True(queue.AddRateLimited("a") < TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Wait_that_a_server_asked_for_is_kept()
    {
        using var queue = Create(new TestClock());
        Assert.Equal(TimeSpan.FromSeconds(42), queue.AddRateLimited("a", TimeSpan.FromSeconds(42)));
    }

    [Fact]
    public async Task Of_several_times_the_earliest_counts_and_only_once()
    {
        var clock = new TestClock();
        using var queue = Create(clock);
        queue.AddAfter("a", TimeSpan.FromSeconds(60));
        queue.AddAfter("a", TimeSpan.FromSeconds(5));
        queue.AddAfter("a", TimeSpan.FromSeconds(30));
        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("a", await queue.TakeAsync(Token));
        queue.Done("a");
        clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(0, queue.Depth);
    }

    [Fact]
    public void Clock_that_is_set_back_delays_no_key()
    {
        var clock = new TestClock();
        using var queue = Create(clock);
        queue.AddAfter("a", TimeSpan.FromSeconds(60));
        clock.SetBack = TimeSpan.FromHours(1);
        clock.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(1, queue.Depth);
    }

    [Fact]
    public void Keys_that_may_be_late_come_together_and_none_is_early()
    {
        var clock = new TestClock();
        using var queue = Create(clock);
        var slack = TimeSpan.FromSeconds(2);
        queue.AddAfter("a", TimeSpan.FromSeconds(60.1), slack);
        queue.AddAfter("b", TimeSpan.FromSeconds(61.9), slack);
        queue.AddAfter("c", TimeSpan.FromSeconds(62.1), slack);
        clock.Advance(TimeSpan.FromSeconds(61.9));
        Assert.Equal(0, queue.Depth);
        clock.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal(2, queue.Depth);
        clock.Advance(slack);
        Assert.Equal(3, queue.Depth);
    }

    [Fact]
    public async Task Key_is_not_lost_with_a_worker_that_was_cancelled()
    {
        using var queue = Create(new TestClock());
        using var cancel = new CancellationTokenSource();
        var waiting = queue.TakeAsync(cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        queue.Add("a");
        Assert.Equal("a", await queue.TakeAsync(Token));
    }

    /// <summary>Whatever is added, taken, failed and done in whatever order: a key is with one worker, and none is forgotten.</summary>
    [Fact]
    public void No_order_of_steps_loses_a_key_or_gives_it_to_two()
    {
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 4]).Array[1, 60].Sample(steps =>
        {
            var clock = new TestClock();
            using var queue = Create(clock);
            var wanted = new HashSet<int>();
            var held = new List<int>();
            foreach (var (action, key) in steps)
            {
                switch (action)
                {
                    case 0:
                        queue.Add(key);
                        wanted.Add(key);
                        break;
                    case 1 when queue.Depth > 0 && wanted.Except(held).Any():
                        var taken = queue.TakeAsync(CancellationToken.None);
                        Assert.True(taken.IsCompletedSuccessfully);
                        Assert.DoesNotContain(taken.Result, held);
                        Assert.True(wanted.Remove(taken.Result));
                        held.Add(taken.Result);
                        break;
                    case 2 when held.Count > 0:
                        queue.Done(held[0]);
                        held.RemoveAt(0);
                        break;
                    case 3 when held.Count > 0:
                        clock.Advance(queue.AddRateLimited(held[0]));
                        wanted.Add(held[0]);
                        break;
                }

                Assert.Equal(wanted.Count, queue.Depth);
            }
        });

        static WorkQueue<int> Create(TestClock clock) => new(
            "test", new WorkQueueOptions(), clock, static () => 0, new OperatorMetrics());
    }

    private static WorkQueue<string> Create(TestClock clock) => new(
        "test", new WorkQueueOptions(), clock, static () => 0.5, new OperatorMetrics());
}
