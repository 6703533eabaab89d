using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Crash;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>A replica that fetches from a compacted log, from wherever its own ends.</summary>
[Trait("Category", "Unit")]
public sealed class CompactionReplicaTests
{
    [Fact]
    public void Replica_that_ends_within_a_compacted_batch_goes_on_to_the_same_state()
    {
        using var leader = new CompactionTestBed();
        for (var i = 0; i < 60; i++)
        {
            leader.Put($"key-{i % 7}", $"{i} {new string('v', 100)}");
        }

        for (var end = 0; end <= 60; end += 7)
        {
            using var follower = new CompactionTestBed();
            Fetch(leader, follower, end);
            Assert.Equal(end, follower.Log.LogEndOffset);
            using var compacted = Copy(leader);
            compacted.Roll();
            compacted.Compact();
            Fetch(compacted, follower, compacted.Log.DurableOffset);

            Assert.Equal(compacted.Log.LogEndOffset, follower.Log.LogEndOffset);
            Assert.Equal(compacted.Log.FindEpochEnd(1), follower.Log.FindEpochEnd(1));
            Assert.Equal(LastOfEach(compacted), LastOfEach(follower));
            follower.Reopen();
            Assert.Equal((LogState.Online, compacted.Log.LogEndOffset), (follower.Log.State, follower.Log.LogEndOffset));
        }
    }

    [Fact]
    public void Replica_counts_the_time_of_a_tombstone_from_its_own_compaction()
    {
        using var leader = new CompactionTestBed();
        leader.Put("gone", "value");
        leader.Put("gone", null);
        using var follower = new CompactionTestBed();
        Fetch(leader, follower, 1);
        leader.Roll();
        leader.Compact();
        Fetch(leader, follower, leader.Log.DurableOffset);
        follower.Roll();
        follower.NowMs += (long)TimeSpan.FromDays(3).TotalMilliseconds;
        follower.Compact();
        Assert.Equal([new KeyedRecord(1, "gone", null)], follower.Read().Where(static record => record.Key == "gone"));
        follower.NowMs += (long)TimeSpan.FromDays(1).TotalMilliseconds;
        follower.Compact();
        Assert.DoesNotContain(follower.Read(), static record => record.Key == "gone");
    }

    [Fact]
    public void Cut_within_a_compacted_batch_ends_the_log_before_it()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 60; i++)
        {
            bed.Put($"key-{i % 7}", $"{i} {new string('v', 100)}");
        }

        bed.Roll();
        bed.Compact();
        var batch = KeyedRecord.ReadBatches(bed.Log).Select(static batch => RecordBatchHeader.Verify(batch))
            .First(static header => header is { IsCompacted: true, LastOffsetDelta: > 1 });
        bed.Log.TruncateTo(batch.NextOffset - 1);
        Assert.Equal((LogState.Online, batch.BaseOffset), (bed.Log.State, bed.Log.LogEndOffset));
        bed.Reopen();
        Assert.Equal(batch.BaseOffset, bed.Log.LogEndOffset);
    }

    private static IEnumerable<KeyedRecord> LastOfEach(CompactionTestBed bed) =>
        bed.Read().GroupBy(static record => record.Key).Select(static history => history.Last())
            .OrderBy(static record => record.Offset);

    private static CompactionTestBed Copy(CompactionTestBed bed) => new(bed.Options, bed.Disk.CrashImage(1, Testing.Support.CrashMode.AllKept));

    /// <summary>What a follower does with the batches that its leader has from the end of its log on.</summary>
    private static void Fetch(CompactionTestBed leader, CompactionTestBed follower, long limit)
    {
        while (follower.Log.LogEndOffset < limit)
        {
            var cursor = leader.Log.Locate(follower.Log.LogEndOffset);
            using var slice = leader.Log.Read(ref cursor, leader.Log.DurableOffset, 1);
            var batch = LogContent.Copy(slice);
            var header = RecordBatchHeader.Verify(batch);
            if (header.BaseOffset < follower.Log.LogEndOffset)
            {
                batch = CompactedBatchBuilder.TrimTo(batch, header, follower.Log.LogEndOffset);
                header = RecordBatchHeader.Verify(batch);
            }

            Assert.Equal(ErrorCode.None, follower.Log.AppendReplica(batch, header).Code);
            follower.Flush();
        }
    }
}
