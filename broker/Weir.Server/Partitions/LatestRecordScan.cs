using System.Buffers;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Server.Partitions;

/// <summary>The latest record of a key.</summary>
/// <param name="Offset">Its offset.</param>
/// <param name="TimestampMs">The producer's time.</param>
/// <param name="Value">A copy of its value; null for a tombstone.</param>
internal sealed record LatestRecord(long Offset, long TimestampMs, byte[]? Value);

/// <summary>Finds the latest record of a key by reading the log from its start. Stateless; any thread, and it blocks on the disk.</summary>
internal static class LatestRecordScan
{
    private const int ReadBytes = 1024 * 1024;

    /// <summary>The latest record below an offset; null if the key has none.</summary>
    /// <exception cref="LogCorruptException">A batch is damaged.</exception>
    public static LatestRecord? Find(PartitionLog log, ReadOnlySpan<byte> key, long limitOffset)
    {
        LatestRecord? latest = null;
        var cursor = log.Locate(log.LogStartOffset);
        while (cursor.Offset < limitOffset)
        {
            using var slice = log.Read(ref cursor, limitOffset, ReadBytes);
            if (slice.Length == 0)
            {
                break;
            }

            var buffer = ArrayPool<byte>.Shared.Rent(slice.Length);
            try
            {
                latest = FindInBatches(Load(slice, buffer), key, log.Options.MaxBatchBytes) ?? latest;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }

        return latest;
    }

    private static ReadOnlyMemory<byte> Load(in LogSlice slice, byte[] buffer)
    {
        if (slice.IsInMemory)
        {
            return slice.Memory;
        }

        var read = slice.File!.Read(buffer.AsSpan(0, slice.Length), slice.FilePosition);
        return buffer.AsMemory(0, read);
    }

    private static LatestRecord? FindInBatches(ReadOnlyMemory<byte> batches, ReadOnlySpan<byte> key, int maxBatchBytes)
    {
        LatestRecord? latest = null;
        while (batches.Length > 0)
        {
            var header = RecordBatchHeader.Verify(batches.Span[..(int)RecordBatchHeader.ReadLength(batches.Span)]);
            latest = FindInBatch(batches[..header.Length], header, key, maxBatchBytes) ?? latest;
            batches = batches[header.Length..];
        }

        return latest;
    }

    private static LatestRecord? FindInBatch(
        ReadOnlyMemory<byte> batch, in RecordBatchHeader header, ReadOnlySpan<byte> key, int maxBatchBytes)
    {
        var records = BatchCompression.Decompress(batch, header, Math.Max(maxBatchBytes, header.UncompressedBytes), out var pooled).Span;
        try
        {
            LatestRecord? latest = null;
            for (int i = 0, position = 0; i < header.RecordCount; i++)
            {
                var record = RecordReader.Read(records, position, header.BaseTimestampMs);
                position = record.End;
                if (record.KeyLength == key.Length && records.Slice(record.KeyStart, record.KeyLength).SequenceEqual(key))
                {
                    latest = new LatestRecord(
                        header.BaseOffset + i, record.TimestampMs,
                        record.ValueLength < 0 ? null : records.Slice(record.ValueStart, record.ValueLength).ToArray());
                }
            }

            return latest;
        }
        finally
        {
            if (pooled is not null)
            {
                ArrayPool<byte>.Shared.Return(pooled);
            }
        }
    }
}
