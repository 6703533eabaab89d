using Microsoft.Extensions.Logging;

namespace Weir.Replication;

/// <summary>Log events 3000 to 3099.</summary>
internal static partial class ReplicationEvents
{
    [LoggerMessage(3000, LogLevel.Warning, "{Partition} is cut from {EndOffset} back to {Offset}: the leader of epoch {LeaderEpoch} has another end")]
    public static partial void Truncated(ILogger logger, string partition, long endOffset, long offset, int leaderEpoch);

    [LoggerMessage(3001, LogLevel.Warning, "{Partition} ends at {EndOffset}, where the leader keeps nothing any more: it starts again at {Offset}")]
    public static partial void Reset(ILogger logger, string partition, long endOffset, long offset);

    [LoggerMessage(3002, LogLevel.Error, "{Partition} got a damaged batch at {Offset} from its leader; it is fetched again")]
    public static partial void DamagedFetch(ILogger logger, string partition, long offset);

    [LoggerMessage(3003, LogLevel.Error, "{Partition} is damaged from {Offset} on: it is given up here until it is repaired: {Reason}")]
    public static partial void Damaged(ILogger logger, string partition, long offset, string reason);

    [LoggerMessage(3004, LogLevel.Information, "{Partition} is repaired from {Offset} on, out of broker {Peer}")]
    public static partial void Repaired(ILogger logger, string partition, long offset, int peer);

    [LoggerMessage(3005, LogLevel.Information, "Broker {NodeId} is registered with epoch {BrokerEpoch}")]
    public static partial void Registered(ILogger logger, int nodeId, long brokerEpoch);

    [LoggerMessage(3006, LogLevel.Warning, "Broker {NodeId} cannot register: {Reason}")]
    public static partial void NotRegistered(ILogger logger, int nodeId, string reason);

    [LoggerMessage(3007, LogLevel.Information, "Broker {NodeId} serves: it is no longer fenced")]
    public static partial void Unfenced(ILogger logger, int nodeId);

    [LoggerMessage(3008, LogLevel.Warning, "Broker {NodeId} is fenced by the controller")]
    public static partial void Fenced(ILogger logger, int nodeId);

    [LoggerMessage(3009, LogLevel.Warning, "{Partition}: in-sync replicas shall be {Isr} instead of {Before}")]
    public static partial void IsrProposed(ILogger logger, string partition, string isr, string before);

    [LoggerMessage(3010, LogLevel.Warning, "Directory '{Partition}' belongs to no topic that the cluster knows or has deleted: it is left alone")]
    public static partial void Orphan(ILogger logger, string partition);
}
