using System.Buffers;

namespace Weir.Storage.Tail;

/// <summary>
/// A piece of a log's end in memory, byte for byte as it stands, or will stand, in a segment's file. Appended to under the
/// log's lock; bytes below <see cref="Length"/> never change, so readers and the flush use them without it.
/// </summary>
internal sealed class TailChunk(long segmentBase, int startPosition, long firstOffset, int capacity)
{
    private byte[] _array = ArrayPool<byte>.Shared.Rent(capacity);
    private int _holders = 1;

    /// <summary>Base offset of the segment that it belongs to.</summary>
    public long SegmentBase { get; } = segmentBase;

    /// <summary>Where its first byte stands in that segment's file.</summary>
    public int StartPosition { get; } = startPosition;

    public long FirstOffset { get; } = firstOffset;

    public long NextOffset { get; private set; } = firstOffset;

    public int Length { get; private set; }

    /// <summary>Bytes that were written to the file; moved by the flush.</summary>
    public int WrittenLength { get; set; }

    public int Capacity => _array.Length;

    public int Free => _array.Length - Length;

    /// <summary>When it was started, for <see cref="TailMemory"/>.</summary>
    public long CreatedAtMs { get; init; }

    public ReadOnlyMemory<byte> Slice(int start, int length) => _array.AsMemory(start, length);

    /// <summary>Copies a batch to the end and returns where it is, so that it can be stamped.</summary>
    public Span<byte> Append(ReadOnlySpan<byte> batch)
    {
        var target = _array.AsSpan(Length, batch.Length);
        batch.CopyTo(target);
        return target;
    }

    /// <summary>Publishes the batch that was appended last.</summary>
    public void Publish(int bytes, long nextOffset)
    {
        Length += bytes;
        NextOffset = nextOffset;
    }

    /// <summary>Keeps the memory; only under the lock of the log that has the chunk.</summary>
    public void Acquire() => Interlocked.Increment(ref _holders);

    /// <summary>Lets go; the last holder returns the memory.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) == 0)
        {
            ArrayPool<byte>.Shared.Return(_array);
            _array = [];
        }
    }
}
