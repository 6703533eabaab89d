using System.Buffers.Binary;
using CsCheck;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Protocol.Tests.Golden;
using Xunit;

namespace Weir.Protocol.Tests.Records;

[Trait("Category", "Unit")]
public sealed class RecordBatchTests
{
    private static readonly Guid TopicId = new("00112233-4455-6677-8899-aabbccddeeff");

    private static readonly Gen<string?> Field = Gen.Frequency(
        (1, Gen.Const((string?)null)),
        (1, Gen.Const((string?)string.Empty)),
        (6, Gen.Byte.Array[0, 40].Select(static bytes => (string?)Convert.ToHexStringLower(bytes))),
        (1, Gen.Int[120, 40_000].Select(static length => (string?)new string('7', length * 2))));

    private static readonly Gen<ListedRecord> Records =
        from timestamp in Gen.OneOf(Gen.Long, Gen.Long[0, 2_000_000_000_000], Gen.Const(long.MinValue), Gen.Const(long.MaxValue))
        from key in Field
        from value in Field
        from headers in Gen.Select(Gen.String[Gen.Char["aZ é漢"], 0, 10], Field).Array[0, 4]
        select new ListedRecord(timestamp, key, value, headers);

    [Fact]
    public void Records_are_read_as_they_were_added() =>
        Gen.Select(Records.Array[1, 20], Gen.Enum<CompressionType>()).Sample(
            static (records, compression) =>
            {
                using var builder = new RecordBatchBuilder(1 << 26);
                foreach (var record in records)
                {
                    Assert.True(record.AddTo(builder));
                }

                var batch = builder.Seal(TopicId, 3, BatchProducer.None, compression);
                var header = RecordBatchHeader.Verify(batch.Span);
                return records.SequenceEqual(RecordListing.Read(batch))
                    && header.MaxTimestampMs == records.Max(static record => record.TimestampMs)
                    && header.RecordCount == records.Length;
            },
            iter: 300,
            print: static sample => string.Join('\n', sample.Item1.Select(static record => record.ToString())) + sample.Item2);

    [Fact]
    public void A_record_that_does_not_fit_changes_nothing()
    {
        using var builder = new RecordBatchBuilder(RecordBatchHeader.Size + 20);
        var first = new ListedRecord(7, "00", "01", []);
        Assert.True(first.AddTo(builder));
        Assert.False(new ListedRecord(8, null, new string('0', 40), []).AddTo(builder));
        var exact = new ListedRecord(9, null, string.Concat(Enumerable.Repeat("02", 13 - RecordReader.MinRecordBytes)), []);
        Assert.True(exact.AddTo(builder));

        var batch = builder.Seal(TopicId, 0, BatchProducer.None);

        Assert.Equal(RecordBatchHeader.Size + 20, batch.Length);
        Assert.Equal([first, exact], RecordListing.Read(batch));
    }

    [Fact]
    public void A_sealed_batch_takes_no_more_records_until_it_is_reset()
    {
        using var builder = new RecordBatchBuilder(10_000);
        var record = new ListedRecord(7, "00", new string('0', 2_000), []);
        Assert.True(record.AddTo(builder));
        builder.Seal(TopicId, 0, BatchProducer.None, CompressionType.Lz4);

        Assert.Throws<InvalidOperationException>(() => record.AddTo(builder));

        builder.Reset();
        Assert.True(record.AddTo(builder));
        Assert.Equal([record], RecordListing.Read(builder.Seal(TopicId, 0, BatchProducer.None)));
    }

    [Fact]
    public void A_batch_may_be_sealed_again_for_another_producer()
    {
        using var builder = new RecordBatchBuilder(10_000);
        var record = new ListedRecord(7, "00", new string('0', 2_000), []);
        Assert.True(record.AddTo(builder));
        builder.Seal(TopicId, 0, new BatchProducer(5, 0, 77), CompressionType.Zstd);

        var again = builder.Seal(TopicId, 0, new BatchProducer(6, 1, 0), CompressionType.Zstd);

        Assert.Equal((6L, (short)1, 0), Producer(RecordBatchHeader.Verify(again.Span)));
        Assert.Equal([record], RecordListing.Read(again));

        static (long, short, int) Producer(in RecordBatchHeader header) =>
            (header.ProducerId, header.ProducerEpoch, header.BaseSequence);
    }

    [Fact]
    public void A_batch_without_records_is_not_sealed()
    {
        using var builder = new RecordBatchBuilder(10_000);

        Assert.Throws<InvalidOperationException>(() => builder.Seal(TopicId, 0, BatchProducer.None));
    }

