namespace Weir.Replication;

/// <summary>Times and sizes of partition replication. Safety rests on none of them.</summary>
public sealed record ReplicationOptions
{
    /// <summary>A follower that was not at the leader's end for this long leaves the in-sync replicas. Default 3 s.</summary>
    public int ReplicaLagMs { get; init; } = 3000;

    /// <summary>How long a fetch waits at the leader for records. Default 500 ms.</summary>
    public int FetchWaitMs { get; init; } = 500;

    /// <summary>Bytes of records in one fetch reply; one batch is always sent. Default 8 MiB.</summary>
    public int FetchBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>Bytes of one partition in one fetch reply, so that none starves the others. Default 2 MiB.</summary>
    public int FetchPartitionBytes { get; init; } = 2 * 1024 * 1024;

    /// <summary>When a request to a peer is given up. Default 2 s, above <see cref="FetchWaitMs"/>.</summary>
    public int RequestTimeoutMs { get; init; } = 2000;

    /// <summary>How long to wait after a failed request before the next one. Default 50 ms.</summary>
    public int RetryMs { get; init; } = 50;

    /// <summary>How often a broker shows the controller that it lives. Default 250 ms.</summary>
    public int HeartbeatMs { get; init; } = 250;

    /// <summary>Bytes per second that the scrubber reads to find damage before a reader does. Default 4 MiB.</summary>
    public long ScrubBytesPerSecond { get; init; } = 4 * 1024 * 1024;

    /// <summary>Rules that are left out, for the tests that must notice it.</summary>
    internal OmittedReplicationRules Omits { get; init; }
}

/// <summary>What safety rests on. Each can be left out to show that the simulation would find that it is.</summary>
[Flags]
internal enum OmittedReplicationRules
{
    None = 0,

    /// <summary>A follower acknowledges only what is settled on its disk.</summary>
    SettleBeforeFetch = 1,

    /// <summary>Fetches of another leader epoch are refused.</summary>
    EpochFence = 2,

    /// <summary>Divergence is found by epoch; left out, a follower cuts at its own high watermark.</summary>
    TruncateByEpoch = 4,

    /// <summary>The high watermark waits for every replica that is in sync or proposed to be.</summary>
    MaximalIsr = 8,

    /// <summary>The high watermark stands while fewer than min.insync.replicas are in sync.</summary>
    StrictMinIsr = 16,

    /// <summary>A follower joins only once it has reached the start of the leader's epoch.</summary>
    EpochStartBeforeIsr = 32,

    /// <summary>acks=all waits for the high watermark.</summary>
    AckAtHighWatermark = 128,

    /// <summary>The broker epoch of the fetch goes with a proposal (KIP-903).</summary>
    BrokerEpochInIsr = 256,

    /// <summary>A batch that comes in by a fetch is checked before it is appended.</summary>
    VerifyFetched = 512,

    /// <summary>Consumers read below the high watermark only.</summary>
    ReadBelowHighWatermark = 1024,

    /// <summary>A new leader hides its end until the high watermark has reached the start of its epoch.</summary>
    HideStaleHighWatermark = 2048,

    /// <summary>A damaged replica gives up leadership and ISR before it repairs.</summary>
    StepDownBeforeRepair = 4096,
}
