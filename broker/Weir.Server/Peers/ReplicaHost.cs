using Microsoft.Extensions.Logging;
using Weir.Metadata;
using Weir.Replication;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;

namespace Weir.Server.Peers;

/// <summary>The broker as its replicas see it: the data directory, the flush loop, the thread pool, the clock.</summary>
internal sealed class ReplicaHost(
    BrokerContext broker, PhysicalLogFiles files, TailMemory tailMemory, FlushLoop flush, Func<long> nowMs,
    Func<MetadataImage> image) : IReplicaHost
{
    private const string LogsDirectory = "partitions";

    public ILogger Logger => broker.Logger;

    public long NowMs => nowMs();

    public MetadataImage Image => image();

    /// <summary>Sessions of an earlier process have an older broker epoch, so that every process may start to count anew.</summary>
    public long FirstSessionId => 0;

    public PartitionLog OpenLog(LogIdentity identity, LogOptions options) =>
        PartitionLog.Open(files, LogsDirectory, identity, options, tailMemory, broker.Logger);

    public void DeleteLog(LogIdentity identity)
    {
        var directory = $"{LogsDirectory}/{identity.DirectoryName}";
        foreach (var file in files.ListFiles(directory))
        {
            files.Delete($"{directory}/{file}");
        }

        if (files.ListDirectories(LogsDirectory).Contains(identity.DirectoryName))
        {
            files.DeleteDirectory(directory);
            files.SyncDirectory(LogsDirectory);
        }
    }

    public IReadOnlyList<LogIdentity> ListLogs()
    {
        files.CreateDirectory(LogsDirectory);
        files.SyncDirectory(string.Empty);
        var found = new List<LogIdentity>();
        foreach (var name in files.ListDirectories(LogsDirectory))
        {
            if (LogIdentity.TryParse(name, out var identity))
            {
                found.Add(identity);
            }
        }

        return found;
    }

    public void SignalFlush(PartitionLog log) => flush.Signal(log);

    public void Post(Action work) =>
        ThreadPool.UnsafeQueueUserWorkItem(static work => work(), work, preferLocal: false);
}
