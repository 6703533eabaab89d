using Microsoft.Extensions.Logging;

namespace Weir.Client.Connections;

/// <summary>Everything the client logs. Ids 7000 to 7099; none is ever used again for another event.</summary>
internal static partial class ClientLog
{
    [LoggerMessage(7000, LogLevel.Information, "Connected to {Address}: node {NodeId} of cluster {ClusterId}")]
    public static partial void Connected(ILogger logger, ServerAddress address, int nodeId, string clusterId);

    [LoggerMessage(7001, LogLevel.Information, "Connection to {Address} ended: {Reason}")]
    public static partial void Disconnected(ILogger logger, ServerAddress address, string reason);

    [LoggerMessage(7002, LogLevel.Information, "{Address} is going away: {Reason}; it asks to reconnect after {DelayMs} ms")]
    public static partial void Draining(ILogger logger, ServerAddress address, string reason, int delayMs);

    [LoggerMessage(7003, LogLevel.Warning, "Cannot reach {Address}, attempt {Attempt}: {Reason}")]
    public static partial void ConnectFailed(ILogger logger, ServerAddress address, int attempt, string reason);

    [LoggerMessage(7010, LogLevel.Warning, "{Records} records for {Topic} {Partition} failed: {Reason}")]
    public static partial void BatchFailed(ILogger logger, int records, string topic, int partition, string reason);

    [LoggerMessage(7011, LogLevel.Debug, "Produce to {Topic} {Partition} will be retried: {Reason}")]
    public static partial void ProduceRetried(ILogger logger, string topic, int partition, string reason);

    [LoggerMessage(7012, LogLevel.Information, "{Topic} {Partition} continues under producer id {ProducerId}")]
    public static partial void ProducerRenewed(ILogger logger, string topic, int partition, long producerId);

    [LoggerMessage(7013, LogLevel.Error, "An application's handler of delivery failures threw")]
    public static partial void HandlerThrew(ILogger logger, Exception exception);

    [LoggerMessage(7020, LogLevel.Information, "Subscription to {Topic} {Partition} ended at offset {Offset} and is renewed: {Reason}")]
    public static partial void Resubscribing(ILogger logger, string topic, int partition, long? offset, string reason);

    [LoggerMessage(7021, LogLevel.Debug, "Subscribed to {Topic} {Partition} from offset {Offset}")]
    public static partial void Subscribed(ILogger logger, string topic, int partition, long offset);

    [LoggerMessage(7022, LogLevel.Warning, "The member of group {Group} is interrupted, and joins again: {Reason}")]
    public static partial void GroupInterrupted(ILogger logger, string group, string reason);

    [LoggerMessage(7023, LogLevel.Warning, "Offset {Offset} of {Topic} {Partition} was not committed: {Reason}")]
    public static partial void CommitRefused(ILogger logger, string topic, int partition, long offset, string reason);

    [LoggerMessage(7024, LogLevel.Warning, "The handler of {Topic} {Partition} {Offset} failed, and the record is released")]
    public static partial void DeliveryFailed(ILogger logger, string topic, int partition, long offset, Exception exception);

    [LoggerMessage(7025, LogLevel.Warning, "{Topic} {Partition} {Offset} was not settled, and may be delivered again: {Reason}")]
    public static partial void SettlementRefused(ILogger logger, string topic, int partition, long offset, string reason);

    [LoggerMessage(7026, LogLevel.Error, "A record cannot be deserialized and is set aside")]
    public static partial void SetAside(ILogger logger, Exception exception);

    [LoggerMessage(7030, LogLevel.Error, "A background task of the client failed: {Task}")]
    public static partial void BackgroundFailed(ILogger logger, string task, Exception exception);
}
