using System.Net;
using System.Net.Sockets;

namespace Weir.Client.Tests.Scripted;

/// <summary>An address that leads to one broker after another, as that of a load balancer or a Kubernetes Service.</summary>
internal sealed class ScriptedService : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _accepting;
    private volatile ScriptedBroker _target;

    public ScriptedService(ScriptedBroker target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Address => $"{_listener.LocalEndpoint}";

    /// <summary>Where connections that are made from now on lead to.</summary>
    public ScriptedBroker Target
    {
        get => _target;
        set => _target = value;
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync();
                _target.Accept(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }
}
