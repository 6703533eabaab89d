using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Crash;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>A follower's log is its leader's, byte for byte.</summary>
[Trait("Category", "Unit")]
public sealed class ReplicaAppendTests : IDisposable
{
    private readonly ReplicaTestBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Batches_stay_as_the_leader_stamped_them()
    {
        for (var i = 0; i < 10; i++)
        {
            var outcome = _bed.Append(epoch: i / 3, records: 1 + (i % 4));
            Assert.Equal((ErrorCode.None, _bed.Log.LogEndOffset, 1000), (outcome.Code, outcome.NextOffset, outcome.AppendTimeMs));
        }

        var end = _bed.Log.LogEndOffset;
        _bed.AssertHolds(end);
        _bed.Flush();
        Assert.Equal(end, _bed.Log.DurableOffset);
        Assert.True(_bed.Log.SegmentCount > 2);
        _bed.Reopen();
        _bed.AssertHolds(end);
        using var after = _bed.On(_bed.Disk.Crash(1, CrashMode.AllLost));
        after.AssertHolds(end);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(0)]
    public void Batch_of_another_offset_is_refused(long offset)
    {
        _bed.Fill(3);
        Assert.Equal(ErrorCode.OffsetOutOfRange, _bed.Append(ReplicaTestBed.Stamped(offset, 1)).Code);
        Assert.Equal(3, _bed.Log.LogEndOffset);
    }

    [Fact]
    public void Batch_of_an_older_epoch_is_refused()
    {
        _bed.Fill(3, epoch: 4);
        Assert.Equal(ErrorCode.FencedLeaderEpoch, _bed.Append(epoch: 3).Code);
        Assert.Equal(ErrorCode.None, _bed.Append(epoch: 4).Code);
        Assert.Equal(ErrorCode.None, _bed.Append(epoch: 5).Code);
    }

    [Theory]
    [InlineData(8)] // append time
    [InlineData(16)] // high watermark
    [InlineData(24)] // leader epoch
    [InlineData(28)] // the stamp's checksum
    public void Batch_with_a_damaged_stamp_is_refused(int position)
    {
        var batch = ReplicaTestBed.Stamped(0, 1);
        batch[position] ^= 4;
        Assert.Equal(ErrorCode.CorruptBatch, _bed.Append(batch).Code);
        Assert.Equal(0, _bed.Log.LogEndOffset);
    }

    [Fact]
    public void Batch_of_another_partition_is_refused()
    {
        var (batch, _) = LogContent.Batch(ReplicaTestBed.Identity with { Partition = 8 }, [new byte[10]]);
        RecordBatchHeader.Stamp(batch, 0, 0, 0, 1);
        Assert.Equal(ErrorCode.CorruptBatch, _bed.Append(batch).Code);
    }

    [Fact]
    public void Follower_takes_what_its_leader_took()
    {
        // A sequence from the middle, of a producer whose first batches the leader has deleted, in a batch that is longer
        // than this broker's setting allows by now.
        _bed.Log.Options = _bed.Options with { MaxBatchBytes = 200 };
        Assert.Equal(ErrorCode.None, _bed.Append(producer: ReplicaTestBed.Producer(17)).Code);
        Assert.Equal(ErrorCode.None, _bed.Append(producer: ReplicaTestBed.Producer(40)).Code);
        Assert.Equal(ErrorCode.BatchTooLarge, _bed.Lead(41).Code);
        _bed.Log.Options = _bed.Options;
        var retried = _bed.Lead(40);
        Assert.Equal((true, 1), (retried.IsDuplicate, retried.BaseOffset));
        Assert.Equal(ErrorCode.None, _bed.Lead(41).Code);
    }

    [Fact]
    public void Follower_is_throttled_like_a_leader()
    {
        _bed.Log.Options = _bed.Options with { MaxUnflushedBytes = 1500 };
        _bed.Append();
        _bed.Append();
        Assert.Equal(ErrorCode.Throttled, _bed.Append().Code);
        _bed.Flush();
        Assert.Equal(ErrorCode.None, _bed.Append().Code);
    }

    [Fact]
    public void Segment_is_rolled_by_the_leaders_time()
    {
        var day = (long)TimeSpan.FromDays(8).TotalMilliseconds;
        _bed.Append(ReplicaTestBed.Stamped(0, 1));
        _bed.Append(ReplicaTestBed.Stamped(1, 1, appendTimeMs: day));
        _bed.Flush();
        Assert.Equal(2, _bed.Log.SegmentCount);
    }

    [Fact]
    public void Log_that_starts_at_its_leaders_start_is_filled_from_there()
    {
        _bed.Log.ResetTo(5000);
        Assert.Equal(ErrorCode.OffsetOutOfRange, _bed.Append(ReplicaTestBed.Stamped(0, 1)).Code);
        _bed.Fill(20, epoch: 3);
        _bed.Reopen();
        Assert.Equal(5000, _bed.Log.LogStartOffset);
        _bed.AssertHolds(5020);
        Assert.Equal(new EpochEnd(3, 5020), _bed.Log.FindEpochEnd(3));
    }
}
