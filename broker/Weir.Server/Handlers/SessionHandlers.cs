using Weir.Metadata;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Server.Diagnostics;
using Weir.Server.Hosting;
using Weir.Server.Peers;
using Weir.Server.Transport;

namespace Weir.Server.Handlers;

/// <summary>
/// Greets a client: refuses one that looks for another cluster, and says what this broker speaks. A client that asks for it is
/// passed on to the broker that it means.
/// </summary>
internal sealed class HelloHandler(BrokerContext broker, BrokerIdentity identity, Func<MetadataImage> image) : IOrderedHandler
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(3);

    public ApiKey Api => ApiKey.Hello;

    public async ValueTask HandleAsync(Connection connection, FrameHeader header, ReadOnlyMemory<byte> body)
    {
        var request = WireReader.ReadAll<HelloRequest>(body, header.Version);
        if (request.Magic != HelloRequest.ExpectedMagic)
        {
            throw new ProtocolException(ErrorCode.MalformedFrame, "the hello does not start with WEIR");
        }

        if (request.PassOn == 1 && request.NodeId >= 0 && request.NodeId != identity.NodeId)
        {
            connection.Tunnel = await Tunnel.OpenAsync(
                AddressOf(request.NodeId), header, request, ConnectTimeout, broker.Time).ConfigureAwait(false);
            connection.Enter(SessionState.Ready, $"{request.ClientId} for node {request.NodeId}");
            return;
        }

        connection.Reply(header, await GreetAsync(connection, request).ConfigureAwait(false));
    }

    private (string Host, int Port) AddressOf(int nodeId) => image().FindBroker(nodeId) is { } known
        ? (known.Host, known.Port)
        : throw new ProtocolException(ErrorCode.UnknownBroker, $"the cluster has no node {nodeId}");

    private async Task<HelloResponse> GreetAsync(Connection connection, HelloRequest request)
    {
        if (request.SdkName != BrokerIdentity.PeerSdkName)
        {
            await WaitForClusterAsync().ConfigureAwait(false);
        }

        if (request.ClusterId is { } clusterId && identity.ClusterId.Length > 0 && clusterId != identity.ClusterId)
        {
            throw new ProtocolException(
                ErrorCode.WrongCluster, $"this is cluster {identity.ClusterId}, not {clusterId}");
        }

        if (request.NodeId >= 0 && request.NodeId != identity.NodeId)
        {
            throw new ProtocolException(ErrorCode.WrongNode, $"this is node {identity.NodeId}, not {request.NodeId}");
        }

        var name = $"{request.ClientId} ({request.SdkName} {request.SdkVersion})";
        connection.Enter(SessionState.Authenticating, name);
        ServerLog.ClientConnected(broker.Logger, connection.Remote, name);
        return new HelloResponse
        {
            ClusterId = identity.ClusterId,
            NodeId = identity.NodeId,
            BrokerVersion = identity.Version,
            MaxFrameBytes = broker.Options.MaxFrameBytes,
            ProduceWindowBytes = broker.Options.ProduceWindowBytes,
            Mechanisms = [AuthenticateRequest.Anonymous],
            Apis = ApiTable.Ranges,
        };
    }

    /// <summary>A client of a cluster that is being made waits until there is one.</summary>
    private async Task WaitForClusterAsync()
    {
        try
        {
            await identity.Joined.WaitAsync(broker.Options.HandshakeTimeout / 2, broker.Time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new ProtocolException(
                ErrorCode.QuorumUnavailable, "the cluster does not exist yet: all of its configured voters must run for it");
        }
    }
}

/// <summary>
/// Authenticates clients and brokers. The listener's options allow <c>anonymous</c> only on loopback or by an unsafe setting,
/// so a connection that reaches this may use it; a broker proves itself by the cluster's secret.
/// </summary>
internal sealed class AuthenticateHandler(PeerCredentials credentials)
    : RequestHandler<AuthenticateRequest, AuthenticateResponse>, IOrderedHandler
{
    protected override ValueTask<AuthenticateResponse> HandleAsync(Connection connection, AuthenticateRequest request)
    {
        if (request.Mechanism == PeerCredentials.Mechanism)
        {
            return ValueTask.FromResult(AuthenticatePeer(connection, request));
        }

        if (request.Mechanism != AuthenticateRequest.Anonymous)
        {
            throw new ProtocolException(
                ErrorCode.AuthenticationFailed, $"mechanism '{request.Mechanism}' is not offered here");
        }

        connection.Enter(SessionState.Ready);
        return ValueTask.FromResult(new AuthenticateResponse { Done = true, Principal = AuthenticateRequest.Anonymous });
    }

    private AuthenticateResponse AuthenticatePeer(Connection connection, AuthenticateRequest request)
    {
        if (request.Proof.Length == 0)
        {
            connection.PeerChallenge = PeerCredentials.NewChallenge();
            return new AuthenticateResponse { Challenge = connection.PeerChallenge };
        }

        connection.PeerNodeId = credentials.Verify(request.Proof, connection.PeerChallenge);
        connection.PeerChallenge = [];
        connection.Enter(SessionState.Ready);
        return new AuthenticateResponse { Done = true, Principal = $"broker-{connection.PeerNodeId}" };
    }
}
