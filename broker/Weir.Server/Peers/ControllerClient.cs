using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;
using Weir.Replication;

namespace Weir.Server.Peers;

/// <summary>
/// Brings the requests of clients to the controller, wherever it is, and waits a while for one to be elected. What was sent
/// and not answered is not sent again: it may have been done.
/// </summary>
internal sealed class ControllerClient(BrokerContext broker, int self, BrokerNode node, IPeerNetwork network)
{
    private const int RequestTimeoutMs = 10_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(50);

    /// <exception cref="ProtocolException">The controller refuses, there is none, or it did not answer.</exception>
    public async Task<TResponse> AskAsync<TRequest, TResponse>(TRequest request)
        where TRequest : class, IRequest<TResponse>, new()
        where TResponse : class, IMessage, new()
    {
        var started = broker.Time.GetTimestamp();
        while (true)
        {
            var reply = await SendAsync<TRequest, TResponse>(request).ConfigureAwait(false);
            if (reply.Response is { } response)
            {
                return response;
            }

            if (reply.Error is ErrorCode.RequestTimedOut)
            {
                throw new ProtocolException(reply.Error, $"the controller did not answer, and may have done it: {reply.Text}");
            }

            if (reply.Error is not (ErrorCode.NotController or ErrorCode.QuorumUnavailable or ErrorCode.ConnectionLost
                    or ErrorCode.NotEnoughReplicas)
                || broker.Time.GetElapsedTime(started) > Patience)
            {
                throw new ProtocolException(
                    reply.Error is ErrorCode.NotController or ErrorCode.ConnectionLost ? ErrorCode.QuorumUnavailable : reply.Error,
                    reply.Text);
            }

            await Task.Delay(RetryInterval, broker.Time).ConfigureAwait(false);
        }
    }

    private Task<PeerReply<TResponse>> SendAsync<TRequest, TResponse>(TRequest request)
        where TRequest : class, IRequest<TResponse>, new()
        where TResponse : class, IMessage, new()
    {
        var controller = node.Quorum.LeaderId;
        if (controller < 0)
        {
            // Asked here, it names the voters that are missing.
            controller = self;
        }

        var done = new TaskCompletionSource<PeerReply<TResponse>>(TaskCreationOptions.RunContinuationsAsynchronously);
        network.Send<TRequest, TResponse>(controller, request, RequestTimeoutMs, done.SetResult);
        return done.Task;
    }
}
