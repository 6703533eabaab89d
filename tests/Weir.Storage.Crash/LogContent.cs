using System.Buffers;
using Weir.Protocol.Records;

namespace Weir.Storage.Crash;

/// <summary>A record as it was read back.</summary>
/// <param name="Offset">Its offset.</param>
/// <param name="Value">Its value.</param>
/// <param name="Batch">The header of its batch.</param>
public sealed record LogRecord(long Offset, byte[] Value, RecordBatchHeader Batch);

/// <summary>Makes batches and reads logs back as a consumer does, checksums verified.</summary>
public static class LogContent
{
    /// <summary>A sealed batch; record i has the timestamp plus i.</summary>
    public static (byte[] Bytes, RecordBatchHeader Header) Batch(
        LogIdentity identity, IReadOnlyList<byte[]> values, BatchProducer? producer = null, long timestampMs = 0,
        CompressionType compression = CompressionType.None)
    {
        using var builder = new RecordBatchBuilder(4 * 1024 * 1024);
        for (var i = 0; i < values.Count; i++)
        {
            builder.TryAdd(timestampMs + i, default, hasKey: false, values[i], hasValue: true, []);
        }

        var batch = builder.Seal(identity.TopicId, identity.Partition, producer ?? BatchProducer.None, compression);
        return (batch.ToArray(), RecordBatchHeader.Verify(batch.Span));
    }

    /// <summary>Every record from an offset up to a limit; the first batch may start before it.</summary>
    public static IEnumerable<LogRecord> Read(PartitionLog log, long from, long limit, int maxBytes = 64 * 1024)
    {
        var cursor = log.Locate(from);
        while (true)
        {
            byte[] bytes;
            using (var slice = log.Read(ref cursor, limit, maxBytes))
            {
                bytes = Copy(slice);
            }

            if (bytes.Length == 0)
            {
                yield break;
            }

            foreach (var record in Decode(bytes))
            {
                yield return record;
            }
        }
    }

    /// <summary>Every record that is kept and durable.</summary>
    public static IEnumerable<LogRecord> Read(PartitionLog log) =>
        Read(log, log.LogStartOffset, log.DurableOffset).Where(record => record.Offset >= log.LogStartOffset);

    /// <summary>The bytes of a slice, wherever they are.</summary>
    public static byte[] Copy(in LogSlice slice)
    {
        var bytes = new byte[slice.Length];
        if (slice.IsInMemory)
        {
            slice.Memory.CopyTo(bytes);
        }
        else if (slice.Length > 0 && slice.File!.Read(bytes, slice.FilePosition) != bytes.Length)
        {
            throw new InvalidDataException("a slice reaches behind the end of its file");
        }

        return bytes;
    }

    /// <summary>The records of whole batches.</summary>
    public static List<LogRecord> Decode(byte[] bytes)
    {
        var records = new List<LogRecord>();
        for (ReadOnlyMemory<byte> rest = bytes; !rest.IsEmpty;)
        {
            var batch = rest[..(int)RecordBatchHeader.ReadLength(rest.Span)];
            var header = RecordBatchHeader.Verify(batch.Span);
            var body = BatchCompression.Decompress(batch, header, int.MaxValue, out var pooled);
            var position = 0;
            for (var offset = header.BaseOffset; offset < header.NextOffset; offset++)
            {
                var record = RecordReader.Read(body.Span, position, header.BaseTimestampMs);
                records.Add(new LogRecord(offset, body.Slice(record.ValueStart, record.ValueLength).ToArray(), header));
                position = record.End;
            }

            if (pooled is not null)
            {
                ArrayPool<byte>.Shared.Return(pooled);
            }

            rest = rest[batch.Length..];
        }

        return records;
    }
}
