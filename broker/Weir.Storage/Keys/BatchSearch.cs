using System.Buffers;
using System.Text;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;

namespace Weir.Storage.Keys;

/// <summary>Looks for the last record of a key in whole batches.</summary>
internal static class BatchSearch
{
    /// <summary>The bytes of a slice, in an array that the caller returns to the pool.</summary>
    public static byte[] Copy(in LogSlice slice)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(slice.Length);
        if (slice.IsInMemory)
        {
            slice.Memory.CopyTo(bytes);
        }
        else if (slice.File!.Read(bytes.AsSpan(0, slice.Length), slice.FilePosition) != slice.Length)
        {
            throw new LogCorruptException(-1, $"'{slice.File.Path}' ends in the middle of a batch");
        }

        return bytes;
    }

    /// <summary>The last record of a key at or above one offset and below another; null if the batch has none.</summary>
    /// <exception cref="LogCorruptException">The batch is damaged.</exception>
    public static LatestRecord? FindLast(ReadOnlyMemory<byte> batch, ReadOnlySpan<byte> key, long from, long limit)
    {
        if (!RecordBatchHeader.TryRead(batch.Span, out var header, out var fault) || header.Length != batch.Length
            || !RecordBatchHeader.HasValidChecksum(batch.Span))
        {
            throw new LogCorruptException(header.BaseOffset, $"a batch is damaged: {fault}");
        }

        byte[]? pooled = null;
        try
        {
            var records = BatchCompression.Decompress(batch, header, int.MaxValue, out pooled).Span;
            var found = -1L;
            var slices = default(RecordSlices);
            var walk = new BatchRecords(records, header);
            while (walk.MoveNext())
            {
                if (walk.Offset >= from && walk.Offset < limit && walk.Current.KeyLength == key.Length
                    && records.Slice(walk.Current.KeyStart, key.Length).SequenceEqual(key))
                {
                    (found, slices) = (walk.Offset, walk.Current);
                }
            }

            return found < 0 ? null : Take(records, slices, found);
        }
        catch (ProtocolException)
        {
            // No reader can read it.
            return null;
        }
        finally
        {
            if (pooled is not null)
            {
                ArrayPool<byte>.Shared.Return(pooled);
            }
        }
    }

    private static LatestRecord Take(ReadOnlySpan<byte> records, in RecordSlices slices, long offset)
    {
        var headers = new RecordHeader[slices.HeaderCount];
        var position = slices.HeadersStart;
        foreach (ref var header in headers.AsSpan())
        {
            var found = RecordReader.ReadHeader(records, position, slices.End);
            header = new RecordHeader(
                Encoding.UTF8.GetString(records.Slice(found.NameStart, found.NameLength)),
                Bytes(records, found.ValueStart, found.ValueLength));
            position = found.End;
        }

        return new LatestRecord(
            offset, slices.TimestampMs, Bytes(records, slices.KeyStart, slices.KeyLength)!.Value,
            Bytes(records, slices.ValueStart, slices.ValueLength), headers);
    }

    // Written out: in a conditional expression, null would become an empty memory by its conversion from an array.
    private static ReadOnlyMemory<byte>? Bytes(ReadOnlySpan<byte> records, int start, int length) =>
        length < 0 ? default(ReadOnlyMemory<byte>?) : records.Slice(start, length).ToArray();
}
