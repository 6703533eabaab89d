namespace Weir.Storage.Compaction;

/// <summary>What a run of compaction may do.</summary>
/// <param name="NowMs">Wall clock, Unix milliseconds.</param>
/// <param name="HighWatermark">Nothing at or above it is touched.</param>
/// <param name="TombstoneLimit">
/// Tombstones at or above it stay although their time is over: a replica that may lack them may hold what they hide. The high
/// watermark while all replicas are in sync, 0 while one is not.
/// </param>
public readonly record struct CompactionRequest(long NowMs, long HighWatermark, long TombstoneLimit)
{
    /// <summary>Random, so that nobody can choose keys which it takes for one.</summary>
    public long HashSeed { get; init; }

    /// <summary>Whether to run if it is hardly worth it.</summary>
    public bool IsForced { get; init; }
}

/// <summary>What a run of compaction did.</summary>
/// <param name="BytesBefore">Bytes of batches in the segments that it replaced.</param>
/// <param name="BytesAfter">Bytes of batches in what replaced them.</param>
/// <param name="RecordsRemoved">Records that are gone.</param>
/// <param name="CleanOffset">Below it, each key has one record, or none.</param>
public readonly record struct CompactionOutcome(
    long BytesBefore, long BytesAfter, long RecordsRemoved, long CleanOffset);
