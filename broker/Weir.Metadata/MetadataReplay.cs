using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Metadata;

/// <summary>Applies what a log holds after an image. Closed segments are not checked by the log's recovery, so it is done here.</summary>
internal static class MetadataReplay
{
    private const int SliceBytes = 1024 * 1024;

    /// <summary>The image at the end of a log that is online.</summary>
    /// <exception cref="MetadataException">The log does not hold every record after the image, whole.</exception>
    public static MetadataImage Run(PartitionLog log, MetadataImage image)
    {
        try
        {
            var end = log.LogEndOffset;
            var cursor = log.Locate(image.NextOffset);
            while (image.NextOffset < end)
            {
                using var slice = log.Read(ref cursor, end, SliceBytes);
                if (slice.Length == 0)
                {
                    throw new MetadataException($"the metadata log cannot be read from {image.NextOffset} to {end}");
                }

                image = ApplyBatches(Copy(slice), image);
            }

            return image;
        }
        catch (Exception e) when (e is ProtocolException or LogCorruptException)
        {
            throw new MetadataException($"the metadata log is damaged after offset {image.NextOffset}: {e.Message}", e);
        }
    }

    private static ReadOnlyMemory<byte> Copy(in LogSlice slice)
    {
        if (slice.IsInMemory)
        {
            return slice.Memory.ToArray();
        }

        var bytes = new byte[slice.Length];
        var read = slice.File!.Read(bytes, slice.FilePosition);
        return bytes.AsMemory(0, read);
    }

    private static MetadataImage ApplyBatches(ReadOnlyMemory<byte> bytes, MetadataImage image)
    {
        while (!bytes.IsEmpty)
        {
            if (bytes.Length < RecordBatchHeader.Size || RecordBatchHeader.ReadLength(bytes.Span) > bytes.Length)
            {
                throw new MetadataException($"the metadata log is cut off at offset {image.NextOffset}");
            }

            var batch = bytes[..(int)RecordBatchHeader.ReadLength(bytes.Span)];
            image = Apply(batch, image);
            bytes = bytes[batch.Length..];
        }

        return image;
    }

    private static MetadataImage Apply(ReadOnlyMemory<byte> batch, MetadataImage image)
    {
        var header = RecordBatchHeader.Verify(batch.Span);
        if (!RecordBatchHeader.HasValidStamp(batch.Span) || header.BaseOffset != image.NextOffset)
        {
            throw new MetadataException(
                $"the metadata log has a batch of offset {header.BaseOffset} where {image.NextOffset} should be");
        }

        var records = batch[RecordBatchHeader.Size..];
        var position = 0;
        for (var i = 0; i < header.RecordCount; i++)
        {
            var record = RecordReader.Read(records.Span, position, header.BaseTimestampMs);
            var value = records.Slice(record.ValueStart, Math.Max(0, record.ValueLength));
            image = image.Apply(MetadataRecordCodec.Decode(value));
            position = record.End;
        }

        return image;
    }
}
