using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Weir.Client;
using Weir.Operator.Entities;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Brokers;

/// <summary>No broker of a cluster answers.</summary>
internal sealed class BrokersUnreachableException(string message, Exception? inner) : Exception(message, inner);

/// <summary>
/// One client per cluster, made when it is first needed, kept through restarts of brokers and closed when the cluster goes. A
/// cluster that does not answer is not tried again for a while: a thousand topics of it must not become a thousand attempts.
/// Thread-safe.
/// </summary>
internal sealed class BrokerPool : IAsyncDisposable
{
    private readonly ConcurrentDictionary<ObjectKey, ClusterConnection> _connections = new();
    private readonly Func<V1Alpha1WeirCluster, string> _servers;
    private readonly OperatorRuntime _runtime;
    private readonly ILoggerFactory _logs;

    /// <param name="servers">Where a cluster's brokers are, HOST:PORT,….</param>
    /// <param name="runtime">Time and log.</param>
    /// <param name="logs">For the clients.</param>
    public BrokerPool(Func<V1Alpha1WeirCluster, string> servers, OperatorRuntime runtime, ILoggerFactory logs)
    {
        _servers = servers;
        _runtime = runtime;
        _logs = logs;
    }

    /// <summary>Longest time of one request.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The connection of a cluster; nothing is sent yet.</summary>
    public ClusterConnection Of(V1Alpha1WeirCluster cluster)
    {
        var key = ObjectKey.Of(cluster);
        while (true)
        {
            var connection = _connections.GetOrAdd(
                key, _ => new ClusterConnection(cluster.Metadata.Uid ?? string.Empty, CreateOptions, _runtime.Time));
            connection.Servers = _servers(cluster);
            if (connection.ClusterUid == cluster.Metadata.Uid)
            {
                return connection;
            }

            // A cluster of the same name was deleted and made again.
            Close(key, connection);
        }
    }

    /// <summary>Forgets a cluster that is gone.</summary>
    public void Close(ObjectKey key)
    {
        if (_connections.TryGetValue(key, out var connection))
        {
            Close(key, connection);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (_, connection) in _connections)
        {
            await connection.DisposeAsync();
        }

        _connections.Clear();
    }

    private WeirClientOptions CreateOptions(string servers) => new()
    {
        Servers = servers,
        ClientId = "weir-operator",
        ConnectTimeout = TimeSpan.FromSeconds(5),
        RequestTimeout = RequestTimeout,
        LoggerFactory = _logs,
    };

    private void Close(ObjectKey key, ClusterConnection connection)
    {
        if (_connections.TryRemove(new KeyValuePair<ObjectKey, ClusterConnection>(key, connection)))
        {
            OperatorLog.Disconnected(_runtime.Logger, key);

            // It never throws, and nothing waits for it.
            _ = connection.DisposeAsync().AsTask();
        }
    }
}
