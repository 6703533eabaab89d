using System.Buffers;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Compaction;
using Weir.Storage.Segments;

namespace Weir.Storage.Keys;

/// <summary>
/// Reads a closed segment for the last record of each hash. In bounded memory: where there are more, it is read again for
/// each half of the hashes.
/// </summary>
internal sealed class KeyIndexBuilder(LogIdentity identity, KeyHash hash, int maxEntries)
{
    /// <summary>The entries, sorted by hash.</summary>
    /// <exception cref="LogCorruptException">A batch is damaged.</exception>
    /// <exception cref="CompactionAbandonedException">The segment is gone.</exception>
    public IEnumerable<KeyEntry> Build(Segment segment) => Build(segment, 0, ulong.MaxValue);

    private IEnumerable<KeyEntry> Build(Segment segment, ulong first, ulong last)
    {
        if (Scan(segment, first, last) is { } entries)
        {
            return entries;
        }

        var middle = first + (last - first) / 2;
        return Build(segment, first, middle).Concat(Build(segment, middle + 1, last));
    }

    private KeyEntry[]? Scan(Segment segment, ulong first, ulong last)
    {
        var entries = new Dictionary<ulong, KeyEntry>();
        using var source = new CompactionSource(segment, identity);
        while (source.Position < segment.DataBytes)
        {
            var position = source.Position;
            source.ReadBatch();
            Note(source, position, first, last, entries);
            if (entries.Count > maxEntries && first < last)
            {
                return null;
            }
        }

        var sorted = entries.Values.ToArray();
        Array.Sort(sorted, static (one, other) => one.Hash.CompareTo(other.Hash));
        return sorted;
    }

    private void Note(
        CompactionSource source, int position, ulong first, ulong last, Dictionary<ulong, KeyEntry> entries)
    {
        byte[]? pooled = null;
        try
        {
            var records = source.Decompress(out pooled).Span;
            var walk = new BatchRecords(records, source.Header);
            while (walk.MoveNext())
            {
                if (walk.Current.KeyLength < 0)
                {
                    continue;
                }

                var key = hash.Of(records.Slice(walk.Current.KeyStart, walk.Current.KeyLength));
                if (key >= first && key <= last)
                {
                    entries[key] = new KeyEntry(key, walk.Offset, position);
                }
            }
        }
        catch (ProtocolException)
        {
            // No reader can read the rest of the batch.
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
