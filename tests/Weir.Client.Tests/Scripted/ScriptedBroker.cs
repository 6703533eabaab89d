using System.Net;
using System.Net.Sockets;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Tests.Scripted;

/// <summary>One broker of a <see cref="ScriptedCluster"/>.</summary>
internal sealed class ScriptedBroker(ScriptedCluster cluster, int nodeId)
{
    private readonly List<ScriptedConnection> _connections = [];
    private TcpListener? _listener;
    private Task _accepting = Task.CompletedTask;
    private int _port;

    public int NodeId => nodeId;

    public ScriptedCluster Cluster => cluster;

    public string Address => $"127.0.0.1:{_port}";

    /// <summary>What it is told to tell of where it listens; null for the truth.</summary>
    public BrokerInfo? Advertised { get; set; }

    /// <summary>Metadata that it has and the others have overcome; null for the present.</summary>
    public TopicInfo? Frozen { get; set; }

    public HelloRequest? LastHello { get; set; }

    /// <summary>Connections that were made to it.</summary>
    public int Accepted { get; private set; }

    /// <summary>Requests to it, by kind.</summary>
    public Dictionary<Type, int> Requests { get; } = [];

    public bool IsRunning => _listener is not null;

    public BrokerInfo Info => Advertised ?? new BrokerInfo { NodeId = nodeId, Host = "127.0.0.1", Port = _port };

    public void Start(bool onNewPort = false)
    {
        var listener = new TcpListener(IPAddress.Loopback, onNewPort ? 0 : _port);
        listener.Start();
        _port = ((IPEndPoint)listener.LocalEndpoint).Port;
        lock (cluster.Lock)
        {
            _listener = listener;
        }

        _accepting = AcceptAsync(listener);
    }

    /// <summary>Takes a connection that was made to another address.</summary>
    public void Accept(Socket socket)
    {
        lock (cluster.Lock)
        {
            Serve(socket);
        }
    }

    /// <summary>Closes its connections and its port, as a process that ends.</summary>
    public async Task StopAsync()
    {
        ScriptedConnection[] open;
        lock (cluster.Lock)
        {
            _listener?.Dispose();
            _listener = null;
            open = [.. _connections];
            _connections.Clear();
        }

        foreach (var connection in open)
        {
            connection.Close();
        }

        await _accepting;
    }

    /// <summary>Closes its connections alone.</summary>
    public void DropConnections()
    {
        lock (cluster.Lock)
        {
            _connections.ForEach(connection => connection.Close());
            _connections.Clear();
        }
    }

    public void Drain(int reconnectAfterMs)
    {
        lock (cluster.Lock)
        {
            _connections.ForEach(connection => connection.Push(
                new DrainPush { Reason = "restart", ReconnectAfterMs = reconnectAfterMs }));
        }
    }

    public void EndSubscriptions(int partition, ErrorCode error) =>
        _connections.ForEach(connection => connection.EndSubscriptions(partition, error));

    public void Deliver(int partition) => _connections.ForEach(connection => connection.Deliver(partition));

    public int Count<T>()
    {
        lock (cluster.Lock)
        {
            return Requests.GetValueOrDefault(typeof(T));
        }
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptSocketAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            lock (cluster.Lock)
            {
                if (_listener != listener)
                {
                    socket.Dispose();
                    return;
                }

                Serve(socket);
            }
        }
    }

    private void Serve(Socket socket)
    {
        Accepted++;
        var connection = new ScriptedConnection(this, socket);
        _connections.Add(connection);
        _ = connection.RunAsync();
    }
}
