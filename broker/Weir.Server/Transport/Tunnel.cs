using System.Buffers;
using System.Net.Sockets;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Server.Transport;

/// <summary>
/// Passes a client's connection on to another broker, byte by byte: for clients that can reach one address of the cluster
/// only. The other broker serves it as if it had come there.
/// </summary>
internal sealed class Tunnel : IDisposable
{
    private const int BufferBytes = 64 * 1024;
    private readonly Socket _target;

    private Tunnel(Socket target) => _target = target;

    /// <summary>Connects to the other broker and hands it the client's hello; its answer comes through the tunnel.</summary>
    /// <exception cref="ProtocolException">It cannot be reached: ConnectionLost.</exception>
    public static async Task<Tunnel> OpenAsync(
        (string Host, int Port) target, FrameHeader header, HelloRequest hello, TimeSpan timeout, TimeProvider time)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            using var late = new CancellationTokenSource(timeout, time);
            await socket.ConnectAsync(target.Host, target.Port, late.Token).ConfigureAwait(false);
            hello.PassOn = null;
            var buffer = new WireBuffer();
            Frames.Append(buffer, FrameKind.Request, header.Api, header.Version, header.CorrelationId, hello);
            await socket.SendAsync(buffer.Memory, SocketFlags.None, late.Token).ConfigureAwait(false);
            return new Tunnel(socket);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            socket.Dispose();
            throw new ProtocolException(
                ErrorCode.ConnectionLost, $"node {hello.NodeId} at {target.Host}:{target.Port} cannot be reached from here: {e.Message}");
        }
    }

    /// <summary>Passes bytes on until one side ends, then ends both.</summary>
    public async Task RunAsync(Socket client)
    {
        var answers = PassOnAsync(_target, client);
        await PassOnAsync(client, _target).ConfigureAwait(false);
        await answers.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _target.Dispose();

    private static async Task PassOnAsync(Socket from, Socket to)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (true)
            {
                var received = await from.ReceiveAsync(buffer.AsMemory(), SocketFlags.None).ConfigureAwait(false);
                if (received == 0)
                {
                    break;
                }

                for (var sent = 0; sent < received;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, received - sent), SocketFlags.None).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end of one side is the end of both.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            from.Dispose();
            to.Dispose();
        }
    }
}
