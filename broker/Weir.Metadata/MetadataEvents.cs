using Microsoft.Extensions.Logging;

namespace Weir.Metadata;

/// <summary>Log events 3500 to 3599.</summary>
internal static partial class MetadataEvents
{
    [LoggerMessage(3500, LogLevel.Warning, "Metadata snapshot '{Name}' is damaged: the one before it is used")]
    public static partial void SnapshotDamaged(ILogger logger, string name);

    [LoggerMessage(3501, LogLevel.Warning, "No metadata snapshot could be written; the log is kept: {Reason}")]
    public static partial void SnapshotFailed(ILogger logger, string reason);

    [LoggerMessage(3502, LogLevel.Information, "A new cluster was created: {ClusterId}")]
    public static partial void ClusterCreated(ILogger logger, string clusterId);

    [LoggerMessage(
        3503, LogLevel.Error,
        "This broker's metadata is discarded and fetched from its peers, under a new directory identity: {Reason}")]
    public static partial void MetadataDiscarded(ILogger logger, string reason);
}
