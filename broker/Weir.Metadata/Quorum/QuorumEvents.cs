using Microsoft.Extensions.Logging;

namespace Weir.Metadata.Quorum;

/// <summary>Log events 3520 to 3539.</summary>
internal static partial class QuorumEvents
{
    [LoggerMessage(3520, LogLevel.Information, "Broker {NodeId} leads the metadata quorum in epoch {LeaderEpoch}")]
    public static partial void Leading(ILogger logger, int nodeId, int leaderEpoch);

    [LoggerMessage(3521, LogLevel.Information, "Broker {NodeId} follows {Leader} in epoch {LeaderEpoch} of the metadata quorum")]
    public static partial void Following(ILogger logger, int nodeId, int leader, int leaderEpoch);

    [LoggerMessage(3522, LogLevel.Information, "Broker {NodeId} stands for election in epoch {LeaderEpoch} of the metadata quorum")]
    public static partial void Campaigning(ILogger logger, int nodeId, int leaderEpoch);

    [LoggerMessage(3523, LogLevel.Warning, "Broker {NodeId} gives up leading the metadata quorum in epoch {LeaderEpoch}: {Reason}")]
    public static partial void SteppedDown(ILogger logger, int nodeId, int leaderEpoch, string reason);

    [LoggerMessage(
        3524, LogLevel.Warning,
        "Broker {NodeId} cuts its metadata log from {EndOffset} back to {Offset}: the leader of epoch {LeaderEpoch} has another end")]
    public static partial void Truncated(ILogger logger, int nodeId, long offset, long endOffset, int leaderEpoch);

    [LoggerMessage(3525, LogLevel.Error, "Broker {NodeId} reached broker {Peer} of another cluster, {ClusterId}: check the peers")]
    public static partial void WrongCluster(ILogger logger, int nodeId, int peer, string clusterId);
}
