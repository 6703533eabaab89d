using Weir.Protocol.Messages;

namespace Weir.Storage;

/// <summary>
/// One log's settings. An immutable snapshot: a change of the topic's configuration swaps the whole object, which the log
/// takes up at its next roll, flush or retention run.
/// </summary>
public sealed record LogOptions
{
    /// <summary>When an acknowledgement with acks=all may be sent, and what consumers may see.</summary>
    public Durability Durability { get; init; } = Durability.Fsync;

    /// <summary>A segment is closed before it would grow over this many bytes. Default 256 MiB.</summary>
    public int SegmentBytes { get; init; } = 256 * 1024 * 1024;

    /// <summary>A segment is closed once its first batch is this old. Default seven days.</summary>
    public TimeSpan SegmentAge { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Largest batch that is accepted, in bytes, before and after compression. Default 2 MiB.</summary>
    public int MaxBatchBytes { get; init; } = 2 * 1024 * 1024;

    /// <summary>Closed segments are deleted once their last batch is older than this; null keeps them for ever.</summary>
    public TimeSpan? RetentionAge { get; init; }

    /// <summary>The oldest closed segments are deleted while the log is larger than this; null for no bound.</summary>
    public long? RetentionBytes { get; init; }

    /// <summary>A producer id that wrote nothing for this long is forgotten. Default seven days.</summary>
    public TimeSpan ProducerExpiry { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Most producer ids that one log remembers; the one that was silent longest goes first. Default 10,000.</summary>
    public int MaxProducers { get; init; } = 10_000;

    /// <summary>Bytes between two entries of a segment's sparse index. Default 64 KiB.</summary>
    public int IndexIntervalBytes { get; init; } = 64 * 1024;

    /// <summary>Bytes appended between two snapshots, which bound what recovery reads. Default 64 MiB.</summary>
    public int SnapshotIntervalBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Bytes that may wait for the flush; over it appends are refused as throttled. Default 32 MiB.</summary>
    public int MaxUnflushedBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>Whether only the last record of each key is kept: the log of an entity topic.</summary>
    public bool IsCompacted { get; init; }

    /// <summary>
    /// How long a tombstone is kept, counted from the compaction that removed what it hides, so that a reader who saw that
    /// still comes to the tombstone. Default one day.
    /// </summary>
    public TimeSpan TombstoneRetention { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Part of the closed segments that must be new before compaction runs, 0 to 1. Default one half.</summary>
    public double MinDirtyRatio { get; init; } = 0.5;

    /// <summary>A closed segment this old is compacted even if it is not worth it; null for no bound.</summary>
    public TimeSpan? MaxCompactionLag { get; init; }

    /// <summary>
    /// Bytes of memory for the keys of one run, 24 for each and a quarter more. A run that meets more keys ends where its
    /// memory does, and the next one goes on. Default 32 MiB.
    /// </summary>
    public int CompactionMemoryBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>Rules that are left out, for the tests that must notice it.</summary>
    internal OmittedRules Omits { get; init; }

    /// <summary>Bits of the hash that keys are found by, for the tests that want different keys with one hash.</summary>
    internal ulong KeyHashMask { get; init; } = ulong.MaxValue;
}

/// <summary>What durability rests on. Each can be left out to show that the crash campaign would find that it is.</summary>
[Flags]
internal enum OmittedRules
{
    None = 0,

    /// <summary>Recovery looks for proof of a commit before it cuts.</summary>
    ProofBeforeCut = 1,

    /// <summary>A segment's batches are synced before its footer is written.</summary>
    SyncBeforeFooter = 2,

    /// <summary>Recovery writes again what may not have been synced.</summary>
    RewriteAtRecovery = 4,

    /// <summary>A compacted segment is synced before it takes the name of what it replaces.</summary>
    SyncBeforeSwap = 8,

    /// <summary>What a compacted segment replaces is deleted only once its name is synced.</summary>
    SwapBeforeDelete = 16,

    /// <summary>Compaction stays below the high watermark.</summary>
    CompactBelowHighWatermark = 32,

    /// <summary>A tombstone stays for its time.</summary>
    TombstoneRetention = 64,

    /// <summary>Compaction keeps what tells a producer's retry.</summary>
    KeepProducers = 128,
}
