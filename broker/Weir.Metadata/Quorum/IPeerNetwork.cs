using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Metadata.Quorum;

/// <summary>What came back for a request to a peer.</summary>
/// <typeparam name="TResponse">The reply's body.</typeparam>
/// <param name="Response">The reply; null if there is an error.</param>
/// <param name="Error">Why there is no reply: what the peer said, or ConnectionLost, or RequestTimedOut.</param>
/// <param name="Text">The error in words.</param>
public readonly record struct PeerReply<TResponse>(TResponse? Response, ErrorCode Error = ErrorCode.None, string Text = "")
    where TResponse : class;

/// <summary>
/// How the state machines of a broker reach other brokers: over sockets in production, through the seeded network in the
/// simulation. Replies come on the thread or step that drives the caller; one that is lost comes as an error.
/// </summary>
public interface IPeerNetwork
{
    /// <summary>Sends a request and calls back exactly once, never from within this call.</summary>
    /// <param name="nodeId">The peer. One whose address is not known is answered with ConnectionLost.</param>
    /// <param name="request">The request; not changed after this call.</param>
    /// <param name="timeoutMs">When an answer is given up.</param>
    /// <param name="onReply">Takes the reply or the error.</param>
    void Send<TRequest, TResponse>(int nodeId, TRequest request, int timeoutMs, Action<PeerReply<TResponse>> onReply)
        where TRequest : class, IRequest<TResponse>, new()
        where TResponse : class, IMessage, new();
}
