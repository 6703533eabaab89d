using Microsoft.Extensions.Logging;

namespace Weir.Groups;

/// <summary>Log events of groups: 4100 to 4199. An id is never given out again.</summary>
internal static partial class CoordinationEvents
{
    [LoggerMessage(4100, LogLevel.Warning, "Member {Member} of group {Group} was fenced: {Reason}")]
    public static partial void Fenced(ILogger logger, string group, string member, string reason);

    [LoggerMessage(4101, LogLevel.Warning, "A dead letter of group {Group} is not in {Target} yet: {Error}; it is tried again")]
    public static partial void DeadLetterFailed(ILogger logger, string group, string target, Weir.Protocol.Errors.ErrorCode error);

    [LoggerMessage(4102, LogLevel.Warning, "Records {First} to {Last} of {Partition} were deleted before group {Group} had done them")]
    public static partial void RecordsGone(ILogger logger, string group, string partition, long first, long last);

    [LoggerMessage(4103, LogLevel.Error, "Group {Group} cannot read {Partition}: {Error}; it is tried again")]
    public static partial void ReadFailed(ILogger logger, string group, string partition, Weir.Protocol.Errors.ErrorCode error);
}
