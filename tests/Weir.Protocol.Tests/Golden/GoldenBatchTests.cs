using System.Buffers;
using System.Text;
using Weir.Protocol.Records;
using Xunit;

namespace Weir.Protocol.Tests.Golden;

/// <summary>Batches on disk and from other clients stay readable, whatever the compressors do later.</summary>
[Trait("Category", "Unit")]
public sealed class GoldenBatchTests
{
    private static readonly Guid TopicId = new("00112233-4455-6677-8899-aabbccddeeff");
    private static readonly BatchProducer Producer = new(0x0102030405060708, 9, 0x0A0B0C0D);

    internal static string[] Names => ["RecordBatch.none", "RecordBatch.lz4", "RecordBatch.zstd", "RecordBatch.compacted"];

    [Fact]
    public void An_uncompressed_batch_has_its_golden_bytes() =>
        GoldenFile.Check("RecordBatch.none", Describe(), Build(CompressionType.None));

    [Theory]
    [InlineData("RecordBatch.none", CompressionType.None)]
    [InlineData("RecordBatch.lz4", CompressionType.Lz4)]
    [InlineData("RecordBatch.zstd", CompressionType.Zstd)]
    public void A_golden_batch_decodes_to_its_records(string name, CompressionType compression)
    {
        // Compressed bytes may change with the compressor's version and be as good, so only reading is compared.
        if (Repository.IsRewriting)
        {
            GoldenFile.Check(name, Describe(), Build(compression));
        }

        var batch = GoldenFile.Read(name);
        var header = RecordBatchHeader.Verify(batch);

        Assert.True(RecordBatchHeader.HasValidStamp(batch));
        Assert.Equal(compression, header.Compression);
        Assert.Equal(
            (1000L, 1_700_000_000_123L, 990L, 3),
            (header.BaseOffset, header.AppendTimeMs, header.HighWatermark, header.LeaderEpoch));
        Assert.Equal((TopicId, 5, 4, 3), (header.TopicId, header.Partition, header.RecordCount, header.LastOffsetDelta));
        Assert.Equal(Producer, new BatchProducer(header.ProducerId, header.ProducerEpoch, header.BaseSequence));
        Assert.Equal(1_700_000_000_000L, header.BaseTimestampMs);
        Assert.Equal(1_700_000_000_100L, header.MaxTimestampMs);
        Assert.Equal(Records(), RecordListing.Read(batch));
    }

    [Fact]
    public void A_compacted_batch_has_its_golden_bytes()
    {
        var listed = Records();
        GoldenFile.Check(
            "RecordBatch.compacted",
            [
                "stamped as RecordBatch.none, no producer, offsets 1000 to 1299, delete horizon 1700086400000; at 1002: "
                    + listed[0],
                "at 1200: " + listed[2],
            ],
            BuildCompacted());
        var batch = GoldenFile.Read("RecordBatch.compacted");
        var header = RecordBatchHeader.Verify(batch);
        Assert.True(RecordBatchHeader.HasValidStamp(batch));
        Assert.Equal((true, 1000L, 1300L, 2), (header.IsCompacted, header.BaseOffset, header.NextOffset, header.RecordCount));
        Assert.Equal(1_700_086_400_000, RecordBatchHeader.ReadDeleteHorizon(batch));
        Assert.Equal([(1002L, listed[0]), (1200L, listed[2])], RecordListing.ReadWithOffsets(batch));
    }

    private static byte[] BuildCompacted()
    {
        var source = Build(CompressionType.None);
        var header = RecordBatchHeader.Verify(source);
        var records = source.AsSpan(RecordBatchHeader.Size);
        using var builder = new CompactedBatchBuilder();
        builder.Start(header.BaseOffset);
        var walk = new BatchRecords(records, header);
        while (walk.MoveNext())
        {
            if (walk.Offset is 1000 or 1002)
            {
                builder.Add(
                    walk.Offset == 1000 ? 1002 : 1200, walk.Current.TimestampMs,
                    records[walk.Current.FieldsStart..walk.Current.End]);
            }
        }

        return builder.Seal(
            header with { LastOffsetDelta = 299, ProducerId = -1, ProducerEpoch = -1, BaseSequence = -1 },
            deleteHorizonMs: 1_700_086_400_000).ToArray();
    }

    private static IEnumerable<string> Describe() =>
        Records().Select(static record => record.ToString()).Prepend("stamped: base offset 1000, append time "
            + "1700000000123, high watermark 990, leader epoch 3; partition 5, producer 0x0102030405060708, epoch 9, "
            + "base sequence 0x0A0B0C0D");

