using System.Buffers.Binary;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Simulation;

/// <summary>Reads what a log holds.</summary>
internal static class LogContent
{
    /// <summary>Base offset and checksum of every batch below an offset.</summary>
    public static List<(long Offset, ulong Checksum)> Read(PartitionLog log, long limit)
    {
        var content = new List<(long Offset, ulong Checksum)>();
        ForEachBatch(log, log.LogStartOffset, limit, int.MaxValue, batch =>
        {
            RecordBatchHeader.TryRead(batch.Span, out var header, out _);
            content.Add((header.BaseOffset, header.Checksum));
        });
        return content;
    }

    /// <summary>Offset and value of the records of a batch.</summary>
    public static void Decode(ReadOnlyMemory<byte> batch, List<(long Offset, long Value)> records)
    {
        RecordBatchHeader.TryRead(batch.Span, out var header, out _);
        var payload = batch.Span[RecordBatchHeader.Size..];
        var position = 0;
        for (var i = 0; i < header.RecordCount; i++)
        {
            var record = RecordReader.Read(payload, position, header.BaseTimestampMs);
            records.Add((header.BaseOffset + i, BinaryPrimitives.ReadInt64LittleEndian(payload[record.ValueStart..])));
            position = record.End;
        }
    }

    public static void ForEachBatch(
        PartitionLog log, long from, long limit, int maxBytes, Action<ReadOnlyMemory<byte>> take)
    {
        var cursor = log.Locate(from);
        while (cursor.Offset < limit && maxBytes > 0)
        {
            using var slice = log.Read(ref cursor, limit, Math.Min(maxBytes, 64 * 1024));
            if (slice.Length == 0)
            {
                return;
            }

            maxBytes -= slice.Length;
            ReadOnlyMemory<byte> bytes = slice.IsInMemory ? slice.Memory.ToArray() : ReadFile(slice);
            while (!bytes.IsEmpty)
            {
                var batch = bytes[..(int)RecordBatchHeader.ReadLength(bytes.Span)];
                bytes = bytes[batch.Length..];
                if (!RecordBatchHeader.HasValidChecksum(batch.Span))
                {
                    throw new InvalidDataException($"a damaged batch was given to a reader of {log.Identity}");
                }

                take(batch);
            }
        }
    }

    private static byte[] ReadFile(in LogSlice slice)
    {
        var bytes = new byte[slice.Length];
        slice.File!.Read(bytes, slice.FilePosition);
        return bytes;
    }
}
