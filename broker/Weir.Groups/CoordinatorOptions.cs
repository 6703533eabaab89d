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
    internal OmittedGroupRules Omitted { get; init; }

    internal bool Omits(OmittedGroupRules rule) => Omitted.HasFlag(rule);
}

/// <summary>What groups rest on. Each can be left out to show that the simulation would find that it is.</summary>
[Flags]
internal enum OmittedGroupRules
{
    None = 0,

    /// <summary>Nobody hears of what is not committed.</summary>
    EffectsAfterCommit = 1 << 0,

    /// <summary>Stream: a partition is committed by its owner, in the epoch of its assignment.</summary>
    CommitsByOwner = 1 << 1,

    /// <summary>Stream: what is committed does not go back.</summary>
    CommitsForward = 1 << 2,

    /// <summary>Stream: a member's epoch is none that it, or one of its id, had before.</summary>
    MemberEpochsThrough = 1 << 3,

    /// <summary>Queue: whoever settles what is not his any more is told so.</summary>
    ForeignSettlementsTold = 1 << 4,

    /// <summary>Queue: what is done above the floor is in snapshots.</summary>
    SettledInSnapshots = 1 << 5,

    /// <summary>Queue: a dead letter's batch is in the log before it is published.</summary>
    DeadLettersWrittenFirst = 1 << 6,

    /// <summary>Queue: the sequences of dead letters are in snapshots.</summary>
    SequencesInSnapshots = 1 << 7,

    /// <summary>Queue: a piece of the log with waiting records is read to its end.</summary>
    PiecesToTheirEnd = 1 << 8,

    /// <summary>Keyed: a record waits for the one of its key before it.</summary>
    KeysInOrder = 1 << 9,
}
