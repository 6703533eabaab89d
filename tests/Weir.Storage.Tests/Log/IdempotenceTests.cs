using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>A retried batch is in the log once, whatever happened in between.</summary>
[Trait("Category", "Unit")]
public sealed class IdempotenceTests : IDisposable
{
    private readonly LogTestBed _bed = new(new LogOptions { SegmentBytes = 4 * 1024 });

    public enum Interruption
    {
        None,
        CleanRestart,
        PowerLoss,
        PowerLossWithoutSnapshot,
    }

    public void Dispose() => _bed.Dispose();

    [Theory]
    [InlineData(Interruption.None)]
    [InlineData(Interruption.CleanRestart)]
    [InlineData(Interruption.PowerLoss)]
    [InlineData(Interruption.PowerLossWithoutSnapshot)]
    public void Retry_of_each_of_the_last_five_batches_gives_the_first_answer(Interruption interruption)
    {
        var first = Enumerable.Range(0, 8).Select(i => _bed.AppendDurable(3, 300, Producer(sequence: 3 * i))).ToArray();
        Interrupt(interruption);

        for (var i = 3; i < 8; i++)
        {
            var retried = _bed.Append(3, 300, Producer(sequence: 3 * i));
            Assert.Equal(first[i] with { IsDuplicate = true }, retried);
        }

        Assert.Equal(ErrorCode.OutOfOrderSequence, _bed.Append(3, 300, Producer(sequence: 6)).Code);
        Assert.Equal(ErrorCode.OutOfOrderSequence, _bed.Append(1, 300, Producer(sequence: 25)).Code);
        Assert.Equal(24, _bed.Append(1, 300, Producer(sequence: 24)).BaseOffset);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Retry_is_recognised_after_its_segment_is_deleted(bool losesPower)
    {
        var first = Enumerable.Range(0, 8).Select(i => _bed.AppendDurable(3, 300, Producer(sequence: 3 * i))).ToArray();
        _bed.AppendDurable(1, 5000);
        _bed.Log.DeleteRecords(24);
        Assert.Equal(1, _bed.Log.SegmentCount);
        if (losesPower)
        {
            _bed.Crash();
        }

        Assert.Equal(first[7] with { IsDuplicate = true }, _bed.Append(3, 300, Producer(sequence: 21)));
        Assert.Equal(25, _bed.Append(1, 300, Producer(sequence: 24)).BaseOffset);
    }

    [Fact]
    public void Retry_of_a_batch_that_is_not_flushed_is_recognised()
    {
        var first = _bed.Append(2, 16, Producer(sequence: 0));
        Assert.Equal(first with { IsDuplicate = true }, _bed.Append(2, 16, Producer(sequence: 0)));
        _bed.RunFlush();
        _bed.AssertHolds(2);
    }

    [Fact]
    public void Unknown_producer_must_start_at_zero()
    {
        Assert.Equal(ErrorCode.UnknownProducer, _bed.Append(1, 16, Producer(sequence: 1)).Code);
        Assert.Equal(ErrorCode.None, _bed.Append(1, 16, Producer(sequence: 0)).Code);
        Assert.Equal(ErrorCode.UnknownProducer, _bed.Append(1, 16, new BatchProducer(8, 0, 1)).Code);
    }

    [Fact]
    public void Older_epoch_is_fenced_and_a_newer_one_starts_at_zero()
    {
        _bed.AppendDurable(1, 16, Producer(sequence: 0));
        Assert.Equal(ErrorCode.OutOfOrderSequence, _bed.Append(1, 16, Producer(sequence: 1, epoch: 1)).Code);
        _bed.AppendDurable(1, 16, Producer(sequence: 0, epoch: 1));
        Assert.Equal(ErrorCode.FencedProducer, _bed.Append(1, 16, Producer(sequence: 1)).Code);
        _bed.Crash();
        Assert.Equal(ErrorCode.FencedProducer, _bed.Append(1, 16, Producer(sequence: 1)).Code);
        Assert.Equal(ErrorCode.None, _bed.Append(1, 16, Producer(sequence: 1, epoch: 1)).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Sequence_wraps_from_the_largest_number_to_zero(bool crashes)
    {
        // The state before the wrap would take two thousand million records to reach: it is set by a batch of the log.
        var table = new Producers.ProducerStateTable();
        table.Apply(Header(int.MaxValue - 3, count: 2, baseOffset: 100), 10);
        if (crashes)
        {
            table = table.Clone();
        }

        Assert.Equal(ErrorCode.OutOfOrderSequence, table.Check(Header(0, 1)).Code);
        var wrapping = Header(int.MaxValue - 1, count: 5, baseOffset: 102);
        Assert.Equal(ErrorCode.None, table.Check(wrapping).Code);
        table.Apply(wrapping, 10);
        Assert.Equal(107, table.Check(wrapping).Original?.NextOffset);
        Assert.Equal(ErrorCode.OutOfOrderSequence, table.Check(Header(4, 1)).Code);
        Assert.Equal(ErrorCode.None, table.Check(Header(3, 1)).Code);
        table.Apply(Header(int.MaxValue, 1, baseOffset: 107), 10);
        Assert.Equal(ErrorCode.None, table.Check(Header(0, 1)).Code);
    }

    [Fact]
    public void Silent_producer_is_forgotten_after_its_time()
    {
        _bed.Options = _bed.Log.Options = _bed.Options with { ProducerExpiry = TimeSpan.FromHours(1) };
        _bed.AppendDurable(1, 16, Producer(sequence: 0));
        _bed.Time.Advance(TimeSpan.FromMinutes(59));
        _bed.Log.ApplyRetention(_bed.Time.NowMs);
        Assert.Equal(ErrorCode.None, _bed.Append(1, 16, Producer(sequence: 1)).Code);
        _bed.Time.Advance(TimeSpan.FromMinutes(61));
        _bed.Log.ApplyRetention(_bed.Time.NowMs);
        Assert.Equal(ErrorCode.UnknownProducer, _bed.Append(1, 16, Producer(sequence: 2)).Code);
    }

    [Fact]
    public void Producers_are_bounded_and_the_most_silent_goes_first()
    {
        _bed.Log.Options = _bed.Options with { MaxProducers = 3 };
        for (var id = 0; id < 4; id++)
        {
            _bed.Time.Advance(TimeSpan.FromSeconds(1));
            _bed.Append(1, 16, new BatchProducer(id, 0, 0));
        }

        Assert.Equal(ErrorCode.UnknownProducer, _bed.Append(1, 16, new BatchProducer(0, 0, 1)).Code);
        Assert.Equal(ErrorCode.None, _bed.Append(1, 16, new BatchProducer(1, 0, 1)).Code);
    }

    private static BatchProducer Producer(int sequence, short epoch = 0) => new(7, epoch, sequence);

    private static RecordBatchHeader Header(int sequence, int count, long baseOffset = 0) => new()
    {
        ProducerId = 1,
        ProducerEpoch = 0,
        BaseSequence = sequence,
        RecordCount = count,
        LastOffsetDelta = count - 1,
        BaseOffset = baseOffset,
    };

    private void Interrupt(Interruption interruption)
    {
        switch (interruption)
        {
            case Interruption.CleanRestart:
                _bed.Reopen();
                break;
            case Interruption.PowerLossWithoutSnapshot:
                _bed.Files.Delete($"{LogTestBed.Directory}/producers.snapshot");
                _bed.Crash(CrashMode.AllKept);
                break;
            case Interruption.PowerLoss:
                _bed.Crash();
                break;
        }
    }
}
