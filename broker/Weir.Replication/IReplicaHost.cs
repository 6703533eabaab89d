using Microsoft.Extensions.Logging;
using Weir.Metadata;
using Weir.Replication.Partitions;
using Weir.Storage;

namespace Weir.Replication;

/// <summary>What the replicas of a broker need of it: files, the flush, and somebody to tell.</summary>
public interface IReplicaHost
{
    /// <summary>Opens the log of a partition, creating it if it is new. Blocks for the disk.</summary>
    PartitionLog OpenLog(LogIdentity identity, LogOptions options);

    /// <summary>Deletes the log of a partition that metadata says is not to be here any more; it is closed.</summary>
    void DeleteLog(LogIdentity identity);

    /// <summary>The logs in the data directory, open or not.</summary>
    IReadOnlyList<LogIdentity> ListLogs();

    /// <summary>
    /// Where the ids of this process's fetch sessions start: above those of the processes before it with the same data
    /// directory, so that a leader can tell a request from the past.
    /// </summary>
    long FirstSessionId { get; }

    /// <summary>A log has something to flush.</summary>
    void SignalFlush(PartitionLog log);

    /// <summary>Runs a piece of work soon, outside of the caller's locks.</summary>
    void Post(Action work);

    /// <summary>Told of events.</summary>
    ILogger Logger { get; }

    /// <summary>Monotonic milliseconds.</summary>
    long NowMs { get; }

    /// <summary>The metadata that replicas decide on: who is alive in which epoch.</summary>
    MetadataImage Image { get; }
}

/// <summary>Told of what happens to a partition; called outside of its lock, on the thread that caused it.</summary>
public interface IReplicaListener
{
    /// <summary>The high watermark or the settled end moved, the role changed, or the log stopped.</summary>
    void OnReplicaProgress(Replica replica);
}
