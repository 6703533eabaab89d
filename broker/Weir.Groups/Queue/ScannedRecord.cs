using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Weir.Protocol.Records;

namespace Weir.Groups.Queue;

/// <summary>A record of a batch as a queue looks at it: borrowed bytes.</summary>
internal readonly ref struct ScannedRecord(long offset, RecordSlices slices, ReadOnlySpan<byte> records)
{
    private static readonly byte[] DeliverAtName = Encoding.UTF8.GetBytes(WellKnownHeaders.DeliverAt);

    public long Offset => offset;

    public long TimestampMs => slices.TimestampMs;

    /// <summary>The fields from the key on, which are the same in every format.</summary>
    public ReadOnlySpan<byte> Fields { get; } = records[slices.FieldsStart..slices.End];

    public KeyHash Key { get; } = slices.KeyLength < 0 ? KeyHash.None : KeyHash.Of(records.Slice(slices.KeyStart, slices.KeyLength));

    /// <summary>When it may be delivered, Unix milliseconds; 0 for at once.</summary>
    public long DeliverAtMs { get; } = FindDeliverAt(slices, records);

    private static long FindDeliverAt(RecordSlices slices, ReadOnlySpan<byte> records)
    {
        var position = slices.HeadersStart;
        for (var i = 0; i < slices.HeaderCount; i++)
        {
            var header = RecordReader.ReadHeader(records, position, slices.End);
            if (header.ValueLength == sizeof(long) && records.Slice(header.NameStart, header.NameLength).SequenceEqual(DeliverAtName))
            {
                return BinaryPrimitives.ReadInt64LittleEndian(records[header.ValueStart..]);
            }

            position = header.End;
        }

        return 0;
    }
}

/// <summary>Takes records one by one.</summary>
internal delegate void TakeRecord(in ScannedRecord record);

/// <summary>Walks the records of batches, in every format: the one place that knows it.</summary>
internal static class RecordScan
{
    private const int MaxBatchBytes = 64 * 1024 * 1024;

    /// <summary>Walks batches as they are stored.</summary>
    /// <param name="batches">Whole batches.</param>
    /// <param name="take">Takes each record.</param>
    /// <returns>First offset behind the last batch; -1 if there is none.</returns>
    /// <exception cref="Weir.Protocol.Errors.ProtocolException">A batch breaks the format.</exception>
    public static long Walk(ReadOnlyMemory<byte> batches, TakeRecord take)
    {
        long next = -1;
        while (!batches.IsEmpty)
        {
            var batch = batches[..(int)RecordBatchHeader.ReadLength(batches.Span)];
            var header = RecordBatchHeader.Verify(batch.Span);
            var records = BatchCompression.Decompress(batch, header, MaxBatchBytes, out var pooled);
            var walk = new BatchRecords(records.Span, header);
            while (walk.MoveNext())
            {
                take(new ScannedRecord(walk.Offset, walk.Current, records.Span));
            }

            if (pooled is not null)
            {
                ArrayPool<byte>.Shared.Return(pooled);
            }

            next = header.NextOffset;
            batches = batches[batch.Length..];
        }

        return next;
    }
}

/// <summary>A record that is in memory because it is about to be delivered.</summary>
/// <param name="Key">What stands for its key.</param>
/// <param name="TimestampMs">Its timestamp.</param>
/// <param name="Fields">Its fields from the key on.</param>
internal readonly record struct BufferedRecord(KeyHash Key, long TimestampMs, byte[] Fields)
{
    /// <summary>What it counts against bounds of memory.</summary>
    public int Cost => Fields.Length + 120;
}
