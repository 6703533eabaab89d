using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Metadata;

/// <summary>Reads metadata records back from the log's batches, with every check there is: they decide over all data.</summary>
internal static class MetadataReplay
{
    private const int SliceBytes = 1024 * 1024;

    /// <summary>Every batch of a log from an offset on.</summary>
    /// <exception cref="MetadataException">The log does not hold every record from there on, whole.</exception>
    public static IEnumerable<(RecordBatchHeader Header, IReadOnlyList<IMetadataRecord> Records)> ReadAll(
        PartitionLog log, long offset)
    {
        var end = log.LogEndOffset;
        var cursor = log.Locate(offset);
        while (offset < end)
        {
            var batches = ReadSlice(log, ref cursor, end);
            while (!batches.IsEmpty)
            {
                var batch = TakeBatch(ref batches, offset);
                var header = Verify(batch, offset);
                offset = header.NextOffset;
                yield return (header, Decode(batch, header));
            }
        }
    }

    /// <summary>A copy of what a slice holds.</summary>
    public static ReadOnlyMemory<byte> Copy(in LogSlice slice)
    {
        if (slice.IsInMemory)
        {
            return slice.Memory.ToArray();
        }

        var bytes = new byte[slice.Length];
        var read = slice.File!.Read(bytes, slice.FilePosition);
        return bytes.AsMemory(0, read);
    }

    /// <summary>Takes the first batch off.</summary>
    /// <exception cref="MetadataException">It is cut off.</exception>
    public static ReadOnlyMemory<byte> TakeBatch(ref ReadOnlyMemory<byte> batches, long offset)
    {
        if (batches.Length < RecordBatchHeader.Size || RecordBatchHeader.ReadLength(batches.Span) > batches.Length)
        {
            throw new MetadataException($"the metadata log is cut off at offset {offset}");
        }

        var batch = batches[..(int)RecordBatchHeader.ReadLength(batches.Span)];
        batches = batches[batch.Length..];
        return batch;
    }

    /// <summary>Checks a batch and that it is the one of an offset.</summary>
    /// <exception cref="MetadataException">It is not.</exception>
    public static RecordBatchHeader Verify(ReadOnlyMemory<byte> batch, long offset)
    {
        try
        {
            var header = RecordBatchHeader.Verify(batch.Span);
            return RecordBatchHeader.HasValidStamp(batch.Span) && header.BaseOffset == offset
                ? header
                : throw new MetadataException(
                    $"the metadata log has a batch of offset {header.BaseOffset} where {offset} should be");
        }
        catch (ProtocolException e)
        {
            throw new MetadataException($"the metadata log is damaged at offset {offset}: {e.Message}", e);
        }
    }

    /// <summary>The records of a batch that was verified.</summary>
    public static IReadOnlyList<IMetadataRecord> Decode(ReadOnlyMemory<byte> batch, in RecordBatchHeader header)
    {
        var decoded = new List<IMetadataRecord>(header.RecordCount);
        var records = batch[RecordBatchHeader.Size..];
        var position = 0;
        for (var i = 0; i < header.RecordCount; i++)
        {
            var record = RecordReader.Read(records.Span, position, header.BaseTimestampMs);
            decoded.Add(MetadataRecordCodec.Decode(records.Slice(record.ValueStart, Math.Max(0, record.ValueLength))));
            position = record.End;
        }

        return decoded;
    }

    private static ReadOnlyMemory<byte> ReadSlice(PartitionLog log, ref LogCursor cursor, long end)
    {
        try
        {
            using var slice = log.Read(ref cursor, end, SliceBytes);
            return slice.Length > 0
                ? Copy(slice)
                : throw new MetadataException($"the metadata log cannot be read from {cursor.Offset} to {end}");
        }
        catch (LogCorruptException e)
        {
            throw new MetadataException($"the metadata log is damaged after offset {cursor.Offset}: {e.Message}", e);
        }
    }
}
