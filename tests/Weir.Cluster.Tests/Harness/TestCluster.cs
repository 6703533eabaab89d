using System.Net;
using Weir.Client;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Cluster.Tests.Harness;

/// <summary>
/// Several real `weir broker` processes with the faults that a test makes between, below and in them. Addresses stay the
/// same through restarts. Used by one test at a time; dispose kills everything and leaves nothing behind, and puts what
/// the brokers printed into the test's output, which is shown if it fails.
/// </summary>
public sealed class TestCluster : IAsyncDisposable
{
    private const int Port = 9650;
    private const int ProxyPort = 19650;
    private readonly Lease _lease;
    private readonly List<BrokerNode> _brokers = [];
    private readonly NetworkNamespaces? _network;

    private TestCluster(TestClusterOptions options)
    {
        Options = options;
        if (options.OwnNetworks || options.DiskMegabytes is not null)
        {
            Machine.RequireRoot();
        }

        _lease = Lease.Take();
        try
        {
            _network = options.OwnNetworks ? new NetworkNamespaces(_lease, options.Brokers) : null;
            for (var id = 1; id <= options.Brokers; id++)
            {
                _brokers.Add(CreateBroker(id));
            }
        }
        catch
        {
            _lease.Dispose();
            throw;
        }
    }

    public TestClusterOptions Options { get; }

    public IReadOnlyList<BrokerNode> Brokers => _brokers;

    /// <summary>The network between the brokers; only with <see cref="TestClusterOptions.OwnNetworks"/>.</summary>
    public NetworkNamespaces Network => _network ?? throw new InvalidOperationException("the brokers share a network");

    /// <summary>Addresses of all brokers, as clients take them.</summary>
    public string Servers => string.Join(',', _brokers.Select(static broker => broker.Address));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A broker by its id, from 1.</summary>
    public BrokerNode this[int id] => _brokers[id - 1];

    /// <summary>Makes everything ready without starting a broker.</summary>
    public static TestCluster Create(TestClusterOptions? options = null) => new(options ?? new TestClusterOptions());

