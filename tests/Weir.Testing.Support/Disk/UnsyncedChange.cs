namespace Weir.Testing.Support.Disk;

/// <summary>A write or a change of length that power loss may undo.</summary>
internal sealed class UnsyncedChange
{
    private HashSet<int>? _superseded;

    /// <summary>The step that made it: unique, ascending.</summary>
    public required long Sequence { get; init; }

    public long FirstSector { get; init; }

    /// <summary>Whole sectors as the page cache held them right after the write; empty if only the length changed.</summary>
    public byte[] Sectors { get; init; } = [];

    public required long OldLength { get; init; }

    /// <summary>The new length, null if the file kept its length or the change of length is durable.</summary>
    public long? NewLength { get; set; }

    /// <summary>A failed sync took its pages for clean: no later sync writes them.</summary>
    public bool IsClean { get; set; }

    public int SectorCount => Sectors.Length / PagedBytes.SectorBytes;

    public bool IsTruncation => NewLength < OldLength;

    public ReadOnlySpan<byte> Sector(int index) =>
        Sectors.AsSpan(index * PagedBytes.SectorBytes, PagedBytes.SectorBytes);

    public bool IsSuperseded(int index) => _superseded is not null && _superseded.Contains(index);

    /// <summary>Notes that the device holds something newer in these sectors.</summary>
    public void Supersede(long first, long end)
    {
        var from = Math.Max(first - FirstSector, 0);
        var to = Math.Min(end - FirstSector, SectorCount);
        for (var index = from; index < to; index++)
        {
            (_superseded ??= []).Add((int)index);
        }
    }
}
