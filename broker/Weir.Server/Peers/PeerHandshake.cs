using System.Net.Sockets;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Server.Hosting;

namespace Weir.Server.Peers;

/// <summary>The greeting of a broker at another one: hello, challenge, proof.</summary>
internal static class PeerHandshake
{
    /// <exception cref="ProtocolException">The other side is no broker of this cluster, or not the one that is wanted.</exception>
    public static async Task RunAsync(
        Socket socket, FrameAssembler assembler, int nodeId, BrokerIdentity identity, PeerCredentials credentials,
        CancellationToken cancellationToken)
    {
        var hello = new HelloRequest
        {
            ClusterId = identity.ClusterId.Length > 0 ? identity.ClusterId : null,
            NodeId = nodeId,
            SdkName = BrokerIdentity.PeerSdkName,
            SdkVersion = identity.Version,
            ClientId = $"broker-{identity.NodeId}",
            Apis = ApiTable.Ranges,
        };
        await AskAsync<HelloRequest, HelloResponse>(socket, assembler, hello, cancellationToken).ConfigureAwait(false);
        var challenge = await AskAsync<AuthenticateRequest, AuthenticateResponse>(
            socket, assembler, new AuthenticateRequest { Mechanism = PeerCredentials.Mechanism }, cancellationToken)
            .ConfigureAwait(false);
        var proof = new AuthenticateRequest
        {
            Mechanism = PeerCredentials.Mechanism, Proof = credentials.Prove(identity.NodeId, challenge.Challenge),
        };
        await AskAsync<AuthenticateRequest, AuthenticateResponse>(socket, assembler, proof, cancellationToken)
            .ConfigureAwait(false);
    }

    private static async Task<TResponse> AskAsync<TRequest, TResponse>(
        Socket socket, FrameAssembler assembler, TRequest request, CancellationToken cancellationToken)
        where TRequest : IRequest<TResponse>
        where TResponse : IMessage, new()
    {
        using var buffer = new WireBuffer();
        Frames.Append(buffer, FrameKind.Request, TRequest.Key, 1, 0, request);
        await socket.SendAsync(buffer.Memory, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            if (assembler.TryRead(out var header, out var body))
            {
                if (header.Kind == FrameKind.Response && header.Flags.HasFlag(FrameFlags.Error))
                {
                    var error = WireReader.ReadAll<ErrorMessage>(body, header.Version);
                    throw new ProtocolException(error.Error, error.Text);
                }

                return header.Kind == FrameKind.Response && header.Api == TRequest.Key
                    ? WireReader.ReadAll<TResponse>(body, header.Version)
                    : throw new ProtocolException(ErrorCode.UnexpectedMessage, $"{header.Api} came in the handshake");
            }

            var received = await socket.ReceiveAsync(assembler.GetMemory(), SocketFlags.None, cancellationToken)
                .ConfigureAwait(false);
            if (received == 0)
            {
                throw new ProtocolException(ErrorCode.ConnectionLost, "it closed the connection in the handshake");
            }

            assembler.Advance(received);
        }
    }
}