    /// <summary>Makes a cluster, starts all brokers and waits until they serve.</summary>
    public static async Task<TestCluster> StartAsync(TestClusterOptions? options = null)
    {
        var cluster = Create(options);
        try
        {
            cluster.StartAll();
            await cluster.ServesAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts every broker that does not run.</summary>
    public void StartAll()
    {
        foreach (var broker in _brokers.Where(static broker => !broker.IsRunning))
        {
            broker.Start();
        }
    }

    /// <summary>SIGKILL of some brokers, or of all if none is named, one directly after the other.</summary>
    public void Kill(params int[] ids)
    {
        var brokers = Named(ids);
        foreach (var broker in brokers.Where(static broker => broker.IsRunning))
        {
            ProcessSignals.Send(broker.ProcessId, ProcessSignals.Kill);
        }

        foreach (var broker in brokers)
        {
            broker.Kill();
        }
    }

    /// <summary>
    /// Loss of power of some brokers, or of all: their disks forget what was not synced, then they die, then the disks are
    /// there again for the next start. From the first moment on nothing can become durable that was not, and nothing is
    /// answered: the brokers stand still before the power goes, as the kernel may let a sync that races with it succeed.
    /// </summary>
    public Task CutPowerAsync(params int[] ids) => CutPowerAsync(static disk => disk.CutPower(), ids);

    /// <summary>
    /// As <see cref="CutPowerAsync(int[])"/>, but the disks had written back some of what was not synced, in no order.
    /// </summary>
    public Task CutPowerTornAsync(SeededRandom random, params int[] ids) =>
        CutPowerAsync(disk => disk.CutPowerTorn(random), ids);

    /// <summary>A client that is told of all brokers. It waits until one answers.</summary>
    public Task<WeirClient> ConnectAsync(Action<WeirClientOptions>? configure = null) => ConnectAsync(Servers, configure);

    /// <summary>A client that is told of one broker.</summary>
    public Task<WeirClient> ConnectAsync(int id, Action<WeirClientOptions>? configure = null) =>
        ConnectAsync(this[id].Address, configure);

    /// <summary>
    /// Waits until the running brokers serve: each answers, and in a cluster each of them knows of all of them and of a
    /// controller.
    /// </summary>
    public async Task ServesAsync(TimeSpan? deadline = null)
    {
        foreach (var broker in _brokers.Where(static broker => broker.IsRunning))
        {
            await EventuallyAsync($"broker {broker.Id} serves", token => IsServingAsync(broker, token), deadline);
        }
    }

    /// <inheritdoc cref="Eventually.HoldsAsync(string, Func{CancellationToken, Task{bool}}, TimeSpan?, Func{string})"/>
    public Task EventuallyAsync(string phase, Func<CancellationToken, Task<bool>> condition, TimeSpan? deadline = null) =>
        Eventually.HoldsAsync(phase, condition, deadline, DescribeOutput);

    /// <inheritdoc cref="Eventually.HoldsAsync(string, Func{CancellationToken, Task{bool}}, TimeSpan?, Func{string})"/>
    public Task EventuallyAsync(string phase, Func<bool> condition, TimeSpan? deadline = null) =>
        Eventually.HoldsAsync(phase, condition, deadline, DescribeOutput);

    /// <summary>The end of what each broker printed.</summary>
    public string DescribeOutput() => string.Join('\n', _brokers.Select(static broker => broker.DescribeOutput()));

    public async ValueTask DisposeAsync()
    {
        Kill();
        TestContext.Current.TestOutputHelper?.WriteLine(DescribeOutput());
        foreach (var broker in _brokers)
        {
            broker.Dispose();
            if (broker.Proxy is { } proxy)
            {
                await proxy.DisposeAsync();
            }
        }

        _lease.Dispose();
    }

    private async Task CutPowerAsync(Action<LoopFileSystem> cut, int[] ids)
    {
        var brokers = Named(ids);
        foreach (var broker in brokers.Where(static broker => broker.IsRunning))
        {
            await broker.PauseAsync();
        }

        foreach (var broker in brokers)
        {
            Assert.True(broker.Disk is not null, $"broker {broker.Id} has no disk of its own");
            cut(broker.Disk);
        }

        Kill(ids);
        foreach (var broker in brokers)
        {
            broker.RestartDisk();
        }
    }

    private BrokerNode CreateBroker(int id)
    {
        // A loopback address of its own each: a port that is fixed and cannot be taken by another in between.
        var address = _network?.AddressOf(id) ?? $"127.77.{_lease.Number}.{id}";
        var proxy = Options.BehindProxies
            ? new FaultProxy(
                new IPEndPoint(IPAddress.Parse(_network?.AddressOf(NetworkNamespaces.Client) ?? address), ProxyPort + id),
                new IPEndPoint(IPAddress.Parse(address), Port), seed: (ulong)id)
            : null;
        return new BrokerNode(this, id, $"{address}:{Port}", Path.Combine(_lease.Directory, $"broker-{id}"), proxy);
    }

    private async Task<bool> IsServingAsync(BrokerNode broker, CancellationToken token)
    {
        Assert.True(broker.IsRunning, $"broker {broker.Id} has exited");
        await using var client = await WeirClient.ConnectAsync(
            new WeirClientOptions { Servers = broker.Address, ConnectTimeout = TimeSpan.FromSeconds(2) }, token);
        var metadata = await client.Admin.GetMetadataAsync([], token);
        return broker.HasStarted && metadata.ControllerId >= 0
            && (Options.AreIndependent
                ? metadata.Brokers.Count == 1
                : _brokers.Where(static other => other.IsRunning)
                    .All(running => metadata.Brokers.Any(known => known.NodeId == running.Id)));
    }

    private async Task<WeirClient> ConnectAsync(string servers, Action<WeirClientOptions>? configure)
    {
        var options = new WeirClientOptions
        {
            Servers = servers, RequestTimeout = TimeSpan.FromSeconds(20), LoggerFactory = new OutputLog(),
        };
        configure?.Invoke(options);
        WeirClient? client = null;
        await EventuallyAsync(
            $"{servers} answers a client",
            async token =>
            {
                client = await WeirClient.ConnectAsync(options, token);
                return true;
            });
        return client!;
    }

    private List<BrokerNode> Named(int[] ids) =>
        ids.Length == 0 ? [.. _brokers] : [.. ids.Select(id => this[id])];
}
