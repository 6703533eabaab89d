using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Crash;
using Weir.Storage.Files;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>Records come back as they were appended, from memory, from files and over segment boundaries.</summary>
[Trait("Category", "Unit")]
public sealed class AppendAndReadTests : IDisposable
{
    private readonly LogTestBed _bed = new(new LogOptions { SegmentBytes = 8 * 1024, IndexIntervalBytes = 1024 });

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Records_are_read_back_from_memory_and_from_files()
    {
        for (var i = 0; i < 100; i++)
        {
            _bed.AppendDurable(1 + (i % 7), 1 + (i * 13 % 300));
        }

        var end = _bed.Log.LogEndOffset;
        _bed.AssertHolds(end);
        Assert.True(_bed.Log.SegmentCount > 5);
        _bed.DropTail();
        Assert.Equal(0, _bed.Memory.Bytes);
        _bed.AssertHolds(end);
    }

    [Fact]
    public void Records_are_read_back_from_a_real_file_system()
    {
        var directory = Directory.CreateTempSubdirectory("weir-log-");
        try
        {
            using var files = new PhysicalLogFiles(directory.FullName);
            using var bed = new LogTestBed(new LogOptions { SegmentBytes = 8 * 1024 }, files);
            for (var i = 0; i < 40; i++)
            {
                bed.AppendDurable(3, 100);
            }

            bed.DropTail();
            bed.AssertHolds(120);
            bed.Reopen();
            bed.AssertHolds(120);
            Assert.Equal(LogState.Online, bed.Log.State);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public void Positions_move_with_append_and_flush()
    {
        var outcome = _bed.Append(5);

        Assert.Equal(new AppendOutcome(ErrorCode.None, 0, 5, _bed.Time.NowMs), outcome);
        Assert.Equal((5, 0, 0), (_bed.Log.LogEndOffset, _bed.Log.WrittenOffset, _bed.Log.DurableOffset));
        Assert.True(_bed.Log.HasPending);
        Assert.True(_bed.Log.WritePending());
        Assert.Equal((5, 0), (_bed.Log.WrittenOffset, _bed.Log.DurableOffset));
        _bed.Log.Sync();
        _bed.Log.MarkDurable();
        Assert.Equal(5, _bed.Log.DurableOffset);
        Assert.False(_bed.Log.WritePending());
        Assert.False(_bed.Log.HasPending);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Nothing_at_or_above_the_limit_is_read(bool fromFiles)
    {
        for (var i = 0; i < 60; i++)
        {
            _bed.AppendDurable(4, 100);
        }

        if (fromFiles)
        {
            _bed.DropTail();
        }

        for (var limit = 0; limit <= 240; limit++)
        {
            var records = LogContent.Read(_bed.Log, 0, limit, maxBytes: 3000).ToList();
            Assert.Equal(limit / 4 * 4, records.Count);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Slices_hold_one_batch_or_as_many_as_fit(bool fromFiles)
    {
        for (var i = 0; i < 60; i++)
        {
            _bed.AppendDurable(1, 200);
        }

        if (fromFiles)
        {
            _bed.DropTail();
        }

        foreach (var maxBytes in new[] { 1, 400, 1000, 4096, 100_000 })
        {
            var cursor = _bed.Log.Locate(0);
            var read = 0;
            while (true)
            {
                using var slice = _bed.Log.Read(ref cursor, 60, maxBytes);
                if (slice.Length == 0)
                {
                    break;
                }

                var records = LogContent.Decode(LogContent.Copy(slice));
                Assert.True(records.Count == 1 || slice.Length <= maxBytes);
                Assert.Equal(read, records[0].Offset);
                read += records.Count;
                Assert.Equal(read, cursor.Offset);
            }

            Assert.Equal(60, read);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Cursor_that_waits_at_the_end_goes_on_over_a_roll(bool closesIdle)
    {
        _bed.Options = _bed.Log.Options = _bed.Options with { RetentionAge = TimeSpan.FromHours(1) };
        _bed.AppendDurable(3);
        var cursor = _bed.Log.Locate(3);
        Assert.Equal(0, _bed.Log.Read(ref cursor, 3, 1000).Length);
        if (closesIdle)
        {
            _bed.Time.Advance(TimeSpan.FromHours(2));
            _bed.Log.ApplyRetention(_bed.Time.NowMs);
            _bed.RunFlush();
        }

        _bed.AppendDurable(2, 8000);
        _bed.DropTail();
        using var slice = _bed.Log.Read(ref cursor, 5, 100_000);
        Assert.Equal([3, 4], LogContent.Decode(LogContent.Copy(slice)).Select(record => record.Offset));
    }

    [Fact]
    public void Batch_of_another_partition_is_refused()
    {
        var (batch, header) = LogContent.Batch(LogTestBed.Identity with { Partition = 4 }, [[1]]);
        Assert.Equal(ErrorCode.CorruptBatch, _bed.Log.Append(batch, header, 1, 0, 0).Code);
    }

    [Fact]
    public void Batch_over_the_bound_is_refused_before_and_after_compression()
    {
        _bed.Log.Options = _bed.Options with { MaxBatchBytes = 1000 };
        Assert.Equal(ErrorCode.BatchTooLarge, _bed.Append(1, 1000).Code);
        var (batch, header) = LogContent.Batch(
            LogTestBed.Identity, [new byte[5000]], compression: CompressionType.Lz4);
        Assert.True(batch.Length < 1000);
        Assert.Equal(ErrorCode.BatchTooLarge, _bed.Log.Append(batch, header, 1, 0, 0).Code);
        Assert.Equal(ErrorCode.None, _bed.Append(1, 500).Code);
    }

    [Fact]
    public void Batch_larger_than_a_segment_gets_a_segment_of_its_own()
    {
        _bed.AppendDurable(2, 100);
        _bed.AppendDurable(1, 100_000);
        _bed.AppendDurable(2, 100);
        Assert.Equal(3, _bed.Log.SegmentCount);
        _bed.DropTail();
        _bed.AssertHolds(5);
        _bed.Reopen();
        _bed.AssertHolds(5);
    }

    [Fact]
    public void What_waits_for_the_flush_is_bounded_and_taken_again_after_it()
    {
        _bed.Log.Options = _bed.Options with { MaxUnflushedBytes = 3000 };
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(ErrorCode.None, _bed.Append(1, 550).Code);
        }

        Assert.Equal(ErrorCode.Throttled, _bed.Append(1, 550).Code);
        Assert.True(_bed.Memory.UnflushedBytes is > 2000 and <= 3000);
        _bed.RunFlush();
        Assert.Equal(0, _bed.Memory.UnflushedBytes);
        Assert.Equal(ErrorCode.None, _bed.Append(1, 550).Code);
        _bed.RunFlush();
        _bed.AssertHolds(5);
    }

    [Fact]
    public void Memory_of_a_closed_log_is_given_back()
    {
        for (var i = 0; i < 20; i++)
        {
            _bed.Append(1, 2000);
        }

        Assert.True(_bed.Memory.Bytes > 0);
        _bed.Log.Dispose();
        _bed.DropTail();
        Assert.Equal(0, _bed.Memory.Bytes);
        Assert.Equal(0, _bed.Memory.UnflushedBytes);
    }

    [Fact]
    public void Slice_outlives_the_memory_and_the_log_it_came_from()
    {
        _bed.AppendDurable(1, 1000);
        var cursor = _bed.Log.Locate(0);
        using var inMemory = _bed.Log.Read(ref cursor, 1, 10_000);
        _bed.DropTail();
        cursor = _bed.Log.Locate(0);
        using var inFile = _bed.Log.Read(ref cursor, 1, 10_000);
        _bed.Log.Dispose();

        Assert.True(inMemory.IsInMemory);
        Assert.False(inFile.IsInMemory);
        Assert.Equal(LogContent.Copy(inMemory), LogContent.Copy(inFile));
    }
}
