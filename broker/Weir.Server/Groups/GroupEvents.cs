using Microsoft.Extensions.Logging;

namespace Weir.Server.Groups;

/// <summary>Log events of group coordinators as the broker runs them: 4000 to 4099. An id is never given out again.</summary>
internal static partial class GroupEvents
{
    [LoggerMessage(4000, LogLevel.Information, "Coordinating {Groups} groups of {Topic}-{Partition} in leader epoch {LeaderEpoch}, from {Records} records")]
    public static partial void Coordinating(ILogger logger, int groups, string topic, int partition, int leaderEpoch, long records);

    [LoggerMessage(4001, LogLevel.Information, "No more coordinating the groups of {Topic}-{Partition}: {Reason}")]
    public static partial void Ended(ILogger logger, string topic, int partition, string reason);

    [LoggerMessage(4002, LogLevel.Error, "Reading the groups' log {Topic}-{Partition} failed; it is tried again")]
    public static partial void LoadFailed(ILogger logger, Exception exception, string topic, int partition);

    [LoggerMessage(4003, LogLevel.Error, "A turn of the coordinator of {Topic}-{Partition} failed: its state is read again")]
    public static partial void TurnFailed(ILogger logger, Exception exception, string topic, int partition);

    [LoggerMessage(4004, LogLevel.Error, "Reading {Partition} for a group failed")]
    public static partial void ReadFailed(ILogger logger, Exception exception, string partition);
}
