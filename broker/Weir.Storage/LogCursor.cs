using Weir.Storage.Files;
using Weir.Storage.Segments;
using Weir.Storage.Tail;

namespace Weir.Storage;

/// <summary>Where a reader stands: always at the first byte of a batch, or where the next one will be.</summary>
/// <param name="Offset">Base offset of that batch.</param>
/// <param name="SegmentBase">Base offset of its segment.</param>
/// <param name="Position">Its first byte in the segment's file.</param>
/// <param name="Generation">Which of the files that had this segment's name: compaction replaces them.</param>
public readonly record struct LogCursor(long Offset, long SegmentBase, int Position, int Generation = 0);

/// <summary>
/// Whole batches that a reader may send: either a piece of memory or a range of a file. Dispose it once, after the last use
/// of either; a default one is empty.
/// </summary>
public struct LogSlice : IDisposable
{
    private readonly TailChunk? _chunk;
    private readonly Segment? _segment;
    private readonly int _start;

    internal LogSlice(in TailSlice tail)
    {
        _chunk = tail.Chunk;
        _start = tail.Start;
        Length = tail.Length;
    }

    internal LogSlice(Segment acquired, int position, int length)
    {
        _segment = acquired;
        _start = position;
        Length = length;
    }

    /// <summary>Bytes; 0 where nothing may be read yet.</summary>
    public int Length { get; }

    /// <summary>Whether the bytes are in memory; otherwise they are in <see cref="File"/>.</summary>
    public readonly bool IsInMemory => _chunk is not null;

    /// <summary>The bytes, if they are in memory.</summary>
    public readonly ReadOnlyMemory<byte> Memory => _chunk is null ? default : _chunk.Slice(_start, Length);

    /// <summary>The file that holds them, if they are not.</summary>
    public readonly ILogFile? File => _segment?.File;

    /// <summary>Where they start in <see cref="File"/>.</summary>
    public readonly long FilePosition => _start;

    /// <summary>Lets go of the memory or file.</summary>
    public readonly void Dispose()
    {
        _chunk?.Release();
        _segment?.Release();
    }
}
