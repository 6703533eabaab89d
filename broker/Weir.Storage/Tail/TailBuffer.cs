using System.Runtime.InteropServices;
using Weir.Protocol.Records;

namespace Weir.Storage.Tail;

/// <summary>
/// The end of a log in memory: chunks in order of their offsets, without a gap, up to the log end offset. All members are
/// called under the log's lock.
/// </summary>
internal sealed class TailBuffer
{
    private const int MinChunkBytes = 4 * 1024;
    private const int MaxChunkBytes = 512 * 1024;
    private readonly List<TailChunk> _chunks = [];
    private int _nextChunkBytes = MinChunkBytes;

    /// <summary>The chunks, oldest first.</summary>
    public ReadOnlySpan<TailChunk> Chunks => CollectionsMarshal.AsSpan(_chunks);

    /// <summary>The chunk that the next batch goes to if it fits; null before the first.</summary>
    public TailChunk? Last => _chunks.Count > 0 ? _chunks[^1] : null;

    /// <summary>A chunk with room for a batch at a position of a segment.</summary>
    public TailChunk Reserve(long segmentBase, int position, long offset, int batchBytes, long nowMs, out bool isNew)
    {
        isNew = false;
        if (Last is { } last && last.SegmentBase == segmentBase && last.Free >= batchBytes)
        {
            return last;
        }

        // A log under load doubles its chunks; one that is trimmed or idle starts small again.
        _nextChunkBytes = Last is null ? MinChunkBytes : Math.Min(_nextChunkBytes * 2, MaxChunkBytes);
        var chunk = new TailChunk(segmentBase, position, offset, Math.Max(_nextChunkBytes, batchBytes)) { CreatedAtMs = nowMs };
        _chunks.Add(chunk);
        isNew = true;
        return chunk;
    }

    /// <summary>
    /// The bytes from the batch with a base offset on, if they are here: whole batches below <paramref name="limitOffset"/>,
    /// at least one if there is one, then as many as fit. The chunk is acquired for the caller.
    /// </summary>
    public bool TryRead(ref LogCursor cursor, long limitOffset, int maxBytes, out TailSlice slice)
    {
        slice = default;
        var chunk = Find(cursor.Offset);
        if (chunk is null)
        {
            return false;
        }

        var start = cursor.Offset == chunk.FirstOffset ? 0 : cursor.Position - chunk.StartPosition;
        var end = start;
        var next = cursor.Offset;
        if (chunk.NextOffset <= limitOffset && chunk.Length - start <= maxBytes)
        {
            end = chunk.Length;
            next = chunk.NextOffset;
        }
        else
        {
            WalkTo(chunk, limitOffset, maxBytes, ref end, ref next);
        }

        if (end > start)
        {
            chunk.Acquire();
            slice = new TailSlice(chunk, start, end - start);
        }

        cursor = new LogCursor(next, chunk.SegmentBase, chunk.StartPosition + end);
        return true;
    }

    /// <summary>Moves a cursor from a chunk's start to the batch that contains an offset, if it is here.</summary>
    public bool TryLocate(long offset, out LogCursor cursor)
    {
        cursor = default;
        var chunk = Find(offset);
        if (chunk is null)
        {
            return false;
        }

        var position = 0;
        while (true)
        {
            RecordBatchHeader.TryRead(chunk.Slice(position, RecordBatchHeader.Size).Span, out var header, out _);
            if (header.NextOffset > offset)
            {
                cursor = new LogCursor(header.BaseOffset, chunk.SegmentBase, chunk.StartPosition + position);
                return true;
            }

            position += header.Length;
        }
    }

    /// <summary>
    /// Removes chunks up to and including one that is written whole, or lost because the log is stopped; false if it waits.
    /// </summary>
    public bool TryRemoveThrough(TailChunk chunk, bool isLost)
    {
        var index = _chunks.IndexOf(chunk);
        if (index < 0)
        {
            return true;
        }

        if (chunk.WrittenLength < chunk.Length && !isLost)
        {
            return false;
        }

        for (var i = 0; i <= index; i++)
        {
            _chunks[i].Release();
        }

        _chunks.RemoveRange(0, index + 1);
        return true;
    }

    /// <summary>Lets go of everything.</summary>
    public void Clear()
    {
        foreach (var chunk in _chunks)
        {
            chunk.Release();
        }

        _chunks.Clear();
    }

    private static void WalkTo(TailChunk chunk, long limitOffset, int maxBytes, ref int end, ref long next)
    {
        var start = end;
        while (end < chunk.Length)
        {
            RecordBatchHeader.TryRead(chunk.Slice(end, RecordBatchHeader.Size).Span, out var header, out _);
            if (header.NextOffset > limitOffset || (end > start && end - start + header.Length > maxBytes))
            {
                return;
            }

            end += header.Length;
            next = header.NextOffset;
        }
    }

    private TailChunk? Find(long offset)
    {
        for (var i = _chunks.Count - 1; i >= 0; i--)
        {
            if (_chunks[i].FirstOffset <= offset)
            {
                return offset < _chunks[i].NextOffset ? _chunks[i] : null;
            }
        }

        return null;
    }
}

/// <summary>Bytes of an acquired chunk.</summary>
internal readonly record struct TailSlice(TailChunk Chunk, int Start, int Length);
