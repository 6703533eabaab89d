namespace Weir.Storage.Indexes;

/// <summary>One entry: a batch, where it starts, and the largest record timestamp before it in the segment.</summary>
/// <param name="Offset">Base offset of the batch.</param>
/// <param name="Position">Its first byte in the segment's file.</param>
/// <param name="MaxTimestampBeforeMs">Largest timestamp of all earlier batches of the segment, Unix milliseconds.</param>
internal readonly record struct IndexEntry(long Offset, int Position, long MaxTimestampBeforeMs);

/// <summary>
/// A segment's sparse index over offsets, positions and times: an entry about every
/// <see cref="LogOptions.IndexIntervalBytes"/>. It is a cache: whatever it says is reached again by walking batches.
/// </summary>
/// <remarks>Grown by the log's writer, read by any thread: the array is swapped, entries below the count never change.</remarks>
internal sealed class SparseIndex
{
    private IndexEntry[] _entries = [];
    private int _count;

    /// <summary>Entries in ascending order.</summary>
    public ReadOnlySpan<IndexEntry> Entries
    {
        get
        {
            var count = Volatile.Read(ref _count);
            return Volatile.Read(ref _entries).AsSpan(0, count);
        }
    }

    public void Add(IndexEntry entry)
    {
        if (_count == _entries.Length)
        {
            var larger = new IndexEntry[Math.Max(4, _entries.Length * 2)];
            _entries.CopyTo(larger, 0);
            Volatile.Write(ref _entries, larger);
        }

        _entries[_count] = entry;
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>Adds an entry if the last one is at least an interval away.</summary>
    public void AddIfDue(IndexEntry entry, int intervalBytes)
    {
        if (_count == 0 ? entry.Position >= intervalBytes : entry.Position - _entries[_count - 1].Position >= intervalBytes)
        {
            Add(entry);
        }
    }

    /// <summary>The last entry at or before an offset; default (position 0) if there is none.</summary>
    public IndexEntry FloorByOffset(long offset) => Floor(offset, static (entry, key) => entry.Offset <= key);

    /// <summary>The last entry at or before a position; default if there is none.</summary>
    public IndexEntry FloorByPosition(long position) => Floor(position, static (entry, key) => entry.Position <= key);

    /// <summary>The entry from which a search for the first timestamp at or after one may start.</summary>
    public IndexEntry FloorByTimestamp(long timestampMs) =>
        Floor(timestampMs, static (entry, key) => entry.MaxTimestampBeforeMs < key);

    private IndexEntry Floor(long key, Func<IndexEntry, long, bool> isAtOrBefore)
    {
        var entries = Entries;
        var low = 0;
        var high = entries.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (isAtOrBefore(entries[middle], key))
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low == 0 ? default : entries[low - 1];
    }
}
