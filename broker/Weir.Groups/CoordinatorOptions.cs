namespace Weir.Groups;

/// <summary>Sizes of a coordinator.</summary>
public sealed record CoordinatorOptions
{
    /// <summary>Bytes appended to the groups' log before snapshots are written and the log before them is let go. Default 16 MiB.</summary>
    public long SnapshotBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Records of a partition that wait for their time with an entry each; of more, the log is read again. Default a million.</summary>
    public int MaxWaiting { get; init; } = 1_000_000;

    /// <summary>Records are brought into memory so long before their time comes, in milliseconds. Default 10 s.</summary>
    public long NearMs { get; init; } = 10_000;

    /// <summary>Rules that are left out, for the tests that must notice it.</summary>
    internal OmittedGroupRules Omits { get; init; }
}

/// <summary>What groups rest on. Each can be left out to show that the simulation would find that it is.</summary>
[Flags]
internal enum OmittedGroupRules
{
    None = 0,

    /// <summary>Nobody hears of what is not committed.</summary>
    EffectsAfterCommit = 1,
}
