using System.Collections.Concurrent;

namespace Weir.Storage.Tail;

/// <summary>
/// Bounds the memory that all logs of a data directory hold for their ends. Flushed chunks serve readers at the tail until
/// the bound is reached or they are old; what waits for the flush is bounded apart, and over it appends are refused.
/// </summary>
/// <remarks>Appends add from any thread; <see cref="Trim"/> is called by the flush loop, outside of any log's lock.</remarks>
public sealed class TailMemory(long maxBytes = 64L * 1024 * 1024, long maxUnflushedBytes = 96L * 1024 * 1024)
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(10);
    private readonly ConcurrentQueue<(PartitionLog Log, TailChunk Chunk, int Capacity)> _chunks = new();
    private long _bytes;
    private long _unflushedBytes;

    /// <summary>Bytes held now.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Bytes that wait for the flush.</summary>
    public long UnflushedBytes => Volatile.Read(ref _unflushedBytes);

    internal bool CanTake(int bytes) => UnflushedBytes + bytes <= maxUnflushedBytes;

    internal void AddUnflushed(long bytes) => Interlocked.Add(ref _unflushedBytes, bytes);

    internal void Add(PartitionLog log, TailChunk chunk)
    {
        // Noted here, because a chunk that its log let go of no longer knows it.
        Interlocked.Add(ref _bytes, chunk.Capacity);
        _chunks.Enqueue((log, chunk, chunk.Capacity));
    }

    /// <summary>Lets go of flushed chunks, oldest first, while there are too many bytes or they are old.</summary>
    public void Trim(long nowMs)
    {
        for (var left = _chunks.Count; left > 0 && _chunks.TryPeek(out var oldest); left--)
        {
            if (Bytes <= maxBytes && nowMs - oldest.Chunk.CreatedAtMs <= MaxAge.TotalMilliseconds)
            {
                return;
            }

            _chunks.TryDequeue(out _);
            if (oldest.Log.TryReleaseTail(oldest.Chunk))
            {
                Interlocked.Add(ref _bytes, -oldest.Capacity);
            }
            else
            {
                // It waits for a flush that cannot happen now, as on a full disk: the others need not wait for it.
                _chunks.Enqueue(oldest);
            }
        }
    }
}
