using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Weir.Client;
using Weir.Protocol.Errors;

namespace Weir.Cli.Demo;

/// <summary>Three brokers as child processes. Dispose kills them.</summary>
internal sealed class DemoCluster : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly BrokerProcess[] _brokers;
    private readonly string _peers;

    public DemoCluster(string directory)
    {
        var ports = FindFreePorts(3);
        _brokers = [.. ports.Select((port, i) => new BrokerProcess(i + 1, port, Path.Combine(directory, $"broker-{i + 1}")))];
        _peers = string.Join(',', _brokers.Select(static broker => $"{broker.NodeId}@{broker.Address}"));
    }

    public IReadOnlyList<BrokerProcess> Brokers => _brokers;

    /// <summary>Starts all and connects.</summary>
    public async Task<WeirClient> StartAsync(CancellationToken cancellationToken)
    {
        foreach (var broker in _brokers)
        {
            Start(broker);
        }

        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                var servers = string.Join(',', _brokers.Select(static broker => broker.Address));
                var client = await WeirClient.ConnectAsync(servers, cancellationToken).ConfigureAwait(false);
                await WaitUntilWholeAsync(client, cancellationToken).ConfigureAwait(false);
                return client;
            }
            catch (WeirException e) when (e.IsRetriable && !_brokers.Any(static broker => broker.HasExited)
                && Stopwatch.GetElapsedTime(started) < Patience)
            {
                await Task.Delay(50, cancellationToken).ConfigureAwait(false);
            }
            catch (WeirException e)
            {
                var output = string.Join('\n', _brokers.Select(static broker => broker.Output));
                throw new WeirException(ErrorCode.ConnectionLost, $"the brokers did not start: {e.Message}; they printed:\n{output}");
            }
        }
    }

    /// <summary>Starts a broker that does not run.</summary>
    public void Start(BrokerProcess broker) => broker.Start(_peers);

    /// <summary>Waits until every broker serves and every replica is in sync.</summary>
    public async Task WaitUntilWholeAsync(WeirClient client, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var status = await client.Admin.Cluster.DescribeAsync(cancellationToken).ConfigureAwait(false);
                if (status.UnderReplicated == 0 && status.Brokers.Count == _brokers.Length
                    && status.Brokers.All(static broker => !broker.IsFenced))
                {
                    return;
                }
            }
            catch (WeirException e) when (e.IsRetriable)
            {
                // A controller is being elected.
            }

            await Task.Delay(50, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The broker that leads a partition, as far as the broker that is asked knows, and the epoch of that leadership.</summary>
    public async Task<(BrokerProcess Broker, int Epoch)> FindLeaderAsync(
        WeirClient client, string topic, int partition, CancellationToken cancellationToken)
    {
        var described = await client.Admin.DescribeTopicAsync(topic, cancellationToken).ConfigureAwait(false);
        var placement = described.Partitions[partition].Placement;
        return (_brokers[placement.Leader - 1], placement.LeaderEpoch);
    }

    public void Dispose()
    {
        foreach (var broker in _brokers)
        {
            broker.Dispose();
        }
    }

    /// <summary>
    /// Ports that nobody listens on, below those that systems take for outgoing connections: a client that tries to reach a
    /// broker that is down must not take its port.
    /// </summary>
    private static List<int> FindFreePorts(int count)
    {
        var listeners = new List<TcpListener>();
        while (listeners.Count < count)
        {
            var listener = new TcpListener(IPAddress.Loopback, RandomNumberGenerator.GetInt32(10_000, 30_000));
            try
            {
                listener.Start();
                listeners.Add(listener);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Another one, then.
            }
        }

        List<int> ports = [.. listeners.Select(static listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        listeners.ForEach(static listener => listener.Dispose());
        return ports;
    }
}
