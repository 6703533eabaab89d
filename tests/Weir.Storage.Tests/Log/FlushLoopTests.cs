using Weir.Protocol.Messages;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>Which syncs a round makes, and that a log may go away at any moment.</summary>
[Trait("Category", "Unit")]
public sealed class FlushLoopTests : IDisposable
{
    private readonly LogTestBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData(3, 3, 0)]
    [InlineData(4, 0, 1)]
    [InlineData(20, 0, 1)]
    public void Few_logs_are_synced_each_and_many_together(int count, int fileSyncs, int allSyncs)
    {
        using var group = new LogGroup(_bed, count);
        group.AppendAndFlush();
        group.Append();
        var steps = new List<DiskOperation>();
        _bed.Disk.BeforeStep = step => steps.Add(step.Operation);
        _bed.Flush.RunRound();

        Assert.Equal(fileSyncs, steps.Count(step => step == DiskOperation.Sync));
        Assert.Equal(allSyncs, steps.Count(step => step == DiskOperation.SyncAll));
        Assert.All(group.Logs, log => Assert.Equal(2, log.DurableOffset));
    }

    [Fact]
    public void Log_without_the_fsync_contract_is_synced_in_the_background()
    {
        using var group = new LogGroup(_bed, 1, durability: Durability.Leader);
        group.AppendAndFlush();
        Assert.Equal((1, 0), (group.Logs[0].WrittenOffset, group.Logs[0].DurableOffset));
        _bed.Flush.SyncBackground();
        Assert.Equal(1, group.Logs[0].DurableOffset);
    }

    [Theory]
    [InlineData(Durability.Fsync)]
    [InlineData(Durability.Leader)]
    public void Log_that_was_closed_while_it_was_queued_does_no_harm(Durability durability)
    {
        using var group = new LogGroup(_bed, 5, durability: durability);
        group.AppendAndFlush();
        group.Append();
        group.Logs[0].Close();
        group.Logs[1].Dispose();
        _bed.Flush.RunRound();
        group.Logs[2].Dispose();
        _bed.Flush.SyncBackground();
        Assert.Equal(2, group.Logs[3].DurableOffset);
        group.AppendTo(3);
        _bed.Flush.RunRound();
        group.Logs[3].Dispose();
        _bed.Flush.SyncBackground();
    }

    [Fact]
    public void Running_loop_flushes_until_it_is_disposed()
    {
        _bed.Flush.Start();
        var outcome = _bed.Append(3);
        _bed.Flush.Signal(_bed.Log);
        _bed.Flush.Dispose();
        Assert.Equal(outcome.NextOffset, _bed.Acknowledged);
        _bed.Flush.Signal(_bed.Log);
    }

    [Fact]
    public void Full_log_is_tried_again_while_others_keep_the_loop_busy()
    {
        using var group = new LogGroup(_bed, 1);
        group.AppendAndFlush();
        _bed.AppendDurable();
        _bed.Disk.Capacity = long.MaxValue - _bed.Disk.FreeBytes;
        _bed.Append(1, 500_000);
        _bed.RunFlush();
        Assert.Equal(LogState.StorageFull, _bed.Log.State);
        _bed.Disk.Capacity = long.MaxValue;
        for (var i = 0; i < 3; i++)
        {
            _bed.Time.Advance(TimeSpan.FromMilliseconds(400));
            group.AppendAndFlush();
        }

        Assert.Equal((LogState.Online, 2), (_bed.Log.State, _bed.Log.DurableOffset));
    }
}
