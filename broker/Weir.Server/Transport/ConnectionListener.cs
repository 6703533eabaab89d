using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Server.Diagnostics;
using Weir.Storage;

namespace Weir.Server.Transport;

/// <summary>Accepts connections and keeps them in bounds: how many, how long a greeting takes, how long a send may stall.</summary>
internal sealed class ConnectionListener(BrokerContext broker) : IAsyncDisposable
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<Connection, Task> _connections = new();
    private readonly CancellationTokenSource _stopping = new();
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;
    private ITimer? _sweeper;

    public int Count => _connections.Count;

    /// <summary>Where it listens, with the port that was taken.</summary>
    public IPEndPoint EndPoint => (IPEndPoint)_listener!.LocalEndPoint!;

    /// <summary>Takes the port.</summary>
    /// <exception cref="SocketException">The port is in use or the address not this machine's.</exception>
    public void Bind(IPEndPoint endPoint)
    {
        _listener = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(endPoint);
        _listener.Listen(backlog: 1024);
    }

    /// <summary>Starts to accept.</summary>
    public void Start()
    {
        _accepting = AcceptAsync();
        _sweeper = broker.Time.CreateTimer(_ => Sweep(), null, SweepInterval, SweepInterval);
    }

    /// <summary>Stops accepting and tells clients to go.</summary>
    public async Task DrainAsync(string reason)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _listener?.Dispose();
        await _accepting.ConfigureAwait(false);
        foreach (var connection in _connections.Keys.Where(c => c.State == SessionState.Ready))
        {
            connection.Push(new DrainPush { Reason = reason, ReconnectAfterMs = 1000 });
            connection.Flush();
        }
    }

    /// <summary>Ends the subscriptions to a log on all connections.</summary>
    public void EndSubscriptions(LogIdentity log, ErrorCode code, string reason)
    {
        foreach (var connection in _connections.Keys)
        {
            connection.EndSubscriptions(log, code, reason);
        }
    }

    /// <summary>Closes every connection.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _listener?.Dispose();
        await _accepting.ConfigureAwait(false);
        if (_sweeper is not null)
        {
            await _sweeper.DisposeAsync().ConfigureAwait(false);
        }

        foreach (var connection in _connections.Keys)
        {
            connection.Abort();
        }

        await Task.WhenAll(_connections.Values).ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                var socket = await _listener!.AcceptAsync(_stopping.Token).ConfigureAwait(false);
                Serve(socket);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                // As when the process is out of file descriptors: existing clients are served, new ones wait.
                ServerLog.AcceptFailed(broker.Logger, e);
                await Task.Delay(TimeSpan.FromMilliseconds(100), broker.Time).ConfigureAwait(false);
            }
        }
    }

    private void Serve(Socket socket)
    {
        if (_connections.Count >= broker.Options.MaxConnections)
        {
            ServerLog.TooManyConnections(
                broker.Logger, socket.RemoteEndPoint?.ToString() ?? "unknown", broker.Options.MaxConnections);
            socket.Dispose();
            return;
        }

        socket.NoDelay = true;
        var connection = new Connection(socket, broker);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _connections[connection] = ServeAsync(connection, started.Task);
        broker.Metrics.CountConnections(_connections.Count);
        started.SetResult();
    }

    private async Task ServeAsync(Connection connection, Task started)
    {
        // Not before it is listed: what ends at once must find its entry to remove.
        await started.ConfigureAwait(false);
        await connection.RunAsync().ConfigureAwait(false);
        connection.Dispose();
        _connections.TryRemove(connection, out _);
        broker.Metrics.CountConnections(_connections.Count);
    }

    private void Sweep()
    {
        broker.FlushProgress.Advance();
        foreach (var connection in _connections.Keys)
        {
            if (connection.State != SessionState.Ready
                && broker.Time.GetElapsedTime(connection.OpenedAt) > broker.Options.HandshakeTimeout)
            {
                ServerLog.ConnectionTimedOut(broker.Logger, connection.Remote, "did not authenticate in time");
                connection.Abort();
            }

            var sendingSince = connection.SendingSince;
            if (sendingSince != 0 && broker.Time.GetElapsedTime(sendingSince) > broker.Options.SendTimeout)
            {
                ServerLog.ConnectionTimedOut(broker.Logger, connection.Remote, "does not take what is sent to it");
                connection.Abort();
            }
        }
    }
}
