using Microsoft.Extensions.Logging;
using Weir.Protocol;
using Weir.Protocol.Errors;

namespace Weir.Server.Diagnostics;

/// <summary>Log events 1000 to 1999 (transport) and 5000 to 5999 (broker).</summary>
internal static partial class ServerLog
{
    [LoggerMessage(1000, LogLevel.Warning, "{Remote} sent {Protocol} to the port of the Weir protocol: closed")]
    public static partial void Stranger(ILogger logger, string remote, string protocol);

    [LoggerMessage(1001, LogLevel.Warning, "{Remote} is refused with {Code}: {Reason}")]
    public static partial void ConnectionRefused(ILogger logger, string remote, ErrorCode code, string reason);

    [LoggerMessage(1002, LogLevel.Debug, "{Remote} is gone: {Reason}")]
    public static partial void ConnectionLost(ILogger logger, string remote, string reason);

    [LoggerMessage(1003, LogLevel.Error, "{Remote} is closed after an unexpected fault")]
    public static partial void ConnectionFailed(ILogger logger, Exception exception, string remote);

    [LoggerMessage(1004, LogLevel.Warning, "{Remote} is closed: it {Fault}")]
    public static partial void ConnectionTimedOut(ILogger logger, string remote, string fault);

    [LoggerMessage(1005, LogLevel.Warning, "{Remote} is closed: {Limit} connections are open already")]
    public static partial void TooManyConnections(ILogger logger, string remote, int limit);

    [LoggerMessage(1006, LogLevel.Debug, "{Remote} is {Client}")]
    public static partial void ClientConnected(ILogger logger, string remote, string client);

    [LoggerMessage(1007, LogLevel.Error, "Accepting connections failed; trying again")]
    public static partial void AcceptFailed(ILogger logger, Exception exception);

    [LoggerMessage(5000, LogLevel.Information, "Broker {NodeId} of cluster {ClusterId} listens on {Listen}, HTTP on {Http}, data in {Data}")]
    public static partial void Started(ILogger logger, int nodeId, string clusterId, string listen, string http, string data);

    [LoggerMessage(5001, LogLevel.Information, "{Partitions} partitions recovered in {Milliseconds} ms")]
    public static partial void Recovered(ILogger logger, int partitions, long milliseconds);

    [LoggerMessage(5002, LogLevel.Information, "Stopping: no new requests are taken")]
    public static partial void Stopping(ILogger logger);

    [LoggerMessage(5003, LogLevel.Information, "Stopped: everything that was acknowledged is on disk")]
    public static partial void Stopped(ILogger logger);

    [LoggerMessage(5004, LogLevel.Error, "{Api} from {Remote} failed")]
    public static partial void RequestFailed(ILogger logger, Exception exception, ApiKey api, string remote);

    [LoggerMessage(5005, LogLevel.Error, "Retention failed on {Topic}-{Partition}; it is tried again")]
    public static partial void RetentionFailed(ILogger logger, Exception exception, string topic, int partition);

    [LoggerMessage(5006, LogLevel.Information, "Retention freed {Bytes} bytes of {Topic}-{Partition}")]
    public static partial void RetentionFreed(ILogger logger, string topic, int partition, long bytes);

    [LoggerMessage(5007, LogLevel.Warning, "Only {FreeBytes} bytes are free: produce is refused until there are {MinFreeBytes}")]
    public static partial void LowOnSpace(ILogger logger, long freeBytes, long minFreeBytes);

    [LoggerMessage(5008, LogLevel.Warning, "'{Directory}' belongs to no topic of this broker's metadata: it is left alone")]
    public static partial void OrphanDirectory(ILogger logger, string directory);

    [LoggerMessage(5009, LogLevel.Error, "Background work failed; it is tried again")]
    public static partial void MaintenanceFailed(ILogger logger, Exception exception);

    [LoggerMessage(5010, LogLevel.Information, "Topic {Topic} {Change}")]
    public static partial void TopicChanged(ILogger logger, string topic, string change);

    [LoggerMessage(1008, LogLevel.Debug, "Broker {NodeId} is not connected: {Reason}")]
    public static partial void PeerLost(ILogger logger, int nodeId, string reason);

    [LoggerMessage(1009, LogLevel.Error, "The connection to broker {NodeId} failed unexpectedly")]
    public static partial void PeerFailed(ILogger logger, Exception exception, int nodeId);

    [LoggerMessage(5011, LogLevel.Critical, "A loop of the broker failed: it stops")]
    public static partial void MetadataLoopFailed(ILogger logger, Exception exception);

    [LoggerMessage(5012, LogLevel.Error, "A request for the metadata failed")]
    public static partial void MetadataRequestFailed(ILogger logger, Exception exception);

    [LoggerMessage(5013, LogLevel.Critical, "The broker stops, so that others take over: {Reason}")]
    public static partial void FailStop(ILogger logger, string reason);

    [LoggerMessage(5014, LogLevel.Warning, "The leaderships were not taken over within {Timeout}: stopping nevertheless")]
    public static partial void DrainTimedOut(ILogger logger, TimeSpan timeout);

    [LoggerMessage(5015, LogLevel.Information, "Compaction of {Topic}-{Partition} made {BytesAfter} of {BytesBefore} bytes and removed {Records} records, up to offset {Offset}, in {Elapsed}")]
    public static partial void Compacted(
        ILogger logger, string topic, int partition, long bytesBefore, long bytesAfter, long records, long offset, TimeSpan elapsed);

    [LoggerMessage(5016, LogLevel.Error, "Compaction of {Topic}-{Partition} failed; it is tried again")]
    public static partial void CompactionFailed(ILogger logger, Exception exception, string topic, int partition);
}
