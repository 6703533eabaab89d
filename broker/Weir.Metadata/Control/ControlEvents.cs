using Microsoft.Extensions.Logging;
using Weir.Protocol.Errors;

namespace Weir.Metadata.Control;

/// <summary>Log events 3540 to 3559.</summary>
internal static partial class ControlEvents
{
    [LoggerMessage(3540, LogLevel.Information, "This broker is the controller, in epoch {LeaderEpoch}")]
    public static partial void Active(ILogger logger, int leaderEpoch);

    [LoggerMessage(3541, LogLevel.Warning, "Broker {NodeId} of epoch {BrokerEpoch} is silent: it is fenced")]
    public static partial void Fencing(ILogger logger, int nodeId, long brokerEpoch);

    [LoggerMessage(3542, LogLevel.Warning, "The controller could not decide: {Code}, {Text}")]
    public static partial void NotDecided(ILogger logger, ErrorCode code, string text);
}
