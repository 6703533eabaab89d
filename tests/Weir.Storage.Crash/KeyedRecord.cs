using System.Buffers;
using System.Text;
using Weir.Protocol.Records;

namespace Weir.Storage.Crash;

/// <summary>A record of a compacted log.</summary>
/// <param name="Offset">Its offset.</param>
/// <param name="Key">Its key; null for none.</param>
/// <param name="Value">Its value; null for a tombstone.</param>
public sealed record KeyedRecord(long Offset, string? Key, string? Value)
{
    /// <summary>Every record that is kept and durable, with all checks that a consumer makes.</summary>
    public static List<KeyedRecord> Read(PartitionLog log)
    {
        var records = new List<KeyedRecord>();
        var expected = -1L;
        foreach (var batch in ReadBatches(log))
        {
            var header = RecordBatchHeader.Verify(batch);
            if (!RecordBatchHeader.HasValidStamp(batch) || (expected >= 0 && header.BaseOffset != expected))
            {
                throw new InvalidDataException($"a batch at offset {header.BaseOffset} stands where {expected} should");
            }

            expected = header.NextOffset;
            Decode(batch, header, records);
        }

        records.RemoveAll(record => record.Offset < log.LogStartOffset);
        return records;
    }

    /// <summary>The batches of a log, from the one that holds its start on.</summary>
    public static IEnumerable<byte[]> ReadBatches(PartitionLog log)
    {
        var cursor = log.Locate(log.LogStartOffset);
        while (true)
        {
            byte[] bytes;
            using (var slice = log.Read(ref cursor, log.DurableOffset, 64 * 1024))
            {
                bytes = LogContent.Copy(slice);
            }

            if (bytes.Length == 0)
            {
                yield break;
            }

            for (var rest = bytes.AsMemory(); !rest.IsEmpty;)
            {
                var batch = rest[..(int)RecordBatchHeader.ReadLength(rest.Span)];
                yield return batch.ToArray();
                rest = rest[batch.Length..];
            }
        }
    }

    /// <summary>The records of a batch.</summary>
    public static void Decode(byte[] batch, in RecordBatchHeader header, List<KeyedRecord> records)
    {
        var bytes = BatchCompression.Decompress(batch, header, int.MaxValue, out var pooled).Span;
        var walk = new BatchRecords(bytes, header);
        while (walk.MoveNext())
        {
            records.Add(new KeyedRecord(
                walk.Offset, Text(bytes, walk.Current.KeyStart, walk.Current.KeyLength),
                Text(bytes, walk.Current.ValueStart, walk.Current.ValueLength)));
        }

        if (pooled is not null)
        {
            ArrayPool<byte>.Shared.Return(pooled);
        }
    }

    private static string? Text(ReadOnlySpan<byte> bytes, int start, int length) =>
        length < 0 ? null : Encoding.UTF8.GetString(bytes.Slice(start, length));
}
