using System.Buffers;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Testing.Support;

namespace Weir.Protocol.Fuzz.Targets;

/// <summary>Reads a batch's header, decompresses its records and walks them.</summary>
internal sealed class BatchTarget() : FuzzTarget("RecordBatch")
{
    private const int MaxUncompressedBytes = 128 * 1024;

    public override long AllowedBytes(int received) => base.AllowedBytes(received) + MaxUncompressedBytes;

    public override byte[] CreateValid(SeededRandom random)
    {
        var batch = Build(random, (CompressionType)random.Next(3));
        return random.Chance(1, 2) ? batch : Compact(random, batch);
    }

    public override void Decode(byte[] input)
    {
        if (!RecordBatchHeader.TryRead(input, out var header, out _))
        {
            return;
        }

        if (header.Length == input.Length)
        {
            // Damage is nearly always seen here; what comes after it must stand on its own all the same.
            _ = RecordBatchHeader.HasValidChecksum(input) && RecordBatchHeader.HasValidStamp(input);
        }

        byte[]? pooled = null;
        try
        {
            var records = BatchCompression.Decompress(input, header, MaxUncompressedBytes, out pooled);
            if (header.IsCompacted)
            {
                _ = RecordBatchHeader.ReadDeleteHorizon(input);
            }

            RecordWalk.All(records.Span, header);
        }
        finally
        {
            if (pooled is not null)
            {
                ArrayPool<byte>.Shared.Return(pooled);
            }
        }
    }

    /// <summary>A compacted batch that some or all records have left.</summary>
    private static byte[] Compact(SeededRandom random, byte[] batch)
    {
        using var builder = new CompactedBatchBuilder();
        var header = RecordBatchHeader.Verify(batch);
        builder.Start(header.BaseOffset);
        var records = BatchCompression.Decompress(batch, header, int.MaxValue, out var pooled).Span;
        var walk = new BatchRecords(records, header);
        while (walk.MoveNext())
        {
            if (random.Chance(1, 2))
            {
                builder.Add(walk.Offset, walk.Current.TimestampMs, records[walk.Current.FieldsStart..walk.Current.End]);
            }
        }

        if (pooled is not null)
        {
            ArrayPool<byte>.Shared.Return(pooled);
        }

        return builder.Seal(header, random.Next(100)).ToArray();
    }

    internal static byte[] Build(SeededRandom random, CompressionType compression)
    {
        using var builder = new RecordBatchBuilder(1024 * 1024);
        Add(builder, random);
        for (var records = random.Next(random.Chance(1, 20) ? 200 : 6); records > 0; records--)
        {
            Add(builder, random);
        }

        var producer = random.Chance(1, 2) ? BatchProducer.None : new BatchProducer(random.Next(9), 0, random.Next(9));
        var batch = builder.Seal(Guid.Empty, random.Next(4), producer, compression).ToArray();
        RecordBatchHeader.Stamp(batch, random.Next(1000), 1, 2, 3);
        return batch;
    }

    private static void Add(RecordBatchBuilder builder, SeededRandom random)
    {
        var headers = new RecordHeader[random.Chance(1, 2) ? 0 : random.Next(4)];
        foreach (ref var header in headers.AsSpan())
        {
            header = new RecordHeader(
                random.Chance(1, 4) ? string.Empty : "name",
                random.Chance(1, 4) ? default(ReadOnlyMemory<byte>?) : Bytes(random));
        }

        builder.TryAdd(
            (long)random.NextUInt64() >> random.Next(64), Bytes(random), random.Chance(3, 4), Bytes(random),
            random.Chance(3, 4), headers);
    }

    private static byte[] Bytes(SeededRandom random)
    {
        var bytes = new byte[random.Next(random.Chance(1, 16) ? 2_000 : 20)];
        if (random.Chance(1, 2))
        {
            random.NextBytes(bytes);
        }

        return bytes;
    }
}

/// <summary>Walks uncompressed records that may be anything.</summary>
internal sealed class RecordsTarget() : FuzzTarget("Records")
{
    public override byte[] CreateValid(SeededRandom random) =>
        BatchTarget.Build(random, CompressionType.None)[RecordBatchHeader.Size..];

    public override void Decode(byte[] input)
    {
        try
        {
            RecordReader.CheckFraming(input, Math.Max(1, input.Length / 16));
        }
        catch (ProtocolException)
        {
            // The count is a guess; the walk below must hold without it.
        }

        RecordWalk.All(input, int.MaxValue, baseTimestampMs: 0);
    }
}

/// <summary>Reads every part of every record.</summary>
internal static class RecordWalk
{
    public static void All(ReadOnlySpan<byte> records, in RecordBatchHeader header)
    {
        var walk = new BatchRecords(records, header);
        var (position, offset) = (0, header.BaseOffset - 1);
        while (walk.MoveNext())
        {
            Check(records, walk.Current, position);
            if (walk.Offset <= offset || walk.Offset >= header.NextOffset)
            {
                throw new InvalidOperationException($"record with offset {walk.Offset} follows {offset}");
            }

            (position, offset) = (walk.NextPosition, walk.Offset);
        }
    }

    public static void All(ReadOnlySpan<byte> records, int count, long baseTimestampMs)
    {
        var position = 0;
        for (var i = 0; i < count && position < records.Length; i++)
        {
            var record = RecordReader.Read(records, position, baseTimestampMs);
            Check(records, record, position);
            position = record.End;
        }
    }

    private static void Check(ReadOnlySpan<byte> records, in RecordSlices record, int position)
    {
        Touch(records, record.KeyStart, record.KeyLength);
        Touch(records, record.ValueStart, record.ValueLength);
        var headerPosition = record.HeadersStart;
        for (var headers = record.HeaderCount; headers > 0; headers--)
        {
            var header = RecordReader.ReadHeader(records, headerPosition, record.End);
            Touch(records, header.NameStart, header.NameLength);
            Touch(records, header.ValueStart, header.ValueLength);
            headerPosition = header.End;
        }

        if (record.End <= position || headerPosition > record.End)
        {
            throw new InvalidOperationException($"record at {position} ends at {record.End}, its headers at {headerPosition}");
        }
    }

    /// <summary>Throws an exception of its own kind if a slice lies outside the records.</summary>
    private static void Touch(ReadOnlySpan<byte> records, int start, int length)
    {
        if (length >= 0)
        {
            _ = records.Slice(start, length);
        }
    }
}
