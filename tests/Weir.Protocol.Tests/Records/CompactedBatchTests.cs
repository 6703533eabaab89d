using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Xunit;

namespace Weir.Protocol.Tests.Records;

/// <summary>Batches that some records have left.</summary>
[Trait("Category", "Unit")]
public sealed class CompactedBatchTests
{
    private static readonly Guid TopicId = new("00112233-4455-6677-8899-aabbccddeeff");

    [Fact]
    public void Batch_without_a_record_covers_its_offsets()
    {
        var batch = Build(100, 40);
        var header = RecordBatchHeader.Verify(batch);
        Assert.Equal((0, 100L, 140L, RecordBatchHeader.CompactedSize), (header.RecordCount, header.BaseOffset, header.NextOffset, header.Length));
        Assert.Empty(Offsets(batch));
    }

    [Theory]
    [InlineData(CompressionType.None)]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public void Records_keep_their_offsets(CompressionType compression)
    {
        var batch = Build(100, 1000, compression, 100, 101, 300, 1099);
        Assert.Equal([100, 101, 300, 1099], Offsets(batch));
        Assert.True(RecordBatchHeader.HasValidStamp(batch));
    }

    [Theory]
    [InlineData(101, new long[] { 101, 300, 1099 })]
    [InlineData(102, new long[] { 300, 1099 })]
    [InlineData(300, new long[] { 300, 1099 })]
    [InlineData(1099, new long[] { 1099 })]
    public void Trimmed_batch_begins_at_the_offset_and_keeps_what_follows(long offset, long[] left)
    {
        var batch = Build(100, 1000, CompressionType.Lz4, 100, 101, 300, 1099);
        var trimmed = CompactedBatchBuilder.TrimTo(batch, RecordBatchHeader.Verify(batch), offset);
        var header = RecordBatchHeader.Verify(trimmed);
        Assert.Equal((offset, 1100L), (header.BaseOffset, header.NextOffset));
        Assert.Equal(left, Offsets(trimmed));
        Assert.True(RecordBatchHeader.HasValidStamp(trimmed));
        Assert.Equal((7, 55L, 44L), (header.LeaderEpoch, header.AppendTimeMs, header.HighWatermark));
        Assert.Equal(4711, RecordBatchHeader.ReadDeleteHorizon(trimmed));
    }

    [Fact]
    public void Produced_batch_can_be_trimmed_and_keeps_its_sequence()
    {
        using var builder = new RecordBatchBuilder(4096);
        for (var i = 0; i < 5; i++)
        {
            builder.TryAdd(1000 + i, [1], hasKey: true, [(byte)i], hasValue: true, []);
        }

        var batch = builder.Seal(TopicId, 1, new BatchProducer(9, 2, int.MaxValue - 1)).ToArray();
        RecordBatchHeader.Stamp(batch, 20, 1, 2, 3);
        var trimmed = CompactedBatchBuilder.TrimTo(batch, RecordBatchHeader.Verify(batch), 23);
        var header = RecordBatchHeader.Verify(trimmed);
        var walk = new BatchRecords(trimmed.AsSpan(header.RecordsPosition), header);
        Assert.True(walk.MoveNext());
        Assert.Equal((23L, 1003L), (walk.Offset, walk.Current.TimestampMs));
        Assert.True(walk.MoveNext());
        Assert.Equal((24L, 1004L), (walk.Offset, walk.Current.TimestampMs));
        Assert.False(walk.MoveNext());
        Assert.Equal((9L, (short)2, 1), (header.ProducerId, header.ProducerEpoch, header.BaseSequence));
        Assert.Equal((1003L, 1004L), (header.BaseTimestampMs, header.MaxTimestampMs));
    }

    [Theory]
    [InlineData(19)]
    [InlineData(10)]
    public void Offsets_that_do_not_ascend_within_the_batch_are_refused(long last)
    {
        var batch = Build(10, 10, CompressionType.None, 15, last);
        batch[104] = 8;
        RecordBatchHeader.Seal(batch);
        var refusal = Assert.Throws<ProtocolException>(() => Offsets(batch));
        Assert.Equal(ErrorCode.InvalidBatch, refusal.Code);
    }

    [Fact]
    public void Records_that_the_header_does_not_count_are_refused()
    {
        var batch = Build(10, 10, CompressionType.None, 11, 12, 13);
        batch[68] = 2;
        RecordBatchHeader.Seal(batch);
        Assert.Equal(ErrorCode.InvalidBatch, Assert.Throws<ProtocolException>(() => Offsets(batch)).Code);
    }

    private static byte[] Build(long baseOffset, int count, CompressionType compression = CompressionType.None, params long[] offsets)
    {
        using var builder = new CompactedBatchBuilder();
        builder.Start(baseOffset);
        foreach (var offset in offsets)
        {
            // A key, a value of 200 bytes that compress, and no headers.
            builder.Add(offset, offset * 10, [2, 7, 201, 1, .. new byte[200], 0]);
        }

        return builder.Seal(
            new RecordBatchHeader
            {
                TopicId = TopicId, Partition = 1, Compression = compression, LastOffsetDelta = count - 1, LeaderEpoch = 7,
                AppendTimeMs = 55, HighWatermark = 44, ProducerId = -1, ProducerEpoch = -1, BaseSequence = -1,
                MaxTimestampMs = 1,
            },
            deleteHorizonMs: 4711).ToArray();
    }

    private static List<long> Offsets(byte[] batch)
    {
        var header = RecordBatchHeader.Verify(batch);
        var records = BatchCompression.Decompress(batch, header, 1 << 20, out _).Span;
        var offsets = new List<long>();
        var walk = new BatchRecords(records, header);
        while (walk.MoveNext())
        {
            Assert.Equal(walk.Offset * 10, walk.Current.TimestampMs);
            Assert.Equal(200, walk.Current.ValueLength);
            offsets.Add(walk.Offset);
        }

        return offsets;
    }
}
