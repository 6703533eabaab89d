using System.Buffers;
using Weir.Protocol.Errors;

namespace Weir.Protocol.Wire;

/// <summary>Bytes that a receiver may hold in buffers; shared by all connections of a process.</summary>
public interface IBufferBudget
{
    /// <summary>Takes bytes from the budget, or returns false and takes none.</summary>
    bool TryReserve(int bytes);

    /// <summary>Gives bytes back.</summary>
    void Release(int bytes);
}

/// <summary>
/// Turns received bytes into frames. The buffer grows as bytes arrive, at most to twice what has arrived of a frame, and
/// only as far as frames of that size were received whole before it takes a length at its word. Used by one receive loop.
/// </summary>
/// <remarks>
/// Loop: read from the socket into <see cref="GetMemory"/>, call <see cref="Advance"/>, then <see cref="TryRead"/> until it
/// returns false. A long frame is received up to its last byte and no further, so that <see cref="Detach"/> copies nothing.
/// </remarks>
public sealed class FrameAssembler(int maxFrameBytes, IBufferBudget? budget = null) : IDisposable
{
    private const int InitialBytes = 16 * 1024;
    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private int _provenBytes = InitialBytes;
    private int _frameStart;
    private int _frameEnd;

    /// <summary>Largest frame that is accepted from now on, its length field included.</summary>
    public int MaxFrameBytes { get; set; } = maxFrameBytes;

    /// <summary>Bytes of the buffer that is held now.</summary>
    public int CapacityBytes => _buffer.Length;

    /// <summary>Whether part of a frame is waiting for the rest.</summary>
    public bool HasPartialFrame => _end > _start;

    /// <summary>The memory that the next received bytes go to; never empty.</summary>
    /// <exception cref="ProtocolException">The header in front is not valid, or the budget is used up.</exception>
    public Memory<byte> GetMemory()
    {
        var pending = _end - _start;
        if (pending == 0)
        {
            _start = _end = 0;
        }

        if (pending < FrameHeader.Size)
        {
            EnsureCapacity(InitialBytes);
            return _buffer.AsMemory(_end);
        }

        var frameBytes = FrameHeader.Read(_buffer.AsSpan(_start), MaxFrameBytes).FrameLength;
        if (frameBytes <= InitialBytes)
        {
            EnsureCapacity(InitialBytes);
            return _buffer.AsMemory(_end);
        }

        EnsureCapacity(frameBytes <= _provenBytes ? frameBytes : Math.Min(frameBytes, NextCapacity(pending)));
        return _buffer.AsMemory(_end, Math.Min(_buffer.Length - _end, frameBytes - pending));
    }

    /// <summary>Says how many bytes were received into <see cref="GetMemory"/>.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>Takes the next whole frame, if there is one.</summary>
    /// <param name="header">Its header.</param>
    /// <param name="body">Its body, valid until the next call of any member but <see cref="Detach"/>.</param>
    /// <exception cref="ProtocolException">The header breaks a rule: close the connection.</exception>
    public bool TryRead(out FrameHeader header, out ReadOnlyMemory<byte> body)
    {
        header = default;
        body = default;
        var pending = _end - _start;
        if (pending < FrameHeader.Size)
        {
            return false;
        }

        header = FrameHeader.Read(_buffer.AsSpan(_start), MaxFrameBytes);
        if (header.FrameLength > pending)
        {
            return false;
        }

        _frameStart = _start;
        _frameEnd = _start += header.FrameLength;
        _provenBytes = Math.Max(_provenBytes, header.FrameLength);
        body = _buffer.AsMemory(_frameStart + FrameHeader.Size, header.BodyLength);
        return true;
    }

    /// <summary>
    /// Makes the frame that <see cref="TryRead"/> returned last the caller's own. A long frame's buffer changes hands, a
    /// short one is copied. Not for receivers with a budget, which process frames in place.
    /// </summary>
    /// <param name="isPooled">False: the array is left to the garbage collector and may be kept for ever.</param>
    public PooledFrame Detach(bool isPooled)
    {
        var length = _frameEnd - _frameStart;
        var isAlone = _frameStart == 0 && _end == _frameEnd && length > _buffer.Length / 2 && budget is null;
        if (isAlone && isPooled)
        {
            var whole = new PooledFrame(_buffer, FrameHeader.Size, length - FrameHeader.Size, isPooled: true);
            _buffer = [];
            _start = _end = 0;
            return whole;
        }

        var bodyLength = length - FrameHeader.Size;
        var copy = isPooled
            ? ArrayPool<byte>.Shared.Rent(bodyLength)
            : GC.AllocateUninitializedArray<byte>(bodyLength);
        _buffer.AsSpan(_frameStart + FrameHeader.Size, bodyLength).CopyTo(copy);
        return new PooledFrame(copy, 0, bodyLength, isPooled);
    }

    /// <summary>Gives the buffer back while nothing is pending, so that an idle connection holds none.</summary>
    public void ReleaseIfEmpty()
    {
        if (_end == _start)
        {
            Replace([]);
            _start = _end = 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Replace([]);
        _start = _end = 0;
    }

    /// <summary>
    /// Grows a full buffer only. The pool rounds up to powers of two, so asking for twice what has arrived at any other
    /// moment would give up to four times as much.
    /// </summary>
    private int NextCapacity(int pending) =>
        pending < _buffer.Length ? Math.Max(pending + 1, InitialBytes) : Math.Max(pending * 2, InitialBytes);

    private void EnsureCapacity(int needed)
    {
        if (_buffer.Length - _start >= needed && _end < _buffer.Length)
        {
            return;
        }

        var pending = _end - _start;
        if (_buffer.Length >= needed && pending < _buffer.Length)
        {
            _buffer.AsSpan(_start, pending).CopyTo(_buffer);
        }
        else
        {
            Replace(Rent(Math.Max(needed, pending + 1)), pending);
        }

        _start = 0;
        _end = pending;
    }

    private byte[] Rent(int bytes)
    {
        var larger = ArrayPool<byte>.Shared.Rent(bytes);
        if (larger.Length > InitialBytes && budget is not null && !budget.TryReserve(larger.Length))
        {
            ArrayPool<byte>.Shared.Return(larger);
            throw new ProtocolException(ErrorCode.Throttled, "the broker's receive buffers are used up: reconnect later");
        }

        return larger;
    }

    private void Replace(byte[] buffer, int pending = 0)
    {
        _buffer.AsSpan(_start, pending).CopyTo(buffer);
        if (_buffer.Length > InitialBytes)
        {
            budget?.Release(_buffer.Length);
        }

        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        _buffer = buffer;
    }
}

/// <summary>A frame's body in an array of its own. The holder disposes it once; the body must not be touched after.</summary>
public sealed class PooledFrame(byte[] array, int start, int length, bool isPooled) : IDisposable
{
    private byte[]? _array = array;

    /// <summary>The body.</summary>
    /// <exception cref="ObjectDisposedException">After dispose.</exception>
    public ReadOnlyMemory<byte> Body
    {
        get
        {
            ObjectDisposedException.ThrowIf(_array is null, this);
            return _array.AsMemory(start, length);
        }
    }

    /// <summary>Returns a pooled array; does nothing the second time.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _array, null) is { } held && isPooled)
        {
            ArrayPool<byte>.Shared.Return(held);
        }
    }
}
