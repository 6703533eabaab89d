using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Crash;
using Weir.Storage.Files;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>Torn tails are cut, damage never is, and nothing is served from behind it.</summary>
[Trait("Category", "Unit")]
public sealed class DamageTests : IDisposable
{
    private const int RecordBytes = 1000;
    private readonly LogTestBed _bed = new(new LogOptions { SegmentBytes = 4 * 1024 });

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Torn_write_is_cut_and_the_log_goes_on_there()
    {
        Fill(2);
        _bed.Append(1, RecordBytes);
        _bed.Log.WritePending();
        FlipIn(offset: 2);
        Reopen();

        Assert.Equal((LogState.Online, 2), (_bed.Log.State, _bed.Log.LogEndOffset));
        Assert.Contains(2004, _bed.Events);
        Assert.Equal(2, _bed.AppendDurable().BaseOffset);
        _bed.Crash();
        _bed.AssertHolds(3);
    }

    [Fact]
    public void Hole_in_the_unsynced_tail_cuts_what_follows_too()
    {
        Fill(1);
        _bed.Append(1, RecordBytes);
        _bed.Append(1, RecordBytes);
        _bed.Log.WritePending();
        FlipIn(offset: 1);
        Reopen();
        Assert.Equal((LogState.Online, 1), (_bed.Log.State, _bed.Log.LogEndOffset));
        _bed.Crash(CrashMode.AllKept);
        _bed.AssertHolds(1);
    }

    [Fact]
    public void Later_batch_proves_that_damage_before_it_was_acknowledged()
    {
        Fill(3);
        FlipIn(offset: 1);
        AssertCorruptAt(1, "was durable");
    }

