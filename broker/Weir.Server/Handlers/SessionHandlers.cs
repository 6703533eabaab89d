using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Server.Diagnostics;
using Weir.Server.Hosting;
using Weir.Server.Transport;

namespace Weir.Server.Handlers;

/// <summary>Greets a client: refuses one that looks for another cluster, and says what this broker speaks.</summary>
internal sealed class HelloHandler(BrokerContext broker, BrokerIdentity identity)
    : RequestHandler<HelloRequest, HelloResponse>, IOrderedHandler
{
    protected override ValueTask<HelloResponse> HandleAsync(Connection connection, HelloRequest request)
    {
        if (request.Magic != HelloRequest.ExpectedMagic)
        {
            throw new ProtocolException(ErrorCode.MalformedFrame, "the hello does not start with WEIR");
        }

        if (request.ClusterId is { } clusterId && clusterId != identity.ClusterId)
        {
            throw new ProtocolException(
                ErrorCode.WrongCluster, $"this is cluster {identity.ClusterId}, not {clusterId}");
        }

        if (request.NodeId >= 0 && request.NodeId != identity.NodeId)
        {
            throw new ProtocolException(ErrorCode.WrongCluster, $"this is node {identity.NodeId}, not {request.NodeId}");
        }

        var name = $"{request.ClientId} ({request.SdkName} {request.SdkVersion})";
        connection.Enter(SessionState.Authenticating, name);
        ServerLog.ClientConnected(broker.Logger, connection.Remote, name);
        return ValueTask.FromResult(new HelloResponse
        {
            ClusterId = identity.ClusterId,
            NodeId = identity.NodeId,
            BrokerVersion = identity.Version,
            MaxFrameBytes = broker.Options.MaxFrameBytes,
            ProduceWindowBytes = broker.Options.ProduceWindowBytes,
            Mechanisms = [AuthenticateRequest.Anonymous],
            Apis = ApiTable.Ranges,
        });
    }
}

/// <summary>
/// Authenticates a client. The listener's options allow <c>anonymous</c> only on loopback or by an unsafe setting, so a
/// connection that reaches this may use it.
/// </summary>
internal sealed class AuthenticateHandler : RequestHandler<AuthenticateRequest, AuthenticateResponse>, IOrderedHandler
{
    protected override ValueTask<AuthenticateResponse> HandleAsync(Connection connection, AuthenticateRequest request)
    {
        if (request.Mechanism != AuthenticateRequest.Anonymous)
        {
            throw new ProtocolException(
                ErrorCode.AuthenticationFailed, $"mechanism '{request.Mechanism}' is not offered here");
        }

        connection.Enter(SessionState.Ready);
        return ValueTask.FromResult(new AuthenticateResponse { Done = true, Principal = AuthenticateRequest.Anonymous });
    }
}