    private static ListedRecord[] Records() =>
    [
        new(1_700_000_000_000, "6b6579", "76616c7565", [("trace", "01ff"), ("empty", ""), ("none", null)]),
        new(1_700_000_000_100, null, "", []),
        new(1_699_999_999_900, "", null, []),
        new(1_700_000_000_000, "c3a9", string.Concat(Enumerable.Repeat("61", 300)), [("größe", "00")]),
    ];

    private static byte[] Build(CompressionType compression)
    {
        using var builder = new RecordBatchBuilder(1 << 20);
        foreach (var record in Records())
        {
            Assert.True(record.AddTo(builder));
        }

        var batch = builder.Seal(TopicId, 5, Producer, compression).ToArray();
        RecordBatchHeader.Stamp(batch, 1000, 1_700_000_000_123, 990, 3);
        return batch;
    }
}

/// <summary>A record with its bytes as hex, which compares and prints well.</summary>
internal sealed record ListedRecord(long TimestampMs, string? Key, string? Value, (string Name, string? Value)[] Headers)
{
    public bool Equals(ListedRecord? other) => other is not null && ToString() == other.ToString();

    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    public override string ToString() => $"{TimestampMs} key {Key ?? "null"} value {Value ?? "null"} headers ["
        + string.Join(", ", Headers.Select(static header => $"{header.Name}={header.Value ?? "null"}")) + "]";

    public bool AddTo(RecordBatchBuilder builder) => builder.TryAdd(
        TimestampMs, FromHex(Key), Key is not null, FromHex(Value), Value is not null,
        [.. Headers.Select(static header => new RecordHeader(
            header.Name, header.Value is null ? default(ReadOnlyMemory<byte>?) : Convert.FromHexString(header.Value)))]);

    private static byte[] FromHex(string? hex) => Convert.FromHexString(hex ?? string.Empty);
}

/// <summary>Reads all records of a batch with the readers under test.</summary>
internal static class RecordListing
{
    public static List<ListedRecord> Read(ReadOnlyMemory<byte> batch, int maxBytes = 1 << 26)
    {
        var header = RecordBatchHeader.Verify(batch.Span);
        var records = BatchCompression.Decompress(batch, header, maxBytes, out var pooled).Span;
        var listed = new List<ListedRecord>();
        RecordReader.CheckFraming(records, header.RecordCount);
        for (var position = 0; listed.Count < header.RecordCount;)
        {
            var record = RecordReader.Read(records, position, header.BaseTimestampMs);
            listed.Add(new ListedRecord(
                record.TimestampMs, Hex(records, record.KeyStart, record.KeyLength),
                Hex(records, record.ValueStart, record.ValueLength), Headers(records, record)));
            position = record.End;
        }

        if (pooled is not null)
        {
            ArrayPool<byte>.Shared.Return(pooled);
        }

        return listed;
    }

    /// <summary>The records of an uncompressed batch with their offsets.</summary>
    public static List<(long Offset, ListedRecord Record)> ReadWithOffsets(byte[] batch)
    {
        var header = RecordBatchHeader.Verify(batch);
        var records = batch.AsSpan(header.RecordsPosition);
        var listed = new List<(long, ListedRecord)>();
        var walk = new BatchRecords(records, header);
        while (walk.MoveNext())
        {
            var record = walk.Current;
            listed.Add((walk.Offset, new ListedRecord(
                record.TimestampMs, Hex(records, record.KeyStart, record.KeyLength),
                Hex(records, record.ValueStart, record.ValueLength), Headers(records, record))));
        }

        return listed;
    }

    private static (string, string?)[] Headers(ReadOnlySpan<byte> records, in RecordSlices record)
    {
        var headers = new (string, string?)[record.HeaderCount];
        var position = record.HeadersStart;
        foreach (ref var header in headers.AsSpan())
        {
            var found = RecordReader.ReadHeader(records, position, record.End);
            header = (
                Encoding.UTF8.GetString(records.Slice(found.NameStart, found.NameLength)),
                Hex(records, found.ValueStart, found.ValueLength));
            position = found.End;
        }

        Assert.Equal(record.End, position);
        return headers;
    }

    private static string? Hex(ReadOnlySpan<byte> records, int start, int length) =>
        length < 0 ? null : Convert.ToHexStringLower(records.Slice(start, length));
}
