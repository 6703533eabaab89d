using System.Buffers;
using Weir.Protocol.Records;
using Weir.Storage.Compaction;
using Weir.Storage.Files;
using Weir.Storage.Segments;

namespace Weir.Storage.Keys;

/// <summary>
/// Finds the last record of a key: in memory for the active segment, by the index of keys beside each closed one. An index
/// that is missing or damaged is built on the way, which reads its segment once. Thread-safe; one search at a time.
/// </summary>
internal sealed class LogKeys(
    ILogFiles files, string directory, PartitionLog log, SegmentSet segments, ulong hashMask) : IDisposable
{
    /// <summary>Bytes of memory for the active segment's keys. A segment with more of them is closed.</summary>
    public const int RecentBytes = 8 * 1024 * 1024;

    /// <summary>Most keys that are held while an index is built, at about 50 bytes each.</summary>
    private const int BuilderEntries = 500_000;

    /// <summary>Read at once, in the hope that the batch is not longer.</summary>
    private const int GuessedBatchBytes = CompactedSegmentWriter.JoinedBytes + 4096;

    private readonly Lock _gate = new();
    private readonly KeyHash _hash = new(hashMask);
    private readonly RecentKeys _recent = new(log, new KeyHash(hashMask), RecentBytes);
    private readonly Dictionary<Segment, KeyIndexFile> _open = [];
    private bool _isDisposed;

    /// <summary>The last record of a key below a limit, tombstones included; null if there is none.</summary>
    public LatestRecord? FindLatest(ReadOnlySpan<byte> key, long limit)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var all = segments.All;
            if (all.IsEmpty)
            {
                return null;
            }

            limit = Math.Min(limit, log.LogEndOffset);
            if (!_recent.TryCatchUp(all[^1].BaseOffset, limit))
            {
                log.WantRoll();
            }

            return FindRecent(key, limit) ?? FindClosed(key, limit);
        }
    }

    /// <summary>Builds the next index that is missing; false if there is none. So that a search need not.</summary>
    public bool BuildNext()
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return false;
            }

            CloseReplaced();
            foreach (var segment in segments.All)
            {
                if (segment.IsSealed && !_open.ContainsKey(segment) && segment.NextOffset > log.LogStartOffset)
                {
                    return Index(segment) is not null;
                }
            }

            return false;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            foreach (var index in _open.Values)
            {
                index.Dispose();
            }

            _open.Clear();
        }
    }

    private LatestRecord? FindRecent(ReadOnlySpan<byte> key, long limit)
    {
        if (_recent.End < limit && ScanLog(key, _recent.End, limit) is { } unread)
        {
            return unread;
        }

        if (!_recent.TryFind(_hash.Of(key), out var entry))
        {
            return null;
        }

        if (entry.Offset < limit && Read(entry.Batch, key, entry.Offset, limit) is { } found)
        {
            return found;
        }

        // Another key with this hash came later, or the record is above the limit or no longer where it was.
        return ScanLog(key, _recent.From, Math.Min(_recent.End, limit));
    }

    private LatestRecord? FindClosed(ReadOnlySpan<byte> key, long limit)
    {
        var at = Math.Min(_recent.From, limit) - 1;
        while (at >= log.LogStartOffset && segments.Find(at) is { } segment)
        {
            if (FindIn(segment, key, limit) is { } found)
            {
                return found;
            }

            at = segment.BaseOffset - 1;
        }

        return null;
    }

    private LatestRecord? FindIn(Segment segment, ReadOnlySpan<byte> key, long limit)
    {
        for (var time = 0; time < 2; time++)
        {
            if (Index(segment) is not { } index)
            {
                break;
            }

            try
            {
                if (!index.TryFind(_hash.Of(key), out var entry))
                {
                    return null;
                }

                if (entry.Offset < limit && Read(segment, entry, key) is { } found)
                {
                    return found;
                }

                break;
            }
            catch (InvalidDataException)
            {
                Forget(segment);
            }
        }

        // Another key has the same hash, or there is no index and no space for one.
        return ScanLog(key, segment.BaseOffset, Math.Min(segment.End.NextOffset, limit));
    }

    /// <summary>The record of a key at an offset, from the batch at a cursor; null if it is not there.</summary>
    private LatestRecord? Read(LogCursor batch, ReadOnlySpan<byte> key, long offset, long limit)
    {
        if (offset < log.LogStartOffset)
        {
            return null;
        }

        using var slice = log.Read(ref batch, limit, 1);
        return slice.Length == 0 ? null : Search(slice, key, offset, offset + 1);
    }

    /// <summary>The record of a key that an index names; null if it is another key's.</summary>
    private LatestRecord? Read(Segment segment, in KeyEntry entry, ReadOnlySpan<byte> key)
    {
        if (entry.Offset < log.LogStartOffset || !segment.TryAcquire())
        {
            return null;
        }

        var array = ArrayPool<byte>.Shared.Rent(GuessedBatchBytes);
        try
        {
            var read = segment.File.Read(array, entry.Position);
            var length = read < RecordBatchHeader.Size ? read : (int)RecordBatchHeader.ReadLength(array);
            if (length > read && length <= segment.DataBytes - entry.Position)
            {
                ArrayPool<byte>.Shared.Return(array);
                array = ArrayPool<byte>.Shared.Rent(length);
                read = segment.File.Read(array.AsSpan(0, length), entry.Position);
            }

            return BatchSearch.FindLast(array.AsMemory(0, Math.Clamp(length, 0, read)), key, entry.Offset, entry.Offset + 1);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(array);
            segment.Release();
        }
    }

    /// <summary>The last record of a key between two offsets, by reading all of it.</summary>
    private LatestRecord? ScanLog(ReadOnlySpan<byte> key, long from, long limit)
    {
        from = Math.Max(from, log.LogStartOffset);
        LatestRecord? found = null;
        if (from >= limit)
        {
            return found;
        }

        for (var cursor = log.Locate(from); ;)
        {
            using var slice = log.Read(ref cursor, limit, 1024 * 1024);
            if (slice.Length == 0)
            {
                return found;
            }

            found = Search(slice, key, from, limit) ?? found;
        }
    }

    private static LatestRecord? Search(in LogSlice slice, ReadOnlySpan<byte> key, long from, long limit)
    {
        var bytes = BatchSearch.Copy(slice);
        try
        {
            LatestRecord? found = null;
            for (ReadOnlyMemory<byte> rest = bytes.AsMemory(0, slice.Length); !rest.IsEmpty;)
            {
                var batch = rest[..(int)RecordBatchHeader.ReadLength(rest.Span)];
                found = BatchSearch.FindLast(batch, key, from, limit) ?? found;
                rest = rest[batch.Length..];
            }

            return found;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private KeyIndexFile? Index(Segment segment)
    {
        if (_open.TryGetValue(segment, out var open))
        {
            return open;
        }

        if (!segment.IsSealed)
        {
            return null;
        }

        CloseReplaced();
        try
        {
            var index = KeyIndexFile.TryOpen(files, directory, segment);
            if (index is null)
            {
                KeyIndexFile.Save(
                    files, directory, segment, new KeyIndexBuilder(log.Identity, _hash, BuilderEntries).Build(segment));
                index = KeyIndexFile.TryOpen(files, directory, segment);
            }

            if (index is not null)
            {
                _open[segment] = index;
            }

            return index;
        }
        catch (Exception e) when (e is LogIoException or CompactionAbandonedException)
        {
            // A full disk, or the segment was replaced meanwhile: the search reads it instead.
            return null;
        }
    }

    private void Forget(Segment segment)
    {
        if (_open.Remove(segment, out var index))
        {
            index.Dispose();
        }

        files.Delete($"{directory}/{Segment.KeysName(segment.BaseOffset)}");
    }

    private void CloseReplaced()
    {
        var all = segments.All;
        foreach (var gone in _open.Keys.Where(segment => !all.Contains(segment)).ToList())
        {
            _open.Remove(gone, out var index);
            index!.Dispose();
        }
    }
}
