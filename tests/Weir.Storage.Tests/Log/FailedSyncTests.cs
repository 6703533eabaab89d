using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>After a failed sync nobody knows what is on the disk, and the page cache lies about it.</summary>
[Trait("Category", "Unit")]
public sealed class FailedSyncTests : IDisposable
{
    private readonly LogTestBed _bed = new(new LogOptions { SegmentBytes = 4 * 1024 });

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Failed_sync_stops_the_log_and_acknowledges_nothing()
    {
        _bed.AppendDurable(2);
        _bed.Append(3);
        _bed.Disk.FailSyncOnce(LogTestBed.SegmentPath(0));
        _bed.RunFlush();

        Assert.Equal(LogState.Stopped, _bed.Log.State);
        Assert.Equal((2, 2), (_bed.Log.DurableOffset, _bed.Acknowledged));
        Assert.Equal(ErrorCode.LogStopped, _bed.Append().Code);
        _bed.RunFlush();
        Assert.Equal(2, _bed.Log.DurableOffset);
        Assert.Equal(0, _bed.Memory.UnflushedBytes);
        Assert.Equal(2, Crash.LogContent.Read(_bed.Log).Count());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_a_reopened_log_calls_durable_survives_power_loss(bool wasCheckpointed)
    {
        _bed.AppendDurable(2);
        if (wasCheckpointed)
        {
            _bed.Log.SaveCheckpoint();
        }

        _bed.Append(3);
        _bed.Disk.FailSyncOnce(LogTestBed.SegmentPath(0));
        _bed.RunFlush();
        _bed.Reopen();

        Assert.Equal(LogState.Online, _bed.Log.State);
        var durable = _bed.Log.DurableOffset;
        for (var seed = 0UL; seed < 20; seed++)
        {
            using var bed = new LogTestBed(_bed.Options, _bed.Disk.CrashImage(seed));
            Assert.Equal(durable, bed.Log.LogEndOffset);
        }
    }

    [Fact]
    public void Every_sync_of_a_roll_may_fail()
    {
        for (var failing = 1; ; failing++)
        {
            using var bed = new LogTestBed(_bed.Options);
            bed.AppendDurable(2, 1000);
            bed.Append(1, 3000);
            var syncs = 0;
            bed.Disk.FailSync(_ => ++syncs == failing);
            bed.RunFlush();
            bed.Disk.HealSync();
            if (syncs < failing)
            {
                Assert.True(failing > 5);
                return;
            }

            Assert.Equal(2, bed.Acknowledged);
            Assert.Equal(LogState.Stopped, bed.Log.State);
            bed.Reopen();
            var durable = bed.AppendDurable(1, 100).NextOffset;
            for (var seed = 0UL; seed < 30; seed++)
            {
                using var after = new LogTestBed(bed.Options, bed.Disk.CrashImage(seed));
                Assert.True(
                    after.Log.LogEndOffset == durable && after.Log.State == LogState.Online,
                    $"sync {failing}, seed {seed}: {after.Log.State} at {after.Log.LogEndOffset}, {after.Log.StateReason}");
            }
        }
    }

    [Fact]
    public void Failed_sync_of_everything_stops_every_log_that_was_not_synced()
    {
        using var others = new LogGroup(_bed, count: 4);
        using var background = new LogGroup(_bed, count: 1, firstPartition: 100, Durability.Leader);
        background.AppendAndFlush();
        others.Append();
        _bed.Disk.FailSync(step => step.Operation == DiskOperation.SyncAll);
        _bed.Flush.RunRound();
        _bed.Disk.HealSync();
        Assert.All(others.Logs, log => Assert.Equal((LogState.Stopped, 0), (log.State, log.DurableOffset)));

        // Its pages count as written too: a later sync of its own would succeed and prove nothing.
        _bed.Flush.SyncBackground();
        Assert.Equal((LogState.Stopped, 0), (background.Logs[0].State, background.Logs[0].DurableOffset));
    }

    [Fact]
    public void Failed_sync_of_deleted_names_stops_the_log()
    {
        for (var i = 0; i < 4; i++)
        {
            _bed.AppendDurable(1, 3000);
        }

        _bed.Log.Options = _bed.Options with { RetentionBytes = 0 };
        _bed.Disk.FailSync(step => step.Operation == DiskOperation.SyncDirectory);
        _bed.Log.ApplyRetention(_bed.Time.NowMs);
        _bed.Disk.HealSync();
        Assert.Equal(LogState.Stopped, _bed.Log.State);
        for (var seed = 0UL; seed < 30; seed++)
        {
            using var after = new LogTestBed(_bed.Options, _bed.Disk.CrashImage(seed));
            Assert.Equal((LogState.Online, 4), (after.Log.State, after.Log.LogEndOffset));
        }
    }
}
