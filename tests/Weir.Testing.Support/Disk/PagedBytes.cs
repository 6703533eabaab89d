namespace Weir.Testing.Support.Disk;

/// <summary>
/// Bytes of a file in 4 KiB pages that forks share until one of them writes. Pages never written cost nothing and read
/// zeros; what lies beyond <see cref="Length"/> is zero too after <see cref="SetLength"/>.
/// </summary>
internal sealed class PagedBytes
{
    public const int SectorBytes = 512;
    private const int PageBytes = 4096;

    private Page?[] _pages = [];
    private bool _arePagesShared;

    // A page may be changed in place only by the fork whose current owner token it carries.
    private object _owner = new();

    public long Length { get; private set; }

    public PagedBytes Fork()
    {
        _owner = new object();
        _arePagesShared = true;
        return new PagedBytes { _pages = _pages, _arePagesShared = true, Length = Length };
    }

    /// <summary>Fills the whole buffer, with zeros where nothing was written.</summary>
    public void Read(Span<byte> buffer, long position)
    {
        while (buffer.Length > 0)
        {
            var (index, offset) = Locate(position);
            var count = Math.Min(buffer.Length, PageBytes - offset);
            if (index < _pages.Length && _pages[index] is { } page)
            {
                page.Bytes.AsSpan(offset, count).CopyTo(buffer);
            }
            else
            {
                buffer[..count].Clear();
            }

            buffer = buffer[count..];
            position += count;
        }
    }

    /// <summary>Writes, extending the length where needed.</summary>
    public void Write(ReadOnlySpan<byte> bytes, long position)
    {
        Length = Math.Max(Length, position + bytes.Length);
        WriteUnbounded(bytes, position);
    }

    /// <summary>Replaces one sector; the length stays, even if the sector is beyond it.</summary>
    public void SetSector(long sector, ReadOnlySpan<byte> bytes) => WriteUnbounded(bytes, sector * SectorBytes);

    public void FlipBit(long position, int bit)
    {
        var (index, offset) = Locate(position);
        WritablePage(index)[offset] ^= (byte)(1 << bit);
    }

    /// <summary>Sets the length and drops every byte beyond it.</summary>
    public void SetLength(long length)
    {
        Length = length;
        var (index, offset) = Locate(length);
        if (offset > 0)
        {
            if (index < _pages.Length && _pages[index] is { } page && page.Bytes.AsSpan(offset).ContainsAnyExcept((byte)0))
            {
                WritablePage(index).AsSpan(offset).Clear();
            }

            index++;
        }

        if (index < _pages.Length && _pages.AsSpan(index).ContainsAnyExcept((Page?)null))
        {
            OwnPages(_pages.Length);
            _pages.AsSpan(index).Clear();
        }
    }

    private static (int Index, int Offset) Locate(long position) =>
        (checked((int)(position / PageBytes)), (int)(position % PageBytes));

    private void WriteUnbounded(ReadOnlySpan<byte> bytes, long position)
    {
        while (bytes.Length > 0)
        {
            var (index, offset) = Locate(position);
            var count = Math.Min(bytes.Length, PageBytes - offset);
            if (!IsAbsent(index) || bytes[..count].ContainsAnyExcept((byte)0))
            {
                bytes[..count].CopyTo(WritablePage(index).AsSpan(offset));
            }

            bytes = bytes[count..];
            position += count;
        }
    }

    private bool IsAbsent(int index) => index >= _pages.Length || _pages[index] is null;

    private byte[] WritablePage(int index)
    {
        if (_arePagesShared || index >= _pages.Length)
        {
            OwnPages(index < _pages.Length ? _pages.Length : Math.Max(index + 1, _pages.Length * 2));
        }

        var page = _pages[index];
        if (page is null || page.Owner != _owner)
        {
            page = new Page(page is null ? new byte[PageBytes] : (byte[])page.Bytes.Clone(), _owner);
            _pages[index] = page;
        }

        return page.Bytes;
    }

    private void OwnPages(int count)
    {
        if (_arePagesShared || count != _pages.Length)
        {
            Array.Resize(ref _pages, count);
            _pages = count == 0 ? [] : _arePagesShared ? (Page?[])_pages.Clone() : _pages;
            _arePagesShared = false;
        }
    }

    private sealed record Page(byte[] Bytes, object Owner);
}
