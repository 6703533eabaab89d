using Weir.Client.Producing;

namespace Weir.Client.Tests.Unit;

[Trait("Category", "Unit")]
public sealed class SendLineTests
{
    private readonly List<int> _appended = [];
    private readonly SendLine _line;
    private readonly Lock _lock = new();
    private int _room;

    public SendLineTests() => _line = new SendLine(TryAppend);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Records_are_appended_in_the_order_of_the_calls_however_room_comes()
    {
        var waiting = Enumerable.Range(0, 1000).Select(Join).ToList();
        for (var i = 0; i < 1000; i++)
        {
            Interlocked.Increment(ref _room);
            _line.Wake();
        }

        Assert.DoesNotContain(false, await Task.WhenAll(waiting.Select(record => record.Settled)).WaitAsync(Cancelled));
        Assert.Equal(Enumerable.Range(0, 1000), _appended);
        Assert.False(_line.HasWaiters);
    }

    [Fact]
    public async Task One_that_leaves_is_not_appended_and_holds_up_nobody()
    {
        var waiting = Enumerable.Range(0, 3).Select(Join).ToList();
        var left = _line.TryLeave(waiting[0]) ? false : await waiting[0].Settled;
        Assert.False(left);
        Interlocked.Add(ref _room, 10);
        _line.Wake();
        Assert.DoesNotContain(false, await Task.WhenAll(waiting[1].Settled, waiting[2].Settled).WaitAsync(Cancelled));
        Assert.Equal([1, 2], _appended);
    }

    [Fact]
    public async Task What_can_never_be_appended_fails_alone()
    {
        var waiting = new[] { 1, -1, 2 }.Select(Join).ToList();
        Interlocked.Add(ref _room, 10);
        _line.Wake();
        await Assert.ThrowsAsync<InvalidOperationException>(() => waiting[1].Settled.WaitAsync(Cancelled));
        await Task.WhenAll(waiting[0].Settled, waiting[2].Settled).WaitAsync(Cancelled);
        Assert.Equal([1, 2], _appended);
    }

    [Fact]
    public async Task Closing_fails_all_and_later_ones_too()
    {
        var waiting = Join(0);
        _line.Close(new ObjectDisposedException("x"));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting.Settled.WaitAsync(Cancelled));
        Assert.Throws<ObjectDisposedException>(() => Join(1));
    }

    private WaitingRecord Join(int number) => _line.Join(new OutgoingRecord { Partition = number }, operation: null);

    private bool TryAppend(WaitingRecord waiting)
    {
        if (waiting.Record.Partition < 0)
        {
            throw new InvalidOperationException();
        }

        lock (_lock)
        {
            if (Volatile.Read(ref _room) == 0)
            {
                return false;
            }

            Interlocked.Decrement(ref _room);
            _appended.Add(waiting.Record.Partition!.Value);
            return true;
        }
    }
}
