using Weir.Protocol.Records;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>Finding a place in a log by offset and by time.</summary>
[Trait("Category", "Unit")]
public sealed class LocateAndFindTests : IDisposable
{
    private readonly LogTestBed _bed = new(new LogOptions { SegmentBytes = 8 * 1024, IndexIntervalBytes = 512 });

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Offset_in_the_middle_of_a_batch_locates_the_batch(bool fromFiles)
    {
        for (var i = 0; i < 50; i++)
        {
            _bed.AppendDurable(5, 60);
        }

        if (fromFiles)
        {
            _bed.DropTail();
        }

        for (var offset = 0; offset < 250; offset++)
        {
            Assert.Equal(offset / 5 * 5, _bed.Log.Locate(offset).Offset);
        }

        Assert.Equal(250, _bed.Log.Locate(250).Offset);
    }

    [Fact]
    public void Offset_outside_of_the_log_is_refused()
    {
        for (var i = 0; i < 5; i++)
        {
            _bed.AppendDurable();
        }

        _bed.Log.DeleteRecords(2);
        Assert.Throws<ArgumentOutOfRangeException>(() => _bed.Log.Locate(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => _bed.Log.Locate(6));
        Assert.Equal(2, _bed.Log.Locate(2).Offset);
    }

    [Theory]
    [InlineData(CompressionType.None)]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public void Time_finds_the_first_record_at_or_after_it(CompressionType compression)
    {
        // Record n has the timestamp 1000 + 10 * (n / 5) + n % 5.
        for (var i = 0; i < 60; i++)
        {
            _bed.Append(5, 100, timestampMs: 1000 + (10 * i), compression: compression);
            _bed.RunFlush();
        }

        Assert.Equal(0, _bed.Log.FindOffset(0, 300));
        Assert.Equal(0, _bed.Log.FindOffset(1000, 300));
        Assert.Equal(3, _bed.Log.FindOffset(1003, 300));
        Assert.Equal(5, _bed.Log.FindOffset(1005, 300));
        Assert.Equal(157, _bed.Log.FindOffset(1312, 300));
        Assert.Equal(299, _bed.Log.FindOffset(1594, 300));
        Assert.Equal(300, _bed.Log.FindOffset(1595, 300));
    }

    [Fact]
    public void Time_finds_nothing_below_the_log_start_or_at_the_limit()
    {
        for (var i = 0; i < 10; i++)
        {
            _bed.Append(5, 100, timestampMs: 1000 + (10 * i));
            _bed.RunFlush();
        }

        _bed.Log.DeleteRecords(7);
        Assert.Equal(7, _bed.Log.FindOffset(0, 50));
        Assert.Equal(20, _bed.Log.FindOffset(1045, 20));
        Assert.Equal(22, _bed.Log.FindOffset(1044, 22));
    }

    [Fact]
    public void Time_finds_the_earliest_offset_where_timestamps_go_back()
    {
        foreach (var time in new[] { 5000, 1000, 3000, 2000, 9000, 100 })
        {
            _bed.Append(1, 600, timestampMs: time);
            _bed.RunFlush();
        }

        Assert.Equal(0, _bed.Log.FindOffset(4000, 6));
        Assert.Equal(4, _bed.Log.FindOffset(6000, 6));
        Assert.Equal(6, _bed.Log.FindOffset(9001, 6));
    }

    [Fact]
    public void Time_is_found_by_indexes_that_were_read_back()
    {
        for (var i = 0; i < 60; i++)
        {
            _bed.Append(2, 300, timestampMs: 1000 + (10 * i));
            _bed.RunFlush();
        }

        _bed.Reopen();
        for (var i = 0; i < 60; i++)
        {
            Assert.Equal((2 * i) + 1, _bed.Log.FindOffset(1001 + (10 * i), 120));
        }
    }
}
