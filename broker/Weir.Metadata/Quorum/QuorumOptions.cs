namespace Weir.Metadata.Quorum;

/// <summary>Times and sizes of the metadata quorum. Safety rests on none of them.</summary>
public sealed record QuorumOptions
{
    /// <summary>
    /// A voter that hears nothing from a leader for this long, plus up to as much again at random, stands for election.
    /// Default 600 ms.
    /// </summary>
    public int ElectionTimeoutMs { get; init; } = 600;

    /// <summary>A leader that a majority of voters did not fetch from for this long steps down. Default 1200 ms.</summary>
    public int CheckQuorumMs { get; init; } = 1200;

    /// <summary>How long a fetch waits at the leader for records. Default 200 ms.</summary>
    public int FetchWaitMs { get; init; } = 200;

    /// <summary>When a request to a peer is given up. Default 500 ms.</summary>
    public int RequestTimeoutMs { get; init; } = 500;

    /// <summary>How long a node without a leader waits between two peers that it asks for one. Default 100 ms.</summary>
    public int DiscoveryMs { get; init; } = 100;

    /// <summary>Bytes of records in one fetch reply. Default 1 MiB.</summary>
    public int FetchBytes { get; init; } = 1024 * 1024;

    /// <summary>Most voters that brokers which ask for a vote are added up to. Default 5.</summary>
    public int MaxVoters { get; init; } = 5;

    /// <summary>Rules that are left out, for the tests that must notice it.</summary>
    internal OmittedQuorumRules Omits { get; init; }
}

/// <summary>What safety rests on. Each can be left out to show that the simulation would find that it is.</summary>
[Flags]
internal enum OmittedQuorumRules
{
    None = 0,

    /// <summary>A fetch acknowledges only what is on stable storage.</summary>
    FlushBeforeFetch = 1,

    /// <summary>A vote is on stable storage before it is given.</summary>
    DurableVote = 2,

    /// <summary>A voter grants only to a log that is not behind its own.</summary>
    LogUpToDate = 4,

    /// <summary>Only records of the leader's own epoch are committed by counting (figure 8 of the Raft paper).</summary>
    OwnEpochOnly = 8,

    /// <summary>A voter is known by its data directory: a wiped one does not count.</summary>
    DirectoryIdentity = 16,

    /// <summary>A cluster is created only by all of its configured voters.</summary>
    UnanimousBootstrap = 32,

    /// <summary>A log that diverges is cut before anything is appended to it.</summary>
    TruncateOnDivergence = 64,

    /// <summary>The high watermark needs a majority of voters.</summary>
    Majority = 128,
}
