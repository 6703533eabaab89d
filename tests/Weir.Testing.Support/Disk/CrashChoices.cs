namespace Weir.Testing.Support.Disk;

/// <summary>The choices of one power loss, a function of its seed.</summary>
internal sealed class CrashChoices
{
    private readonly ulong _seed;
    private readonly CrashMode _mode;
    private readonly SeededRandom _names;
    private readonly long _cut;
    private readonly ulong _tear;
    private readonly int _nameEighths;

    /// <param name="seed">The seed.</param>
    /// <param name="mode">The mode; null leaves it to the seed.</param>
    /// <param name="sequences">The sequence numbers of all unsynced changes, ascending.</param>
    public CrashChoices(ulong seed, CrashMode? mode, IReadOnlyList<long> sequences)
    {
        var random = new SeededRandom(seed);
        _seed = seed;
        _mode = mode ?? ChooseMode(random.Next(8));
        var kept = random.Next(sequences.Count + 1);
        _cut = kept == sequences.Count ? long.MaxValue : sequences[kept];
        _tear = random.NextUInt64();
        _nameEighths = Bias(random);
        _names = new SeededRandom(seed, stream: ulong.MaxValue);
    }

    public bool KeepsName(NameChange change) => _mode switch
    {
        CrashMode.AllLost => false,
        CrashMode.AllKept => true,
        CrashMode.Prefix => change.IsClean ? _names.Chance(1, 2) : change.Sequence < _cut,
        _ => _names.Chance(_nameEighths, 8),
    };

    /// <summary>The choices for one file, which do not depend on what other files there are.</summary>
    public FileChoices ForFile(long id)
    {
        var random = new SeededRandom(_seed, (ulong)id);
        return new FileChoices(_mode, random, _cut, _tear, Bias(random));
    }

    private static CrashMode ChooseMode(int eighth) => eighth switch
    {
        0 => CrashMode.AllLost,
        1 => CrashMode.AllKept,
        2 or 3 => CrashMode.Prefix,
        _ => CrashMode.Mixed,
    };

    // The extremes make one file complete while another lost everything, which even odds would almost never do.
    private static int Bias(SeededRandom random) => random.Next(5) switch
    {
        0 => 0,
        1 => 1,
        2 => 4,
        3 => 7,
        _ => 8,
    };
}

/// <summary>The choices of one power loss for one file.</summary>
internal sealed class FileChoices(CrashMode mode, SeededRandom random, long cut, ulong tear, int eighths)
{
    /// <summary>
    /// How many of the changes of length survive, from the oldest on: an inode is written whole, so a newer length
    /// includes what the older ones cut off.
    /// </summary>
    public int KeptLengths(IEnumerable<UnsyncedChange> changes)
    {
        var lengths = changes.Where(c => c.NewLength is not null).ToList();
        return mode switch
        {
            CrashMode.AllLost => 0,
            CrashMode.AllKept => lengths.Count,
            CrashMode.Prefix => lengths.Count(c => c.Sequence < cut || TornSectors(c) > 0),
            _ => eighths switch { 0 => 0, 8 => lengths.Count, _ => random.Next(lengths.Count + 1) },
        };
    }

    /// <summary>The length that a surviving change leaves: a torn write extends the file only as far as it got.</summary>
    public long KeptLength(UnsyncedChange change, long newLength) =>
        TornSectors(change) is > 0 and var torn
            ? Math.Clamp((change.FirstSector + torn) * PagedBytes.SectorBytes, change.OldLength, newLength)
            : newLength;

    public bool KeepsSector(UnsyncedChange change, int index) => mode switch
    {
        CrashMode.AllLost => false,
        CrashMode.AllKept => true,
        CrashMode.Prefix when change.IsClean => random.Chance(1, 2),
        CrashMode.Prefix => change.Sequence < cut || index < TornSectors(change),
        _ => random.Chance(eighths, 8),
    };

    private int TornSectors(UnsyncedChange change) =>
        mode == CrashMode.Prefix && change.Sequence == cut && change.SectorCount > 0
            ? (int)(tear % (ulong)(change.SectorCount + 1))
            : 0;
}
