using System.Net;
using System.Net.Sockets;

namespace Weir.Cluster.Tests.Harness;

/// <summary>Which bytes of a proxy's connections.</summary>
[Flags]
public enum ProxyDirection
{
    /// <summary>From whoever connected to the broker.</summary>
    ToBroker = 1,

    /// <summary>From the broker.</summary>
    FromBroker = 2,

    /// <summary>All.</summary>
    Both = ToBroker | FromBroker,
}

/// <summary>
/// Stands before a broker and does to its TCP connections what a bad network does: delays, holds, resets, cuts. The order
/// of bytes in a connection stays; connections overtake each other. Faults apply to all connections, those made later too,
/// until they are ended; they may be called from any thread. Dispose resets what is open.
/// </summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly IPEndPoint _target;
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly ProxyFlow _toBroker;
    private readonly ProxyFlow _fromBroker;
    private readonly HashSet<ProxyConnection> _connections = [];
    private readonly List<Task> _tasks = [];
    private volatile bool _isRefusing;

    /// <summary>Listens at once.</summary>
    /// <param name="listen">Where; port 0 takes a free one.</param>
    /// <param name="target">The broker.</param>
    /// <param name="seed">Of the jitter.</param>
    public FaultProxy(IPEndPoint listen, IPEndPoint target, ulong seed)
    {
        _target = target;
        _toBroker = new ProxyFlow(seed, (ulong)ProxyDirection.ToBroker);
        _fromBroker = new ProxyFlow(seed, (ulong)ProxyDirection.FromBroker);
        _listener = new TcpListener(listen);
        _listener.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listener.Start();
        Address = _listener.LocalEndpoint.ToString()!;
        _tasks.Add(AcceptAllAsync());
    }

    /// <summary>Where it listens.</summary>
    public string Address { get; }

    /// <summary>Open connections.</summary>
    public int Connections
    {
        get
        {
            lock (_connections)
            {
                return _connections.Count;
            }
        }
    }

    /// <summary>Bytes that were handed on.</summary>
    public long Delivered(ProxyDirection direction) => Flows(direction).Sum(static flow => flow.Delivered);

    /// <summary>Bytes that were taken and not handed on (yet).</summary>
    public long Pending(ProxyDirection direction) => Flows(direction).Sum(static flow => flow.Received - flow.Delivered);

    /// <summary>Every byte arrives this much later, and by up to as much as the jitter more. Zero ends it.</summary>
    public void Delay(TimeSpan delay, TimeSpan jitter = default, ProxyDirection direction = ProxyDirection.Both) =>
        Each(direction, flow => flow.SetDelay(delay, jitter));

    /// <summary>Hands nothing on, and takes up to 4 MiB of each connection, until released.</summary>
    public void Hold(ProxyDirection direction = ProxyDirection.Both) => Each(direction, static flow => flow.Hold());

    /// <summary>Hands on what was held, in order.</summary>
    public void Release(ProxyDirection direction = ProxyDirection.Both) => Each(direction, static flow => flow.Release());

    /// <summary>Hands on this many bytes more, of all connections together, then cuts the one that has the last of them.</summary>
    public void CutAfter(long bytes, ProxyDirection direction) => Each(direction, flow => flow.CutAfter(bytes));

    /// <summary>Resets all open connections; what was held is lost.</summary>
    public void Reset()
    {
        ProxyConnection[] open;
        lock (_connections)
        {
            open = [.. _connections];
        }

        foreach (var connection in open)
        {
            connection.Abort();
        }
    }

    /// <summary>Resets new connections as soon as they are made.</summary>
    public void Refuse() => _isRefusing = true;

    /// <summary>Ends <see cref="Refuse"/>.</summary>
    public void Accept() => _isRefusing = false;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        Reset();
        Task[] tasks;
        lock (_connections)
        {
            tasks = [.. _tasks];
        }

        await Task.WhenAll(tasks);
        _stop.Dispose();
    }

    private IEnumerable<ProxyFlow> Flows(ProxyDirection direction)
    {
        if (direction.HasFlag(ProxyDirection.ToBroker))
        {
            yield return _toBroker;
        }

        if (direction.HasFlag(ProxyDirection.FromBroker))
        {
            yield return _fromBroker;
        }
    }

    private void Each(ProxyDirection direction, Action<ProxyFlow> action)
    {
        foreach (var flow in Flows(direction))
        {
            action(flow);
        }
    }

    private async Task AcceptAllAsync()
    {
        try
        {
            while (true)
            {
                var accepted = await _listener.AcceptSocketAsync(_stop.Token);
                lock (_connections)
                {
                    _tasks.RemoveAll(static task => task.IsCompleted);
                    _tasks.Add(ServeAsync(accepted));
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(Socket accepted)
    {
        var connection = new ProxyConnection(accepted);
        lock (_connections)
        {
            _connections.Add(connection);
        }

        try
        {
            if (_isRefusing || _stop.IsCancellationRequested)
            {
                connection.Abort();
            }
            else
            {
                await connection.RunAsync(_target, _toBroker, _fromBroker);
            }
        }
        finally
        {
            lock (_connections)
            {
                _connections.Remove(connection);
            }
        }
    }
}
