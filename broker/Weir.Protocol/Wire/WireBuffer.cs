using System.Buffers;

namespace Weir.Protocol.Wire;

/// <summary>
/// A pooled byte array that grows at its end. Owned by one caller at a time; dispose returns the array. Not thread-safe.
/// </summary>
public sealed class WireBuffer : IDisposable
{
    private byte[] _array;

    /// <summary>Rents a buffer of at least <paramref name="capacity"/> bytes.</summary>
    public WireBuffer(int capacity = 256) => _array = ArrayPool<byte>.Shared.Rent(capacity);

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>What was written; valid until the next write or dispose.</summary>
    public ReadOnlySpan<byte> Span => _array.AsSpan(0, Length);

    /// <summary>What was written; valid until the next write or dispose.</summary>
    public ReadOnlyMemory<byte> Memory => _array.AsMemory(0, Length);

    /// <summary>Makes <paramref name="count"/> more bytes part of the buffer and returns them, uncleared.</summary>
    public Span<byte> Append(int count)
    {
        ObjectDisposedException.ThrowIf(_array.Length == 0, this);
        if (_array.Length - Length < count)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_array.Length * 2, Length + count));
            Span.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_array);
            _array = larger;
        }

        var appended = _array.AsSpan(Length, count);
        Length += count;
        return appended;
    }

    /// <summary>The bytes from a position that was written before, for lengths that are known late.</summary>
    public Span<byte> Patch(int position, int count) => _array.AsSpan(0, Length).Slice(position, count);

    /// <summary>Forgets what was written; keeps the array.</summary>
    public void Clear() => Length = 0;

    /// <summary>Forgets what was written after a position.</summary>
    internal void Truncate(int length) => Length = Math.Min(Length, length);

    /// <summary>Returns the array to the pool; further use throws.</summary>
    public void Dispose()
    {
        var array = _array;
        _array = [];
        Length = 0;
        if (array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }
}