    [Fact]
    public void Damage_below_the_recovery_point_is_never_cut()
    {
        Fill(3);
        _bed.Log.SaveCheckpoint();
        FlipIn(offset: 2);
        AssertCorruptAt(2, "was durable");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Damage_in_a_closed_segment_is_never_cut(bool hasIndex)
    {
        Fill(12);
        FlipIn(offset: 1);
        if (hasIndex)
        {
            // Not read at the start: the reader's checksum finds it, and the batches before and after it are whole.
            Reopen();
            Assert.Equal((LogState.Online, 12), (_bed.Log.State, _bed.Log.LogEndOffset));
            Assert.Throws<ProtocolException>(() => LogContent.Read(_bed.Log).Count());
            Assert.Single(LogContent.Read(_bed.Log, 0, 1));
            Assert.Equal(10, LogContent.Read(_bed.Log, 2, 12).Count());
            return;
        }

        _bed.Files.Delete(LogTestBed.IndexPath(0));
        AssertCorruptAt(1, "checksum");
    }

    [Fact]
    public void Damage_in_a_closed_segment_that_producers_are_rebuilt_from_is_noticed()
    {
        Fill(12);
        FlipIn(offset: 1);
        _bed.Files.Delete($"{LogTestBed.Directory}/producers.snapshot");
        AssertCorruptAt(12, "checksum", firstDamaged: 1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(48)]
    public void Damaged_header_is_not_walked_over(int positionInBatch)
    {
        Fill(12);
        _bed.DropTail();
        var cursor = _bed.Log.Locate(1);
        _bed.Disk.Rot(LogTestBed.SegmentPath(0), cursor.Position + positionInBatch, 1);
        Assert.Throws<LogCorruptException>(() => _bed.Log.Locate(2));
        cursor = _bed.Log.Locate(0);
        _bed.Log.Read(ref cursor, 2, 1).Dispose();
        Assert.Throws<LogCorruptException>(() => _bed.Log.Read(ref cursor, 2, 1));
        _bed.Log.DeleteRecords(1);
        Assert.Throws<LogCorruptException>(() => _bed.Log.FindOffset(0, 12));
    }

    [Fact]
    public void Search_by_time_does_not_answer_from_damaged_records()
    {
        Fill(3);
        _bed.DropTail();
        FlipIn(offset: 0);
        Assert.Throws<LogCorruptException>(() => _bed.Log.FindOffset(0, 3));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(30)]
    [InlineData(63)]
    public void Damaged_footer_costs_nothing(int positionInFooter)
    {
        Fill(12);
        _bed.Log.SaveCheckpoint();
        var length = Length(LogTestBed.SegmentPath(0));
        _bed.Disk.Rot(LogTestBed.SegmentPath(0), length - 64 + positionInFooter, 5);
        foreach (var deletesIndex in new[] { false, true })
        {
            Reopen();
            Assert.Equal((LogState.Online, string.Empty), (_bed.Log.State, _bed.Log.StateReason));
            _bed.AssertHolds(12);
            if (!deletesIndex)
            {
                _bed.Files.Delete(LogTestBed.IndexPath(0));
            }
        }
    }

    [Fact]
    public void Damage_before_the_index_of_the_active_segment_does_not_keep_the_log_from_opening()
    {
        using var bed = new LogTestBed(new LogOptions { SnapshotIntervalBytes = 4000 });
        for (var i = 0; i < 7; i++)
        {
            bed.AppendDurable(1, RecordBytes);
            if (i == 5)
            {
                bed.Log.SaveCheckpoint();
            }
        }

        // The index covers four batches and the recovery point six: recovery must find that place without what is before.
        bed.Disk.Rot(LogTestBed.SegmentPath(0), bed.Log.Locate(1).Position, 1);
        bed.Reopen(close: false);
        Assert.Equal(7, bed.Log.LogEndOffset);
        Assert.Single(LogContent.Read(bed.Log, 0, 1));
        Assert.Throws<LogCorruptException>(() => LogContent.Read(bed.Log, 0, 2).Count());
    }

    [Fact]
    public void Missing_segment_in_the_middle_is_damage()
    {
        Fill(12);
        _bed.Files.Delete(LogTestBed.SegmentPath(3));
        AssertCorruptAt(3, "no segment holds them");
    }

    [Fact]
    public void Missing_last_segment_is_damage()
    {
        Fill(12);
        _bed.Log.SaveCheckpoint();
        _bed.Files.Delete(LogTestBed.SegmentPath(9));
        AssertCorruptAt(9, "were durable and are missing");
    }

    [Fact]
    public void Missing_segments_are_damage()
    {
        Fill(2);
        _bed.Log.Close();
        _bed.Files.Delete(LogTestBed.SegmentPath(0));
        AssertCorruptAt(0, "were durable and are missing");
    }

    [Fact]
    public void Damaged_log_stays_damaged_whatever_is_asked_of_it()
    {
        Fill(3);
        _bed.Log.SaveCheckpoint();
        FlipIn(offset: 2);
        Reopen();
        _bed.Log.SaveCheckpoint();
        Assert.Throws<LogIoException>(() => _bed.Log.DeleteRecords(1));
        _bed.Log.ApplyRetention(_bed.Time.NowMs);
        AssertCorruptAt(2, "was durable");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Batch_of_another_partition_in_the_file_is_detected(bool hasProof)
    {
        Fill(hasProof ? 3 : 2);
        var position = _bed.Log.Locate(1).Position;
        var (batch, _) = LogContent.Batch(LogTestBed.Identity with { Partition = 9 }, [new byte[RecordBytes]]);
        using (var file = _bed.Files.Open(LogTestBed.SegmentPath(0), OpenKind.Write))
        {
            RecordBatchHeader.Stamp(batch, 1, 0, 0, 1);
            file.Write(batch, position);
        }

        if (hasProof)
        {
            AssertCorruptAt(1, "-9 stands here");
            return;
        }

        Reopen();
        Assert.Equal((LogState.Online, 1), (_bed.Log.State, _bed.Log.LogEndOffset));
    }

    private void Fill(int batches)
    {
        for (var i = 0; i < batches; i++)
        {
            _bed.AppendDurable(1, RecordBytes);
        }
    }

    private void FlipIn(long offset)
    {
        var cursor = _bed.Log.Locate(offset);
        _bed.Disk.Rot(LogTestBed.SegmentPath(cursor.SegmentBase), cursor.Position + 500, 3);
    }

    private void Reopen() => _bed.Reopen(close: false);

    private long Length(string path)
    {
        using var file = _bed.Files.Open(path, OpenKind.Read);
        return file.Length;
    }

    /// <summary>Opens the log twice: both times it is damaged, ends there, serves what is before and cuts nothing.</summary>
    private void AssertCorruptAt(long logEndOffset, string reason, long? firstDamaged = null)
    {
        var segments = _bed.Files.ListFiles(LogTestBed.Directory)
            .Where(name => name.EndsWith(".log", StringComparison.Ordinal))
            .ToDictionary(name => name, name => Length($"{LogTestBed.Directory}/{name}"));
        for (var i = 0; i < 2; i++)
        {
            Reopen();
            Assert.Equal((LogState.Corrupt, logEndOffset), (_bed.Log.State, _bed.Log.LogEndOffset));
            Assert.Contains(reason, _bed.Log.StateReason, StringComparison.Ordinal);
            Assert.Equal(ErrorCode.CorruptLog, _bed.Append().Code);
            var readable = firstDamaged ?? logEndOffset;
            Assert.Equal(readable, LogContent.Read(_bed.Log, 0, readable).Count());
        }

        Assert.All(segments, pair => Assert.Equal(pair.Value, Length($"{LogTestBed.Directory}/{pair.Key}")));
    }
}
