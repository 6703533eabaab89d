using System.Buffers;
using Weir.Protocol.Records;
using Weir.Storage.Indexes;
using Weir.Storage.Segments;

namespace Weir.Storage;

/// <summary>Finds batches in a log's files by offset, position and time. Any thread; holds no lock.</summary>
internal sealed class LogReader(SegmentSet segments, LogIdentity identity)
{
    /// <summary>The batch that contains an offset; null if no file holds it.</summary>
    public LogCursor? Locate(long offset)
    {
        if (segments.Acquire(offset) is not { } segment)
        {
            return null;
        }

        try
        {
            return Locate(segment, offset);
        }
        finally
        {
            segment.Release();
        }
    }

    /// <summary>Whole batches below a limit, at least one if there is one, then as many as fit; moves the cursor.</summary>
    public LogSlice Read(ref LogCursor cursor, long limitOffset, int maxBytes)
    {
        if (segments.Acquire(cursor.Offset) is not { } segment)
        {
            return default;
        }

        var start = cursor.Position;
        var (end, next) = (start, cursor.Offset);
        try
        {
            if (segment.BaseOffset != cursor.SegmentBase || segment.Generation != cursor.Generation)
            {
                cursor = cursor.Offset == segment.BaseOffset
                    ? new LogCursor(cursor.Offset, segment.BaseOffset, 0, segment.Generation)
                    : Locate(segment, cursor.Offset);
                (start, end, next) = (cursor.Position, cursor.Position, cursor.Offset);
            }

            (end, next) = FindEnd(segment, cursor, limitOffset, maxBytes);
        }
        finally
        {
            if (end == start)
            {
                segment.Release();
            }
        }

        if (end == start)
        {
            return default;
        }

        cursor = cursor with { Offset = next, Position = end };
        return new LogSlice(segment, start, end - start);
    }

    /// <summary>Offset of the first record at or after a time, below a limit; the limit if there is none.</summary>
    public long FindByTimestamp(long timestampMs, long fromOffset, long limitOffset)
    {
        var at = segments.All is [var first, ..] ? Math.Max(fromOffset, first.BaseOffset) : fromOffset;
        while (segments.Acquire(at) is { } segment)
        {
            try
            {
                if (segment.MaxTimestampMs >= timestampMs
                    && FindInSegment(segment, timestampMs, fromOffset, limitOffset) is { } found)
                {
                    return found;
                }

                at = segment.End.NextOffset;
            }
            finally
            {
                segment.Release();
            }
        }

        return limitOffset;
    }

    private LogCursor Locate(Segment segment, long offset)
    {
        var (from, position) = Start(segment, segment.Index.FloorByOffset(offset));
        for (var expected = from; ;)
        {
            var header = ReadHeader(segment, position, expected);
            if (header.NextOffset > offset)
            {
                return new LogCursor(header.BaseOffset, segment.BaseOffset, position, segment.Generation);
            }

            position += header.Length;
            expected = header.NextOffset;
        }
    }

    private long? FindInSegment(Segment segment, long timestampMs, long fromOffset, long limitOffset)
    {
        var (expected, position) = Start(segment, segment.Index.FloorByTimestamp(timestampMs));
        while (position < segment.End.DataBytes)
        {
            var header = ReadHeader(segment, position, expected);
            if (header.BaseOffset >= limitOffset)
            {
                return null;
            }

            if (header.MaxTimestampMs >= timestampMs
                && header.NextOffset > fromOffset
                && FindInBatch(segment, position, header, timestampMs, fromOffset) is { } offset)
            {
                return Math.Min(offset, limitOffset);
            }

            position += header.Length;
            expected = header.NextOffset;
        }

        return null;
    }

    private static long? FindInBatch(
        Segment segment, int position, in RecordBatchHeader header, long timestampMs, long fromOffset)
    {
        var array = ArrayPool<byte>.Shared.Rent(header.Length);
        var batch = array.AsMemory(0, segment.File.Read(array.AsSpan(0, header.Length), position));
        byte[]? pooled = null;
        try
        {
            if (batch.Length < header.Length || !RecordBatchHeader.HasValidChecksum(batch.Span))
            {
                throw new LogCorruptException(
                    segment.File.Path, position, header.BaseOffset, "the batch's checksum does not match its bytes");
            }

            var records = new BatchRecords(
                BatchCompression.Decompress(batch, header, int.MaxValue, out pooled).Span, header);
            while (records.MoveNext())
            {
                if (records.Current.TimestampMs >= timestampMs && records.Offset >= fromOffset)
                {
                    return records.Offset;
                }
            }

            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(array);
            if (pooled is not null)
            {
                ArrayPool<byte>.Shared.Return(pooled);
            }
        }
    }

    private (int End, long Next) FindEnd(Segment segment, in LogCursor cursor, long limitOffset, int maxBytes)
    {
        var (dataBytes, nextOffset) = segment.End;
        if (nextOffset <= limitOffset && dataBytes - cursor.Position <= maxBytes)
        {
            return (dataBytes, nextOffset);
        }

        IndexEntry entry = segment.Index.FloorByPosition((long)cursor.Position + maxBytes);
        if (entry.Position > cursor.Position && entry.Offset <= limitOffset)
        {
            return (entry.Position, entry.Offset);
        }

        var end = cursor.Position;
        var next = cursor.Offset;
        while (end < dataBytes)
        {
            if (!TryReadHeader(segment, end, next, out var header, out var fault))
            {
                // What stands before the damage is whole; the next read starts at it and says so.
                return end > cursor.Position
                    ? (end, next)
                    : throw new LogCorruptException(segment.File.Path, end, next, fault);
            }

            if (header.NextOffset > limitOffset
                || (end > cursor.Position && end - cursor.Position + header.Length > maxBytes))
            {
                break;
            }

            end += header.Length;
            next = header.NextOffset;
        }

        return (end, next);
    }

    /// <summary>An index entry as a place to start from; the segment's first byte where there is none.</summary>
    private static (long Offset, int Position) Start(Segment segment, IndexEntry entry) =>
        entry.Position == 0 ? (segment.BaseOffset, 0) : (entry.Offset, entry.Position);

    private RecordBatchHeader ReadHeader(Segment segment, int position, long offset) =>
        TryReadHeader(segment, position, offset, out var header, out var fault)
            ? header
            : throw new LogCorruptException(segment.File.Path, position, offset, fault);

    /// <summary>Reads a header and checks all that can be without the records: walking on a wrong one ends anywhere.</summary>
    private bool TryReadHeader(
        Segment segment, int position, long offset, out RecordBatchHeader header, out string fault)
    {
        Span<byte> bytes = stackalloc byte[RecordBatchHeader.Size];
        var read = segment.File.Read(bytes, position);
        if (!RecordBatchHeader.TryRead(bytes[..read], out header, out fault))
        {
            return false;
        }

        fault = header switch
        {
            _ when !RecordBatchHeader.HasValidStamp(bytes) => "the stamp of a batch does not match its checksum",
            _ when header.TopicId != identity.TopicId || header.Partition != identity.Partition =>
                $"a batch of {new LogIdentity(header.TopicId, header.Partition)} stands here",
            _ when header.BaseOffset != offset => $"a batch with offset {header.BaseOffset} stands where {offset} should",
            _ when header.Length > segment.End.DataBytes - position => $"a batch of {header.Length} bytes does not fit",
            _ => string.Empty,
        };
        return fault.Length == 0;
    }
}
