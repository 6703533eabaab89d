using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;
using Weir.Replication;
using Weir.Server.Peers;
using Weir.Server.Transport;

namespace Weir.Server.Handlers;

/// <summary>
/// Serves an API between brokers: for a connection that has proven to be a broker's, and only in that broker's own name. An
/// ordinary client that could fetch as a replica could make records count as kept that are not (CVE-2018-1288).
/// </summary>
internal sealed class PeerHandler<TRequest, TResponse>(MetadataLoop loop, BrokerNode node) : IOrderedHandler
    where TRequest : class, IRequest<TResponse>, new()
    where TResponse : class, IMessage, new()
{
    public ApiKey Api => TRequest.Key;

    public ValueTask HandleAsync(Connection connection, FrameHeader header, ReadOnlyMemory<byte> body)
    {
        if (connection.PeerNodeId is not { } peer)
        {
            throw new ProtocolException(ErrorCode.NotAuthorized, $"{header.Api} is for the brokers of the cluster alone");
        }

        var request = WireReader.ReadAll<TRequest>(body, header.Version);
        if (PeerApis.SenderOf(request) is { } sender && sender != peer)
        {
            throw new ProtocolException(ErrorCode.NotAuthorized, $"broker {peer} sent {header.Api} in the name of {sender}");
        }

        if (BrokerNode.IsForReplicas(request))
        {
            node.Receive(request, Reply, Refuse);
        }
        else
        {
            loop.Receive(request, Reply, Refuse);
        }

        return ValueTask.CompletedTask;

        void Reply(IMessage response)
        {
            connection.Reply(header, (TResponse)response);
            connection.Flush(inline: false);
        }

        void Refuse(ErrorCode code, string text)
        {
            connection.ReplyError(header.Api, header.Version, header.CorrelationId, code, text);
            connection.Flush(inline: false);
        }
    }
}

/// <summary>Brings a request to the controller; for a peer's one, this broker is it.</summary>
internal class ControllerHandler<TRequest, TResponse>(ControllerClient controller, MetadataLoop loop)
    : RequestHandler<TRequest, TResponse>
    where TRequest : class, IRequest<TResponse>, new()
    where TResponse : class, IMessage, new()
{
    protected override async ValueTask<TResponse> HandleAsync(Connection connection, TRequest request)
    {
        if (connection.PeerNodeId is null)
        {
            return await controller.AskAsync<TRequest, TResponse>(request).ConfigureAwait(false);
        }

        var done = new TaskCompletionSource<TResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        loop.Receive(
            request, response => done.SetResult((TResponse)response),
            (code, text) => done.SetException(new ProtocolException(code, text)));
        return await done.Task.ConfigureAwait(false);
    }
}
