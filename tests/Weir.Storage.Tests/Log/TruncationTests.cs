using Weir.Protocol.Errors;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>A log without its end goes on as if that had never been.</summary>
[Trait("Category", "Unit")]
public sealed class TruncationTests : IDisposable
{
    private readonly ReplicaTestBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Every_offset_can_be_truncated_to_and_filled_from()
    {
        for (var offset = 0; offset <= 31; offset++)
        {
            using var bed = new ReplicaTestBed();
            bed.Fill(30);
            bed.Log.TruncateTo(offset);
            var end = Math.Min(offset, 30);
            Assert.Equal((end, end, end), (bed.Log.DurableOffset, bed.Log.WrittenOffset, bed.Log.LogEndOffset));
            bed.Fill(10, epoch: 2);
            bed.AssertHolds(end + 10);
            using var after = bed.On(bed.Disk.CrashImage(1, CrashMode.AllLost));
            after.AssertHolds(end + 10);
            bed.Reopen();
            bed.AssertHolds(end + 10);
        }
    }

    [Fact]
    public void Batch_that_spans_the_offset_goes_as_a_whole()
    {
        _bed.Append(records: 3);
        _bed.Append(records: 3);
        _bed.Log.TruncateTo(4);
        Assert.Equal(3, _bed.Log.LogEndOffset);
        _bed.Flush();
        _bed.Append(records: 3);
        _bed.Flush();
        _bed.Log.TruncateTo(5);
        _bed.AssertHolds(3);
    }

    [Fact]
    public void What_was_in_memory_only_goes_and_what_stays_is_durable()
    {
        // Some batches written and not synced, some neither; cut at each.
        for (var offset = 0; offset <= 24; offset++)
        {
            using var bed = new ReplicaTestBed();
            bed.Fill(8);
            AppendEach(bed, 8);
            bed.Log.WritePending();
            AppendEach(bed, 8);
            bed.Log.TruncateTo(offset);
            Assert.Equal((offset, offset, offset), (bed.Log.DurableOffset, bed.Log.WrittenOffset, bed.Log.LogEndOffset));
            Assert.Equal(0, bed.Memory.UnflushedBytes);
            using (var after = bed.On(bed.Disk.CrashImage(2, CrashMode.AllLost)))
            {
                after.AssertHolds(offset);
            }

            bed.Fill(10, epoch: 2);
            bed.AssertHolds(offset + 10);
            bed.Reopen();
            bed.AssertHolds(offset + 10);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Retry_of_a_kept_batch_is_a_duplicate_and_of_a_discarded_one_is_new(bool wasFlushed)
    {
        for (var offset = 5; offset <= 30; offset++)
        {
            using var bed = new ReplicaTestBed();
            bed.Fill(wasFlushed ? 30 : 5);
            AppendEach(bed, wasFlushed ? 0 : 25);
            bed.Log.TruncateTo(offset);
            for (var sequence = offset - 5; sequence < offset; sequence++)
            {
                var kept = bed.Lead(sequence);
                Assert.Equal((true, sequence), (kept.IsDuplicate, kept.BaseOffset));
            }

            Assert.Equal(ErrorCode.OutOfOrderSequence, bed.Lead(offset + 1).Code);
            var discarded = bed.Lead(offset);
            Assert.Equal((ErrorCode.None, false, offset), (discarded.Code, discarded.IsDuplicate, discarded.BaseOffset));
        }
    }

    [Fact]
    public void Nothing_below_the_start_can_be_kept()
    {
        _bed.Fill(30);
        _bed.Log.DeleteRecords(10);
        Assert.Throws<ArgumentOutOfRangeException>(() => _bed.Log.TruncateTo(9));
        _bed.AssertHolds(30);
        _bed.Log.TruncateTo(10);
        Assert.Equal((10, 10), (_bed.Log.LogStartOffset, _bed.Log.LogEndOffset));
        _bed.Reopen();
        Assert.Equal((10, 10), (_bed.Log.LogStartOffset, _bed.Log.LogEndOffset));
    }

    [Fact]
    public void Reader_at_the_end_goes_on_with_what_is_appended_there()
    {
        _bed.Fill(20);
        var cursor = _bed.Log.Locate(20);
        _bed.Log.TruncateTo(15);
        cursor = _bed.Log.Locate(15);
        Assert.Equal(0, _bed.Log.Read(ref cursor, 15, 1000).Length);
        _bed.Fill(5, epoch: 2);
        using var slice = _bed.Log.Read(ref cursor, 20, 64 * 1024);
        Assert.True(slice.Length > 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => _bed.Log.Locate(21));
    }

    [Fact]
    public void Slice_that_is_being_sent_stays_whole()
    {
        AppendEach(_bed, 6);
        var cursor = _bed.Log.Locate(0);
        using var slice = _bed.Log.Read(ref cursor, 6, 64 * 1024);
        var before = Weir.Storage.Crash.LogContent.Copy(slice);
        _bed.Log.TruncateTo(3);
        _bed.Fill(6, epoch: 2);
        Assert.Equal(before, Weir.Storage.Crash.LogContent.Copy(slice));
    }

    [Fact]
    public void Damage_before_the_end_is_not_taken_for_it()
    {
        _bed.Fill(30);
        var cursor = _bed.Log.Locate(13);
        _bed.Disk.Rot(LogTestBed.SegmentPath(cursor.SegmentBase), cursor.Position + 300, 1);
        _bed.Log.TruncateTo(14);
        Assert.Equal((LogState.Corrupt, 13), (_bed.Log.State, _bed.Log.DamagedFrom));
        _bed.Log.DiscardFrom(13);
        _bed.AssertHolds(13);
    }

    [Fact]
    public void Idle_roll_in_between_changes_nothing()
    {
        _bed.Fill(3);
        _bed.Log.Options = _bed.Options with { RetentionAge = TimeSpan.FromHours(1) };
        _bed.Log.ApplyRetention((long)TimeSpan.FromHours(2).TotalMilliseconds);
        _bed.Flush();
        Assert.Equal(2, _bed.Log.SegmentCount);
        _bed.Append(producer: ReplicaTestBed.Producer(3));
        _bed.Log.TruncateTo(3);
        _bed.Fill(2, epoch: 2);
        _bed.AssertHolds(5);
        _bed.Log.TruncateTo(1);
        _bed.Fill(2, epoch: 3);
        _bed.Reopen();
        _bed.AssertHolds(3);
    }

    private static void AppendEach(ReplicaTestBed bed, int records)
    {
        for (var i = 0; i < records; i++)
        {
            Assert.Equal(ErrorCode.None, bed.Append(producer: ReplicaTestBed.Producer((int)bed.Log.LogEndOffset)).Code);
        }
    }
}
