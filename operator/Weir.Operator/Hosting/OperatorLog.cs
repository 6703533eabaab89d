using Microsoft.Extensions.Logging;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Hosting;

/// <summary>What the operator logs. Ids from 8000; never used again.</summary>
internal static partial class OperatorLog
{
    [LoggerMessage(8000, LogLevel.Information, "watches {Namespaces} as {Identity}")]
    public static partial void Started(ILogger logger, string namespaces, string identity);

    [LoggerMessage(8001, LogLevel.Information, "{Identity} leads")]
    public static partial void Leads(ILogger logger, string identity);

    [LoggerMessage(8002, LogLevel.Critical, "{Identity} leads no more: this process ends")]
    public static partial void LeadsNoMore(ILogger logger, string identity);

    [LoggerMessage(8003, LogLevel.Warning, "{Identity} cannot read or write its lease")]
    public static partial void LeaseFailed(ILogger logger, string identity, Exception exception);

    [LoggerMessage(8004, LogLevel.Debug, "the history of {Kind} in '{Namespace}' is gone: it is listed again")]
    public static partial void HistoryExpired(ILogger logger, string kind, string @namespace);

    [LoggerMessage(8005, LogLevel.Warning, "watching {Kind} in '{Namespace}' failed, {Failures} times in a row")]
    public static partial void WatchFailed(ILogger logger, string kind, string @namespace, int failures, Exception exception);

    [LoggerMessage(8006, LogLevel.Warning, "the watch of {Kind} in '{Namespace}' was silent beyond its time: it is opened again")]
    public static partial void WatchSilent(ILogger logger, string kind, string @namespace);

    [LoggerMessage(8007, LogLevel.Error, "{Kind} {Key} cannot be read; its last known state stays")]
    public static partial void Undecodable(ILogger logger, string kind, ObjectKey key);

    [LoggerMessage(8008, LogLevel.Debug, "{Kind} {Key} has changed meanwhile: {Message}")]
    public static partial void StaleState(ILogger logger, string kind, ObjectKey key, string message);

    [LoggerMessage(8009, LogLevel.Warning, "{Kind} {Key} failed; again in {Wait}")]
    public static partial void ReconciliationFailed(ILogger logger, string kind, ObjectKey key, TimeSpan wait, Exception exception);

    [LoggerMessage(8010, LogLevel.Debug, "event {Reason} was lost")]
    public static partial void EventLost(ILogger logger, string reason, Exception exception);

    [LoggerMessage(8011, LogLevel.Information, "cluster {Cluster}: {Operation} {Step}: {Message}")]
    public static partial void ClusterStep(ILogger logger, ObjectKey cluster, string operation, string? step, string? message);

    [LoggerMessage(8012, LogLevel.Information, "topic {Topic}: {Change}")]
    public static partial void TopicChanged(ILogger logger, ObjectKey topic, string change);

    [LoggerMessage(8013, LogLevel.Information, "group {Group}: {Change}")]
    public static partial void GroupChanged(ILogger logger, ObjectKey group, string change);

    [LoggerMessage(8014, LogLevel.Warning, "what runs while this instance leads has failed")]
    public static partial void LeaderTaskFailed(ILogger logger, Exception exception);

    [LoggerMessage(8015, LogLevel.Debug, "the connection to cluster {Cluster} was closed")]
    public static partial void Disconnected(ILogger logger, ObjectKey cluster);
}
