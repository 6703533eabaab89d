using Weir.Protocol.Errors;

namespace Weir.Storage;

/// <summary>What became of an append. Expected refusals are values, not exceptions.</summary>
/// <param name="Code">None if the batch is in the log, now or since an earlier try.</param>
/// <param name="BaseOffset">Offset of its first record.</param>
/// <param name="NextOffset">First offset after it: it is settled once the log's position reaches this.</param>
/// <param name="AppendTimeMs">When it was appended, Unix milliseconds.</param>
/// <param name="IsDuplicate">Whether it was there already.</param>
public readonly record struct AppendOutcome(
    ErrorCode Code, long BaseOffset = -1, long NextOffset = -1, long AppendTimeMs = -1, bool IsDuplicate = false);

/// <summary>Whether a log takes and serves records.</summary>
public enum LogState
{
    /// <summary>Reads and writes.</summary>
    Online,

    /// <summary>The file system is full: appends are refused, reads go on; it recovers by itself.</summary>
    StorageFull,

    /// <summary>A write or sync failed: appends are refused until the log is opened again, reads of settled data go on.</summary>
    Stopped,

    /// <summary>Committed data is damaged: appends are refused, reads end before the damage.</summary>
    Corrupt,
}

/// <summary>Is told by the flush loop what a log's flush reached. Called outside of the log's lock; must not block.</summary>
public interface ILogListener
{
    /// <summary>A position moved, or the state changed.</summary>
    void OnLogProgress(PartitionLog log);
}
