using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Weir.Cluster.Tests.Harness;

/// <summary>A connection of a proxy: two sockets and a flow of bytes each way. Ends when both flows have, or by a reset.</summary>
internal sealed class ProxyConnection(Socket client)
{
    private const int ChunkBytes = 16 * 1024;
    private const int ChunksAhead = 256;
    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _broker = new(SocketType.Stream, ProtocolType.Tcp);

    /// <summary>Resets both sides. May be called at any time and again.</summary>
    public void Abort()
    {
        _stop.Cancel();
        client.Close(0);
        _broker.Close(0);
    }

    public async Task RunAsync(IPEndPoint target, ProxyFlow toBroker, ProxyFlow fromBroker)
    {
        try
        {
            client.NoDelay = _broker.NoDelay = true;
            await _broker.ConnectAsync(target, _stop.Token);
            await Task.WhenAll(CopyAsync(client, _broker, toBroker), CopyAsync(_broker, client, fromBroker));
            client.Close();
            _broker.Close();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            Abort();
        }
    }

    /// <summary>Either half that fails aborts the connection; the other three would wait for ever.</summary>
    private Task CopyAsync(Socket source, Socket destination, ProxyFlow flow)
    {
        var chunks = Channel.CreateBounded<(byte[] Bytes, int Count, long Due)>(
            new BoundedChannelOptions(ChunksAhead) { SingleReader = true, SingleWriter = true });
        return Task.WhenAll(ReadAsync(source, flow, chunks.Writer), WriteAsync(destination, flow, chunks.Reader));
    }

    private async Task ReadAsync(Socket source, ProxyFlow flow, ChannelWriter<(byte[] Bytes, int Count, long Due)> chunks)
    {
        try
        {
            while (true)
            {
                var bytes = new byte[ChunkBytes];
                var count = await source.ReceiveAsync(bytes, _stop.Token);
                if (count == 0)
                {
                    chunks.Complete();
                    return;
                }

                await chunks.WriteAsync((bytes, count, flow.Take(count)), _stop.Token);
            }
        }
        catch
        {
            Abort();
            throw;
        }
    }

    private async Task WriteAsync(Socket destination, ProxyFlow flow, ChannelReader<(byte[] Bytes, int Count, long Due)> chunks)
    {
        try
        {
            await foreach (var (bytes, count, due) in chunks.ReadAllAsync(_stop.Token))
            {
                await flow.WaitAsync(due, _stop.Token);
                var (granted, isCut) = flow.Grant(count);
                for (var sent = 0; sent < granted;)
                {
                    sent += await destination.SendAsync(bytes.AsMemory(sent, granted - sent), _stop.Token);
                }

                flow.Deliver(granted);
                if (isCut)
                {
                    Abort();
                    return;
                }
            }

            await flow.WaitAsync(due: 0, _stop.Token);
            destination.Shutdown(SocketShutdown.Send);
        }
        catch
        {
            Abort();
            throw;
        }
    }
}
