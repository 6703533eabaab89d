using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>A full file system refuses what is new, keeps what was taken, and heals by itself.</summary>
[Trait("Category", "Unit")]
public sealed class StorageFullTests : IDisposable
{
    private const int SegmentBytes = 300 * 1024;
    private readonly LogTestBed _bed = new(new LogOptions { SegmentBytes = SegmentBytes });

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Appends_are_refused_and_reads_go_on_until_space_returns()
    {
        _bed.AppendDurable(3, 1000);
        FillDisk();
        var waiting = AppendUntilFull();
        Assert.Equal(ErrorCode.StorageFull, _bed.Append().Code);
        Assert.NotEmpty(_bed.Log.StateReason);
        var durable = _bed.Log.DurableOffset;
        Assert.True(durable < waiting.NextOffset);
        Assert.Equal(durable, Crash.LogContent.Read(_bed.Log).Count());

        _bed.Disk.Capacity = long.MaxValue;
        _bed.RunFlush();
        Assert.Equal(LogState.Online, _bed.Log.State);
        Assert.Empty(_bed.Log.StateReason);
        Assert.Equal(waiting.NextOffset, _bed.Log.DurableOffset);
        _bed.AssertHolds(waiting.NextOffset);
        _bed.Crash();
        _bed.AssertHolds(waiting.NextOffset);
    }

    [Fact]
    public void Batch_that_waited_for_space_is_in_the_log_once()
    {
        FillDisk();
        var sequence = 0;
        while (_bed.Log.State == LogState.Online)
        {
            _bed.AppendDurable(1, 20_000, new BatchProducer(1, 0, sequence++));
        }

        _bed.Disk.Capacity = long.MaxValue;
        _bed.RunFlush();
        var end = _bed.Log.LogEndOffset;
        Assert.True(_bed.Append(1, 20_000, new BatchProducer(1, 0, sequence - 1)).IsDuplicate);
        _bed.AssertHolds(end);
    }

    [Fact]
    public void Power_loss_on_a_full_disk_loses_nothing_that_was_durable()
    {
        FillDisk();
        AppendUntilFull();
        var durable = _bed.Log.DurableOffset;
        for (var seed = 0UL; seed < 40; seed++)
        {
            using var bed = new LogTestBed(_bed.Options, _bed.Disk.CrashImage(seed));
            Assert.Equal(LogState.Online, bed.Log.State);
            Assert.True(bed.Log.LogEndOffset >= durable);
        }
    }

    [Fact]
    public void Every_step_of_a_roll_may_run_out_of_space()
    {
        for (var free = 0; free < 1500; free += 37)
        {
            using var bed = new LogTestBed(new LogOptions { SegmentBytes = 4 * 1024 });
            bed.AppendDurable(1, 3000, new BatchProducer(1, 0, 0));
            bed.Append(1, 3000, new BatchProducer(1, 0, 1));
            bed.Disk.Capacity = Used(bed) + free;
            bed.RunFlush();
            Assert.Equal(LogState.StorageFull, bed.Log.State);
            Assert.Equal(1, bed.Log.DurableOffset);
            bed.RunFlush();
            bed.Disk.Capacity = long.MaxValue;
            bed.RunFlush();
            Assert.Equal(LogState.Online, bed.Log.State);
            Assert.Equal(2, bed.Acknowledged);
            bed.Crash();
            bed.AssertHolds(2);
            Assert.True(bed.Append(1, 3000, new BatchProducer(1, 0, 1)).IsDuplicate);
        }
    }

    [Fact]
    public void Retention_frees_space_where_not_a_byte_is_free()
    {
        using var bed = new LogTestBed(new LogOptions { SegmentBytes = 4 * 1024, RetentionBytes = 8 * 1024 });
        for (var i = 0; i < 20; i++)
        {
            bed.AppendDurable(1, 1200);
        }

        bed.Append(1, 3000);
        bed.Append(1, 3000);
        bed.Disk.Capacity = Used(bed);
        bed.RunFlush();
        Assert.Equal(LogState.StorageFull, bed.Log.State);
        Assert.True(bed.Log.ApplyRetention(bed.Time.NowMs) > 0);
        bed.Disk.Capacity += 512 * 1024;
        bed.RunFlush();
        Assert.Equal(LogState.Online, bed.Log.State);
        bed.AssertHolds(22);
    }

    [Fact]
    public void Log_without_its_indexes_opens_on_a_full_disk()
    {
        using var bed = new LogTestBed(new LogOptions { SegmentBytes = 4 * 1024 });
        for (var i = 0; i < 12; i++)
        {
            bed.AppendDurable(1, 1200);
        }

        bed.Files.Delete(LogTestBed.IndexPath(0));
        bed.Disk.Capacity = Used(bed);
        bed.Reopen(close: false);
        bed.AssertHolds(12);
    }

    [Fact]
    public void Warning_of_low_space_refuses_appends_and_flushes_what_was_taken()
    {
        _bed.Append();
        _bed.Log.SetLowOnSpace(true);
        Assert.Equal(ErrorCode.StorageFull, _bed.Append().Code);
        _bed.RunFlush();
        Assert.Equal(1, _bed.Log.DurableOffset);
        _bed.Log.SetLowOnSpace(false);
        Assert.Equal(ErrorCode.None, _bed.Append().Code);
    }

    private static long Used(LogTestBed bed) => long.MaxValue - bed.Disk.FreeBytes;

    private void FillDisk() => _bed.Disk.Capacity = Used(_bed) + 10_000;

    private AppendOutcome AppendUntilFull()
    {
        var last = default(AppendOutcome);
        while (_bed.Log.State == LogState.Online)
        {
            last = _bed.AppendDurable(2, 7_000);
        }

        Assert.Equal(LogState.StorageFull, _bed.Log.State);
        return last;
    }
}
