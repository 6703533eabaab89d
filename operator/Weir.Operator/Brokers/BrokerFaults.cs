using Weir.Client;
using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;
using Weir.Protocol.Errors;

namespace Weir.Operator.Brokers;

/// <summary>What a fault of the brokers means to a resource.</summary>
internal static class BrokerFaults
{
    /// <summary>After such a fault the resource is tried again soon, without being called wrong.</summary>
    public static bool IsPassing(Exception e) => e is BrokersUnreachableException or WeirException { IsRetriable: true }
        or WeirException
        {
            Code: ErrorCode.ConnectionLost or ErrorCode.RequestTimedOut or ErrorCode.TopicExists or ErrorCode.GroupExists,
        };

    /// <summary>The condition that tells it.</summary>
    public static Condition ToCondition(Exception e) => e switch
    {
        BrokersUnreachableException => StatusConditions.Create(
            ConditionTypes.Ready, null, "BrokersUnreachable", e.Message),
        WeirException fault when IsPassing(fault) => StatusConditions.Create(
            ConditionTypes.Ready, null, fault.Code.ToString(), $"{fault.Message} {fault.Advice}"),
        WeirException { Code: ErrorCode.NotAuthorized } fault => StatusConditions.Create(
            ConditionTypes.Ready, false, "NotAuthorized", fault.Message),
        WeirException fault => StatusConditions.Create(
            ConditionTypes.Ready, false, fault.Code.ToString(), $"{fault.Message} {fault.Advice}"),
        _ => StatusConditions.Create(ConditionTypes.Ready, null, "Failed", e.Message),
    };
}
