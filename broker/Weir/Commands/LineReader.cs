using Weir.Cli.Output;

namespace Weir.Cli.Commands;

/// <summary>
/// Cuts a stream into lines by LF, as bytes: what stands before the LF is kept exactly, a CR too. The last line needs no LF.
/// </summary>
internal sealed class LineReader(Stream stream, int maxLineBytes = 64 * 1024 * 1024)
{
    private byte[] _buffer = new byte[256 * 1024];
    private int _start;
    private int _end;
    private bool _isAtEnd;

    /// <summary>Number of the last line, from 1.</summary>
    public long LineNumber { get; private set; }

    /// <summary>The next line, valid until the next call; null at the end.</summary>
    /// <exception cref="UsageException">A line is longer than the bound.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        var searched = _start;
        while (true)
        {
            var found = _buffer.AsSpan(searched, _end - searched).IndexOf((byte)'\n');
            if (found >= 0)
            {
                return Take(searched + found - _start, skip: 1);
            }

            searched = _end;
            if (_isAtEnd)
            {
                return _end > _start ? Take(_end - _start, skip: 0) : default(ReadOnlyMemory<byte>?);
            }

            searched -= MakeRoom();
            var read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
            _isAtEnd = read == 0;
            _end += read;
        }
    }

    private ReadOnlyMemory<byte> Take(int length, int skip)
    {
        var line = _buffer.AsMemory(_start, length);
        _start += length + skip;
        LineNumber++;
        return line;
    }

    /// <summary>Moves what is left to the front, in a larger buffer if it fills this one; returns how far it moved.</summary>
    private int MakeRoom()
    {
        var moved = _start;
        var left = _end - _start;
        if (left > maxLineBytes)
        {
            throw new UsageException($"line {LineNumber + 1} is longer than {maxLineBytes} bytes");
        }

        var target = left > _buffer.Length / 2 ? new byte[_buffer.Length * 2] : _buffer;
        _buffer.AsSpan(_start, left).CopyTo(target);
        _buffer = target;
        _start = 0;
        _end = left;
        return moved;
    }
}