    [Theory]
    [InlineData(CompressionType.None)]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public void Any_flipped_bit_of_a_stored_batch_is_detected(CompressionType compression)
    {
        var batch = Stored(compression);
        Assert.True(RecordBatchHeader.HasValidChecksum(batch) && RecordBatchHeader.HasValidStamp(batch));
        for (var bit = 0; bit < batch.Length * 8; bit++)
        {
            batch[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(
                RecordBatchHeader.HasValidChecksum(batch) && RecordBatchHeader.HasValidStamp(batch), $"bit {bit} goes unseen");
            batch[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void A_stamp_does_not_fit_another_batch()
    {
        var one = Stored(CompressionType.None);
        var other = Stored(CompressionType.Lz4);

        one.AsSpan(0, 32).CopyTo(other);

        Assert.True(RecordBatchHeader.HasValidChecksum(other));
        Assert.False(RecordBatchHeader.HasValidStamp(other));
    }

    [Fact]
    public void A_misdirected_batch_is_seen_in_its_header()
    {
        var header = RecordBatchHeader.Verify(Stored(CompressionType.None));

        Assert.Equal((TopicId, 3), (header.TopicId, header.Partition));
        Assert.Equal(TopicId.ToByteArray(bigEndian: true), Stored(CompressionType.None)[
            RecordBatchHeader.TopicIdPosition..(RecordBatchHeader.TopicIdPosition + 16)]);
    }

    [Fact]
    public void Stamping_leaves_the_writers_checksum_valid()
    {
        var batch = Stored(CompressionType.None);
        var checksum = RecordBatchHeader.Verify(batch).Checksum;

        RecordBatchHeader.Stamp(batch, long.MaxValue - 5, -1, long.MinValue, int.MaxValue);

        var header = RecordBatchHeader.Verify(batch);
        Assert.True(RecordBatchHeader.HasValidStamp(batch));
        Assert.Equal(checksum, header.Checksum);
        Assert.Equal(long.MaxValue - 2, header.NextOffset);
        Assert.Equal((-1L, long.MinValue, int.MaxValue), (header.AppendTimeMs, header.HighWatermark, header.LeaderEpoch));
    }

    [Theory]
    [InlineData("length below the header", 40, 112)]
    [InlineData("length above the bytes", 40, 100_000)]
    [InlineData("length beyond 31 bits", 40, -1)]
    [InlineData("format", 44, 2)]
    [InlineData("reserved field", 46, 1)]
    [InlineData("negative partition", 64, -1)]
    [InlineData("no record", 68, 0)]
    [InlineData("more records than fit the bytes", 68, 1000)]
    [InlineData("records beyond 31 bits", 68, -1)]
    [InlineData("sequence without producer", 80, 0)]
    [InlineData("reserved field after the epoch", 84, 0x0001_FFFF)]
    [InlineData("last offset below the records", 104, 1)]
    [InlineData("last offset beyond 31 bits", 104, -1)]
    [InlineData("uncompressed size", 108, 5)]
    public void A_header_that_contradicts_itself_is_refused(string fault, int position, int value)
    {
        var batch = Stored(CompressionType.None);
        if (position is 44 or 46)
        {
            BinaryPrimitives.WriteInt16LittleEndian(batch.AsSpan(position), (short)value);
        }
        else
        {
            BinaryPrimitives.WriteInt32LittleEndian(batch.AsSpan(position), value);
        }

        RecordBatchHeader.Seal(batch);

        Assert.True(
            Assert.Throws<ProtocolException>(() => RecordBatchHeader.Verify(batch)).Code == ErrorCode.InvalidBatch, fault);
    }

    [Fact]
    public void A_damaged_batch_is_told_from_an_invalid_one()
    {
        var batch = Stored(CompressionType.None);
        batch[^1] ^= 1;

        Assert.Equal(
            ErrorCode.CorruptBatch, Assert.Throws<ProtocolException>(() => RecordBatchHeader.Verify(batch)).Code);
        for (var cut = 0; cut < batch.Length; cut++)
        {
            Assert.Equal(
                ErrorCode.InvalidBatch,
                Assert.Throws<ProtocolException>(() => RecordBatchHeader.Verify(batch.AsSpan(0, cut))).Code);
        }
    }

    internal static byte[] Stored(CompressionType compression, int valueBytes = 60)
    {
        using var builder = new RecordBatchBuilder(1 << 20);
        for (var i = 0; i < 3; i++)
        {
            new ListedRecord(1_700_000_000_000 + i, "6b", new string('5', valueBytes * 2), [("h", "00")]).AddTo(builder);
        }

        var batch = builder.Seal(TopicId, 3, BatchProducer.None, compression).ToArray();
        RecordBatchHeader.Stamp(batch, 10, 20, 5, 1);
        Assert.Equal(compression, RecordBatchHeader.Verify(batch).Compression);
        return batch;
    }
}
