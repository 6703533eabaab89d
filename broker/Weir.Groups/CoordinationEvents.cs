using Microsoft.Extensions.Logging;

namespace Weir.Groups;

/// <summary>Log events of groups: 4100 to 4199. An id is never given out again.</summary>
internal static partial class CoordinationEvents
{
    [LoggerMessage(4100, LogLevel.Warning, "Member {Member} of group {Group} was fenced: {Reason}")]
    public static partial void Fenced(ILogger logger, string group, string member, string reason);
}
