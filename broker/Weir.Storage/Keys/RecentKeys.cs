using System.Buffers;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;

namespace Weir.Storage.Keys;

/// <summary>
/// The last record of each hash in the part of a log that has no index of keys on disk yet: from a segment's base offset on,
/// as far as it was read. Under the lock of its user.
/// </summary>
internal sealed class RecentKeys(PartitionLog log, KeyHash hash, int maxBytes)
{
    private const int BytesPerEntry = 96;
    private const int ReadBytes = 1024 * 1024;
    private readonly Dictionary<ulong, (long Offset, LogCursor Batch)> _entries = [];
    private LogCursor _cursor;

    /// <summary>Where the part begins; -1 before anything was read.</summary>
    public long From { get; private set; } = -1;

    /// <summary>Where it ends.</summary>
    public long End { get; private set; }

    /// <summary>Reads what was appended since, below a limit; false if there is no room for its keys.</summary>
    public bool TryCatchUp(long activeBase, long limit)
    {
        // What was closed since then has an index on disk, or gets one: it need not stay in memory when that runs short.
        var isHalfFull = (long)_entries.Count * BytesPerEntry >= maxBytes / 2;
        if (From < 0 || (isHalfFull && activeBase > From))
        {
            _entries.Clear();
            From = End = Math.Max(activeBase, log.LogStartOffset);
            _cursor = log.Locate(From);
        }

        while (End < limit)
        {
            var next = _cursor;
            using var slice = log.Read(ref next, limit, ReadBytes);
            if (slice.Length == 0)
            {
                return true;
            }

            var bytes = BatchSearch.Copy(slice);
            try
            {
                if (!TryNote(bytes.AsMemory(0, slice.Length), _cursor, next))
                {
                    return false;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(bytes);
            }

            _cursor = next;
            End = next.Offset;
        }

        return true;
    }

    /// <summary>The last record with a hash, and the batch that it was in.</summary>
    public bool TryFind(ulong keyHash, out (long Offset, LogCursor Batch) entry) => _entries.TryGetValue(keyHash, out entry);

    private bool TryNote(ReadOnlyMemory<byte> batches, LogCursor first, LogCursor next)
    {
        var position = next.Position - batches.Length;
        while (!batches.IsEmpty)
        {
            if (!RecordBatchHeader.TryRead(batches.Span, out var header, out var fault) || header.Length > batches.Length)
            {
                throw new LogCorruptException(first.Offset, $"a batch is damaged: {fault}");
            }

            var batch = new LogCursor(header.BaseOffset, next.SegmentBase, position, next.Generation);
            if (!TryNote(batches[..header.Length], header, batch))
            {
                return false;
            }

            position += header.Length;
            batches = batches[header.Length..];
        }

        return true;
    }

    private bool TryNote(ReadOnlyMemory<byte> bytes, in RecordBatchHeader header, LogCursor batch)
    {
        byte[]? pooled = null;
        try
        {
            var records = BatchCompression.Decompress(bytes, header, int.MaxValue, out pooled).Span;
            var walk = new BatchRecords(records, header);
            while (walk.MoveNext())
            {
                if (walk.Offset < End || walk.Current.KeyLength < 0)
                {
                    continue;
                }

                var keyHash = hash.Of(records.Slice(walk.Current.KeyStart, walk.Current.KeyLength));
                if ((long)_entries.Count * BytesPerEntry >= maxBytes && !_entries.ContainsKey(keyHash))
                {
                    return false;
                }

                _entries[keyHash] = (walk.Offset, batch);
            }

            return true;
        }
        catch (ProtocolException)
        {
            // No reader can read the rest of the batch.
            return true;
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
