using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Crash;
using Weir.Storage.Files;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>What stays of a log when it is compacted, and what does not change by it.</summary>
[Trait("Category", "Unit")]
public sealed class CompactionTests
{
    [Fact]
    public void Last_record_of_each_key_stays_with_its_offset_and_in_its_place()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 60; i++)
        {
            bed.Put($"key-{i % 7}", $"value {i} {new string('v', 200)}");
        }

        bed.Roll();
        var outcome = bed.Compact();

        var below = bed.ActiveBase();
        Assert.Equal(bed.LastPerKey(below), bed.Read());
        Assert.Equal(below, outcome.CleanOffset);
        Assert.True(outcome.BytesAfter * 4 < outcome.BytesBefore, outcome.ToString());
        Assert.Equal(bed.Appended.Count, bed.Log.LogEndOffset);
        Assert.Equal(0, bed.Log.LogStartOffset);
    }

    [Theory]
    [InlineData(CompressionType.None)]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public void Batches_of_any_compression_are_compacted(CompressionType compression)
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 40; i++)
        {
            bed.Append(
                [.. Enumerable.Range(0, 9).Select(k => ((string?)$"key-{(i + k) % 17}", (string?)$"{i} {k} {new string('v', 90)}"))],
                compression: compression);
            bed.Flush();
        }

        bed.Roll();
        bed.Compact();
        Assert.Equal(bed.LastPerKey(bed.ActiveBase()), bed.Read());
        Assert.Equal(
            [compression],
            KeyedRecord.ReadBatches(bed.Log).Select(static batch => RecordBatchHeader.Verify(batch))
                .Where(static header => header is { IsCompacted: true, RecordCount: > 5 }).Select(static header => header.Compression).Distinct());
    }

    [Fact]
    public void Null_is_a_tombstone_and_empty_is_a_value()
    {
        using var bed = new CompactionTestBed();
        bed.Put("null", "x");
        bed.Put("empty", "x");
        bed.Put("null", null);
        bed.Put("empty", "");
        bed.Roll();
        bed.Compact();
        bed.NowMs += (long)TimeSpan.FromDays(30).TotalMilliseconds;
        bed.Compact();
        Assert.Equal(
            [new KeyedRecord(3, "empty", "")], bed.Read().Where(static record => record.Key is "null" or "empty"));
    }

    [Fact]
    public void Records_without_a_key_stay()
    {
        using var bed = new CompactionTestBed();
        bed.Append([(null, "one"), ("key", "old"), (null, "two"), ("key", "new")]);
        bed.Flush();
        bed.Roll();
        bed.Compact();
        Assert.Equal([0, 2, 3], bed.Read().Where(static record => record.Key != "filler").Select(static record => record.Offset));
    }

    [Fact]
    public void Tombstone_stays_for_its_time_from_the_run_that_removed_what_it_hides()
    {
        using var bed = new CompactionTestBed();
        bed.Put("gone", "value");
        bed.Put("gone", null);
        bed.Roll();
        bed.NowMs += (long)TimeSpan.FromDays(300).TotalMilliseconds;
        bed.Compact();
        Assert.Equal([new KeyedRecord(1, "gone", null)], bed.Read().Where(static record => record.Key == "gone"));

        bed.Reopen();
        bed.NowMs += (long)TimeSpan.FromHours(24).TotalMilliseconds - 1;
        bed.Compact();
        Assert.Equal([new KeyedRecord(1, "gone", null)], bed.Read().Where(static record => record.Key == "gone"));

        bed.NowMs++;
        bed.Compact();
        Assert.DoesNotContain(bed.Read(), static record => record.Key == "gone");
    }

    [Fact]
    public void Tombstone_stays_while_a_replica_may_lack_it()
    {
        using var bed = new CompactionTestBed();
        bed.Put("gone", "value");
        bed.Put("gone", null);
        bed.Roll();
        bed.Compact();
        bed.NowMs += (long)TimeSpan.FromDays(2).TotalMilliseconds;
        bed.Compact(tombstoneLimit: 1);
        Assert.Equal([new KeyedRecord(1, "gone", null)], bed.Read().Where(static record => record.Key == "gone"));
        bed.Compact(tombstoneLimit: 2);
        Assert.DoesNotContain(bed.Read(), static record => record.Key == "gone");
    }

    [Fact]
    public void Nothing_at_or_above_the_high_watermark_is_touched()
    {
        using var bed = new CompactionTestBed();
        while (bed.Log.SegmentCount < 6)
        {
            bed.Put("key", new string('v', 300));
        }

        // A segment is compacted whole or not at all: the high watermark stands inside of the third.
        var third = SegmentFiles.Bases(bed.Disk)[2];
        bed.Compact(highWatermark: third + 1);
        Assert.Equal(bed.LastPerKey(third), bed.Read());
    }

    [Fact]
    public void Active_segment_is_not_touched()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 5; i++)
        {
            bed.Put("key", "value");
        }

        Assert.Equal(default, bed.Compact());
        Assert.Equal(bed.Appended, bed.Read());
    }

    [Fact]
    public void More_keys_than_memory_take_more_runs()
    {
        var options = CompactionTestBed.Small with { CompactionMemoryBytes = 24 * 50, SegmentBytes = 64 * 1024 };
        using var bed = new CompactionTestBed(options);
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < 100; i++)
            {
                bed.Put($"key-{i}", $"{round} {new string('v', 60)}");
            }
        }

        bed.Roll();
        var ends = new List<long>();
        do
        {
            ends.Add(bed.Compact().CleanOffset);
            var read = bed.Read();
            Assert.Equal(bed.LastPerKey(ends[^1]).Select(static record => record.Offset), read.Select(static record => record.Offset));
        }
        while (ends[^1] < bed.ActiveBase());

        // 40 keys fit, and every run meets 100 others.
        Assert.InRange(ends.Count, 6, 12);
        Assert.Equal(bed.LastPerKey(bed.ActiveBase()), bed.Read());
    }

    [Fact]
    public void Small_segments_become_one()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 300; i++)
        {
            bed.Put($"key-{i % 5}", $"{i} {new string('v', 200)}");
        }

        bed.Roll();
        Assert.InRange(bed.Log.SegmentCount, 20, 40);
        bed.Compact();
        bed.Compact();
        Assert.Equal(2, bed.Log.SegmentCount);
        Assert.Equal(2, SegmentFiles.Bases(bed.Disk).Count);
        Assert.Equal(bed.LastPerKey(bed.ActiveBase()), bed.Read());
        bed.Reopen();
        Assert.Equal(bed.LastPerKey(bed.ActiveBase()), bed.Read());
    }

    [Fact]
    public void Run_waits_until_it_is_worth_it()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 100; i++)
        {
            bed.Put($"key-{i}", new string('v', 100));
        }

        bed.Roll();
        Assert.NotEqual(default, bed.Compact(isForced: false));
        Assert.Equal(default, bed.Compact(isForced: false));
        bed.Roll();
        Assert.Equal(default, bed.Compact(isForced: false));
        for (var i = 0; i < 200; i++)
        {
            bed.Put($"key-{i}", new string('v', 100));
        }

        Assert.NotEqual(default, bed.Compact(isForced: false));
    }

    [Fact]
    public void Old_segment_is_compacted_although_it_is_not_worth_it()
    {
        using var bed = new CompactionTestBed(
            CompactionTestBed.Small with { MaxCompactionLag = TimeSpan.FromHours(1), MinDirtyRatio = 1 });
        bed.Put("first", "value");
        bed.Roll();
        bed.Compact();
        bed.Roll();
        Assert.Equal(default, bed.Compact(isForced: false));
        bed.NowMs += (long)TimeSpan.FromHours(1).TotalMilliseconds;
        Assert.NotEqual(default, bed.Compact(isForced: false));
    }

    [Fact]
    public void Tombstones_whose_time_is_over_are_worth_a_run()
    {
        using var bed = new CompactionTestBed(CompactionTestBed.Small with { MinDirtyRatio = 0.25 });
        for (var i = 0; i < 200; i++)
        {
            bed.Put($"key-{i % 100}", i < 100 ? "value" : null);
        }

        bed.Roll();
        bed.Compact();
        Assert.Equal(default, bed.Compact(isForced: false));
        bed.NowMs += (long)TimeSpan.FromHours(24).TotalMilliseconds;
        Assert.NotEqual(default, bed.Compact(isForced: false));
        Assert.DoesNotContain(bed.Read(), static record => record.Value is null);
    }

    [Fact]
    public void Reader_in_the_middle_goes_on()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 200; i++)
        {
            bed.Put($"key-{i % 5}", $"{i} {new string('v', 100)}");
        }

        bed.Roll();
        var cursor = bed.Log.Locate(70);
        using var held = bed.Log.Read(ref cursor, 80, 2000);
        var next = cursor.Offset;
        bed.Compact();
        var before = new List<KeyedRecord>();
        foreach (var batch in LogContent.Decode(LogContent.Copy(held)))
        {
            before.Add(bed.Appended[(int)batch.Offset]);
        }

        Assert.Equal(bed.Appended.Skip(70).Take((int)next - 70), before);
        var after = new List<KeyedRecord>();
        while (true)
        {
            using var slice = bed.Log.Read(ref cursor, bed.Log.DurableOffset, 1000);
            if (slice.Length == 0)
            {
                break;
            }

            for (var rest = LogContent.Copy(slice).AsMemory(); !rest.IsEmpty;)
            {
                var header = RecordBatchHeader.Verify(rest[..(int)RecordBatchHeader.ReadLength(rest.Span)].Span);
                KeyedRecord.Decode(rest[..header.Length].ToArray(), header, after);
                rest = rest[header.Length..];
            }
        }

        Assert.Equal(
            bed.LastPerKey(bed.ActiveBase()).Where(record => record.Offset >= next),
            after.Where(record => record.Offset >= next));
    }

    [Fact]
    public void Epochs_stay_where_they_began()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 120; i++)
        {
            bed.Put("key", new string('v', 200), epoch: 1 + (i / 30));
        }

        bed.Roll(epoch: 5);
        var before = Enumerable.Range(0, 7).Select(bed.Log.FindEpochEnd).ToList();
        bed.Compact();
        bed.Log.Close();
        bed.Disk.Delete($"{CompactionTestBed.Directory}/producers.snapshot");
        bed.Reopen();
        Assert.Equal(before, Enumerable.Range(0, 7).Select(bed.Log.FindEpochEnd));
    }

    [Fact]
    public void Producers_are_remembered_without_the_snapshot()
    {
        using var bed = new CompactionTestBed();
        var batches = new List<(BatchProducer Producer, AppendOutcome Outcome)>();
        for (var i = 0; i < 100; i++)
        {
            var producer = new BatchProducer(i % 3, 0, i / 3 * 2);
            var outcome = bed.Append([("key", $"a {i} {new string('v', 90)}"), ("key", $"b {i}")], producer);
            batches.Add((producer, outcome));
            bed.Flush();
        }

        bed.Roll();
        bed.Compact();
        bed.Compact();
        bed.Log.Close();
        bed.Disk.Delete($"{CompactionTestBed.Directory}/producers.snapshot");
        bed.Reopen();
        foreach (var id in Enumerable.Range(0, 3))
        {
            // The five that a producer may have in flight, and not the one before them.
            var own = batches.Where(batch => batch.Producer.ProducerId == id).TakeLast(6).ToList();
            Assert.Equal(ErrorCode.OutOfOrderSequence, bed.Append([("key", "a"), ("key", "b")], own[0].Producer).Code);
            foreach (var (producer, outcome) in own.Skip(1))
            {
                var again = bed.Append([("key", "a"), ("key", "b")], producer);
                Assert.Equal(outcome with { IsDuplicate = true }, again);
            }
        }
    }

    [Fact]
    public void Deleted_records_do_not_come_back_and_go_with_the_next_run()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 100; i++)
        {
            bed.Put($"key-{i}", new string('v', 100));
        }

        bed.Roll();
        bed.Log.DeleteRecords(50);
        var outcome = bed.Compact();
        Assert.InRange(outcome.RecordsRemoved, 1, long.MaxValue);
        Assert.Equal(50, bed.Read()[0].Offset);
        Assert.Equal(50, bed.Log.LogStartOffset);
    }

    [Fact]
    public void Full_disk_ends_a_run_and_leaves_the_log_as_it_was()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 100; i++)
        {
            bed.Put($"key-{i}", new string('v', 100));
        }

        bed.Roll();
        bed.Disk.Capacity = bed.Disk.Capacity - bed.Disk.FreeBytes + 100;
        Assert.True(Assert.Throws<LogIoException>(() => bed.Compact()).IsDiskFull);
        Assert.Equal(LogState.Online, bed.Log.State);
        Assert.Equal(bed.Appended, bed.Read());
        Assert.DoesNotContain(bed.Files, static name => name.EndsWith(".compacting", StringComparison.Ordinal));
        bed.Disk.Capacity = long.MaxValue;
        bed.Compact();
        Assert.Equal(bed.LastPerKey(bed.ActiveBase()), bed.Read());
    }

    [Fact]
    public void Cut_log_ends_a_run_under_way()
    {
        using var bed = new CompactionTestBed();
        for (var i = 0; i < 100; i++)
        {
            bed.Put($"key-{i % 3}", new string('v', 100));
        }

        bed.Roll();
        using var run = bed.Log.StartCompaction(new(bed.NowMs, bed.Log.DurableOffset, 0) { IsForced = true })!;
        Assert.True(run.Step());
        bed.Log.TruncateTo(40);
        while (run.Step())
        {
        }

        Assert.Equal(bed.Appended.Take(40), bed.Read());
        Assert.DoesNotContain(bed.Files, static name => name.EndsWith(".compacting", StringComparison.Ordinal));
    }

    [Fact]
    public void Index_without_a_generation_is_built_again()
    {
        using var bed = new CompactionTestBed(CompactionTestBed.Small with { IndexIntervalBytes = 64 * 1024 });
        bed.Put("first", "value");
        bed.Roll();
        var path = $"{CompactionTestBed.Directory}/{0:D20}.index";
        bed.Log.Close();
        using (var file = bed.Disk.Open(path, OpenKind.Write))
        {
            // As it was before there was compaction: six fields, and no entries.
            var body = new byte[file.Length - sizeof(ulong) - sizeof(int)];
            file.Read(body, sizeof(ulong));
            file.Truncate(sizeof(ulong) + body.Length);
            file.Write(BitConverter.GetBytes(System.IO.Hashing.XxHash3.HashToUInt64(body)), 0);
        }

        bed.Reopen();
        Assert.Equal(LogState.Online, bed.Log.State);
        Assert.Equal(bed.Appended, bed.Read());
    }
}
