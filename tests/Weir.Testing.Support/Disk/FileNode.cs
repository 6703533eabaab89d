namespace Weir.Testing.Support.Disk;

/// <summary>A file's content: what programs read, what the device holds, and the changes in between.</summary>
internal sealed class FileNode(long id, PagedBytes durable) : Node(id)
{
    private readonly PagedBytes _durable = durable;
    private readonly PagedBytes _cached = durable.Fork();

    // Every clean change is older than every dirty one, because a failed sync moves all of them.
    private readonly List<UnsyncedChange> _clean = [];
    private readonly List<UnsyncedChange> _dirty = [];

    public long Length => _cached.Length;

    public int OpenHandles { get; set; }

    public bool IsLinked { get; set; } = true;

    /// <summary>Whether it takes space: an unlinked file does while it is open.</summary>
    public bool IsAlive => IsLinked || OpenHandles > 0;

    public IEnumerable<UnsyncedChange> Unsynced => _clean.Concat(_dirty);

    public int Read(Span<byte> buffer, long position)
    {
        var count = (int)Math.Clamp(Length - position, 0, buffer.Length);
        _cached.Read(buffer[..count], position);
        return count;
    }

    public void Write(long sequence, ReadOnlySpan<byte> bytes, long position)
    {
        var oldLength = Length;
        _cached.Write(bytes, position);
        var first = position / PagedBytes.SectorBytes;
        var end = EndSector(position + bytes.Length);
        var sectors = new byte[(end - first) * PagedBytes.SectorBytes];
        _cached.Read(sectors, first * PagedBytes.SectorBytes);
        _dirty.Add(new UnsyncedChange
        {
            Sequence = sequence,
            FirstSector = first,
            Sectors = sectors,
            OldLength = oldLength,
            NewLength = Length > oldLength ? Length : null,
        });
    }

    public void SetLength(long sequence, long length)
    {
        _dirty.Add(new UnsyncedChange { Sequence = sequence, OldLength = Length, NewLength = length });
        _cached.SetLength(length);
    }

    public void Sync()
    {
        SettleCleanLengths();
        foreach (var change in _dirty)
        {
            if (change.IsTruncation)
            {
                _durable.SetLength(change.NewLength!.Value);
                SupersedeClean(_clean.Count, EndSector(change.NewLength.Value), long.MaxValue);
            }

            SupersedeClean(_clean.Count, change.FirstSector, change.FirstSector + change.SectorCount);
        }

        CopyDirtySectors();
        _durable.SetLength(_cached.Length);
        _dirty.Clear();
    }

    /// <summary>What ext4, XFS and Btrfs do: the data counts as written, though nobody knows whether it was.</summary>
    public void FailSync()
    {
        foreach (var change in _dirty)
        {
            change.IsClean = true;
        }

        _clean.AddRange(_dirty);
        _dirty.Clear();
    }

    public void FlipBit(long position, int bit)
    {
        _cached.FlipBit(position, bit);
        if (position < _durable.Length)
        {
            _durable.FlipBit(position, bit);
        }
    }

    /// <summary>The content a power loss leaves.</summary>
    public PagedBytes CrashImage(FileChoices choices)
    {
        var image = _durable.Fork();
        var length = _durable.Length;
        var keptLengths = choices.KeptLengths(Unsynced);
        foreach (var change in Unsynced)
        {
            if (change.NewLength is { } newLength && keptLengths-- > 0)
            {
                length = choices.KeptLength(change, newLength);
                if (change.IsTruncation)
                {
                    image.SetLength(length);
                }
            }

            for (var index = 0; index < change.SectorCount; index++)
            {
                if (!change.IsSuperseded(index) && choices.KeepsSector(change, index))
                {
                    image.SetSector(change.FirstSector + index, change.Sector(index));
                }
            }
        }

        image.SetLength(length);
        return image;
    }

    private static long EndSector(long position) =>
        (position + PagedBytes.SectorBytes - 1) / PagedBytes.SectorBytes;

    // The journal still holds the lengths of a failed sync, and commits them with this one.
    private void SettleCleanLengths()
    {
        for (var i = 0; i < _clean.Count; i++)
        {
            var change = _clean[i];
            if (change.IsTruncation)
            {
                _durable.SetLength(change.NewLength!.Value);
                SupersedeClean(i, EndSector(change.NewLength.Value), long.MaxValue);
            }

            change.NewLength = null;
        }
    }

    // A page is written as the cache holds it now, whatever it held when it became dirty.
    private void CopyDirtySectors()
    {
        Span<byte> sector = stackalloc byte[PagedBytes.SectorBytes];
        foreach (var change in _dirty)
        {
            for (var index = change.FirstSector; index < change.FirstSector + change.SectorCount; index++)
            {
                _cached.Read(sector, index * PagedBytes.SectorBytes);
                _durable.SetSector(index, sector);
            }
        }
    }

    private void SupersedeClean(int count, long first, long end)
    {
        for (var i = 0; i < count; i++)
        {
            _clean[i].Supersede(first, end);
        }
    }
}
