using System.Text;
using Weir.Storage.Keys;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>The last record of a key, wherever it is and whatever became of the index.</summary>
[Trait("Category", "Unit")]
public sealed class FindLatestTests
{
    [Theory]
    [InlineData(ulong.MaxValue, false)]
    [InlineData(ulong.MaxValue, true)]
    [InlineData(0x3UL << 62, true)]
    [InlineData(0UL, true)]
    public void Every_key_is_found_at_its_last_record(ulong hashMask, bool compacts)
    {
        using var bed = new CompactionTestBed(CompactionTestBed.Small with { KeyHashMask = hashMask });
        for (var i = 0; i < 250; i++)
        {
            bed.Put($"key-{i * 7 % 23}", i % 11 == 0 ? null : i % 13 == 0 ? "" : $"{i} {new string('v', 90)}");
            if (i % 50 == 49)
            {
                AssertFindsAll(bed, bed.Log.DurableOffset);
                if (compacts)
                {
                    bed.Compact();
                }
            }
        }

        AssertFindsAll(bed, bed.Log.DurableOffset);
        bed.Reopen();
        AssertFindsAll(bed, bed.Log.DurableOffset);
    }

    [Fact]
    public void Nothing_at_or_above_the_high_watermark_is_found()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 60; i++)
        {
            bed.Put($"key-{i % 3}", $"{i} {new string('v', 200)}");
        }

        for (var limit = 0L; limit <= 60; limit++)
        {
            AssertFindsAll(bed, limit);
        }
    }

    [Fact]
    public void Damaged_or_missing_index_is_built_again()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 100; i++)
        {
            bed.Put($"key-{i % 40}", $"{i} {new string('v', 100)}");
        }

        while (bed.Log.BuildKeyIndex())
        {
        }

        var indexes = bed.Files.Where(static name => name.EndsWith(".keys", StringComparison.Ordinal)).ToList();
        Assert.Equal(bed.Log.SegmentCount - 1, indexes.Count);
        bed.Log.Close();
        bed.Disk.Rot($"{CompactionTestBed.Directory}/{indexes[0]}", 20, 3);
        bed.Disk.Rot($"{CompactionTestBed.Directory}/{indexes[1]}", 4096 + 9, 3);
        bed.Disk.Delete($"{CompactionTestBed.Directory}/{indexes[2]}");
        bed.Reopen();
        AssertFindsAll(bed, bed.Log.DurableOffset);
    }

    [Fact]
    public void Key_without_a_record_is_not_found_and_a_tombstone_is()
    {
        using var bed = new CompactionTestBed();
        bed.Put("gone", "value");
        bed.Put("gone", null);
        bed.Roll();
        Assert.Null(Find(bed, "never", bed.Log.DurableOffset));
        var found = Find(bed, "gone", bed.Log.DurableOffset)!;
        Assert.Equal((1, true), (found.Offset, found.IsTombstone));
        bed.Compact();
        bed.NowMs += (long)TimeSpan.FromDays(2).TotalMilliseconds;
        bed.Compact();
        Assert.Null(Find(bed, "gone", bed.Log.DurableOffset));
    }

    [Fact]
    public void Deleted_records_are_not_found()
    {
        using var bed = new CompactionTestBed();
        bed.Put("early", "value");
        bed.Put("late", "value");
        bed.Roll();
        bed.Log.DeleteRecords(1);
        Assert.Null(Find(bed, "early", bed.Log.DurableOffset));
        Assert.NotNull(Find(bed, "late", bed.Log.DurableOffset));
    }

    [Fact]
    public void Cut_log_finds_what_is_left()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 100; i++)
        {
            bed.Put($"key-{i % 10}", $"{i} {new string('v', 100)}");
        }

        AssertFindsAll(bed, 100);
        bed.Log.TruncateTo(43);
        bed.Appended.RemoveRange(43, bed.Appended.Count - 43);
        AssertFindsAll(bed, 43);
        bed.Put("key-3", "new");
        AssertFindsAll(bed, 44);
    }

    private static LatestRecord? Find(CompactionTestBed bed, string key, long limit) =>
        bed.Log.FindLatest(Encoding.UTF8.GetBytes(key), limit);

    private static void AssertFindsAll(CompactionTestBed bed, long limit)
    {
        foreach (var history in bed.Appended.GroupBy(static record => record.Key!))
        {
            var expected = history.LastOrDefault(record => record.Offset < limit);
            var found = Find(bed, history.Key, limit);
            Assert.Equal(
                (history.Key, expected?.Offset, expected?.Value),
                (history.Key, found?.Offset, found?.Value is { } value ? Encoding.UTF8.GetString(value.Span) : null));
        }
    }
}
