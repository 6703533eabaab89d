using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>What deletion takes, what it leaves, and that it stays so.</summary>
[Trait("Category", "Unit")]
public sealed class RetentionTests : IDisposable
{
    private static readonly TimeSpan Age = TimeSpan.FromHours(1);
    private readonly LogTestBed _bed = new(new LogOptions { SegmentBytes = 4 * 1024 });

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Segments_go_once_their_last_batch_is_too_old()
    {
        Set(_bed.Options with { RetentionAge = Age });
        Fill(segments: 3);
        _bed.Time.Advance(Age / 2);
        Fill(segments: 2);
        _bed.Time.Advance(Age / 2);
        Assert.Equal(0, Retain());
        _bed.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(Retain() > 0);

        Assert.Equal((9, 15), (_bed.Log.LogStartOffset, _bed.Log.LogEndOffset));
        Assert.Equal(2, _bed.Log.SegmentCount);
        _bed.AssertHolds(15);
    }

    [Fact]
    public void Oldest_segments_go_while_the_log_is_too_large()
    {
        Set(_bed.Options with { RetentionBytes = 8 * 1024 });
        Fill(segments: 6);
        Assert.True(_bed.Log.SizeBytes > 8 * 1024);
        Retain();

        Assert.True(_bed.Log.SizeBytes <= 8 * 1024);
        Assert.Equal(12, _bed.Log.LogStartOffset);
        _bed.AssertHolds(18);
    }

    [Fact]
    public void Active_segment_is_closed_when_all_of_it_is_too_old()
    {
        Set(_bed.Options with { RetentionAge = Age });
        _bed.AppendDurable(3);
        _bed.Time.Advance(Age * 2);
        Retain();
        Assert.True(_bed.Log.HasPending);
        _bed.RunFlush();
        Assert.False(_bed.Log.HasPending);
        Retain();

        Assert.Equal((3, 3), (_bed.Log.LogStartOffset, _bed.Log.LogEndOffset));
        Assert.Equal(0, _bed.Log.SizeBytes);
        _bed.Crash();
        Assert.Equal(3, _bed.AppendDurable().BaseOffset);
    }

    [Fact]
    public void Offsets_go_on_after_everything_was_deleted_and_the_power_was_lost()
    {
        Set(_bed.Options with { RetentionAge = Age });
        Fill(segments: 2);
        SealTheLast();
        _bed.Time.Advance(Age * 2);
        Retain();
        _bed.Crash();

        Assert.Equal(6, _bed.AppendDurable().BaseOffset);
        Assert.Equal(LogState.Online, _bed.Log.State);
    }

    [Fact]
    public void Deleted_records_stay_deleted_after_power_loss()
    {
        Fill(segments: 3);
        _bed.Log.DeleteRecords(5);
        Assert.Equal(5, _bed.Log.LogStartOffset);
        Assert.Equal(2, _bed.Log.SegmentCount);
        for (var seed = 0UL; seed < 50; seed++)
        {
            using var bed = new LogTestBed(_bed.Options, _bed.Disk.CrashImage(seed));
            Assert.Equal((5, 9), (bed.Log.LogStartOffset, bed.Log.LogEndOffset));
        }

        _bed.Log.DeleteRecords(2);
        Assert.Equal(5, _bed.Log.LogStartOffset);
        Assert.Throws<ArgumentOutOfRangeException>(() => _bed.Log.DeleteRecords(10));
    }

    [Fact]
    public void Deletion_below_what_retention_moved_is_durable_too()
    {
        Set(_bed.Options with { RetentionAge = Age });
        Fill(segments: 2);
        SealTheLast();
        _bed.Time.Advance(Age * 2);
        Retain();
        Assert.Equal(6, _bed.Log.LogStartOffset);
        _bed.Log.DeleteRecords(4);
        _bed.Crash();
        Assert.True(_bed.Log.LogStartOffset >= 4, $"it starts at {_bed.Log.LogStartOffset}");
    }

    [Fact]
    public void Power_loss_while_many_segments_are_deleted_leaves_no_hole()
    {
        Set(_bed.Options with { RetentionBytes = 0 });
        Fill(segments: 8);
        var before = _bed.Disk.StepCount;
        var images = new List<SimulatedDisk>();
        _bed.Disk.BeforeStep = step =>
            images.AddRange(Enumerable.Range(0, 20).Select(seed => _bed.Disk.CrashImage((ulong)seed, CrashMode.Mixed)));
        Retain();
        Assert.True(_bed.Disk.StepCount - before > 8);
        foreach (var image in images)
        {
            using var bed = new LogTestBed(_bed.Options, image);
            Assert.Equal(LogState.Online, bed.Log.State);
            Assert.Equal(24, bed.Log.LogEndOffset);
        }
    }

    [Fact]
    public void Reader_in_a_deleted_segment_keeps_its_file()
    {
        Fill(segments: 3);
        _bed.DropTail();
        var cursor = _bed.Log.Locate(0);
        using var slice = _bed.Log.Read(ref cursor, 3, 100_000);
        _bed.Log.DeleteRecords(9);
        Assert.Equal(3, Crash.LogContent.Decode(Crash.LogContent.Copy(slice)).Count);
        Assert.False(_bed.Files.FileExists(LogTestBed.SegmentPath(0)));
        Assert.False(_bed.Files.FileExists(LogTestBed.IndexPath(0)));
    }

    [Fact]
    public void Segments_of_a_damaged_log_are_left_alone()
    {
        Set(_bed.Options with { RetentionBytes = 0 });
        Fill(segments: 4);
        _bed.Log.Dispose();
        _bed.Files.Delete(LogTestBed.SegmentPath(6));
        _bed.Reopen(close: false);
        Assert.Equal(LogState.Corrupt, _bed.Log.State);
        Assert.Equal(0, Retain());
        Assert.True(_bed.Files.FileExists(LogTestBed.SegmentPath(0)));
    }

    private void Set(LogOptions options) => _bed.Options = _bed.Log.Options = options;

    private long Retain() => _bed.Log.ApplyRetention(_bed.Time.NowMs);

    private void Fill(int segments)
    {
        for (var i = 0; i < segments * 3; i++)
        {
            _bed.AppendDurable(1, 1200);
        }
    }

    /// <summary>Leaves the log as a roll does that found no space for a new segment.</summary>
    private void SealTheLast()
    {
        _bed.Append(1, 4000);
        _bed.Disk.Capacity = _bed.Disk.StepCount;
        _bed.RunFlush();
        Assert.Equal(LogState.StorageFull, _bed.Log.State);
        _bed.Disk.Capacity = long.MaxValue;
        _bed.Crash();
        Assert.Equal(6, _bed.Log.LogEndOffset);
    }
}
