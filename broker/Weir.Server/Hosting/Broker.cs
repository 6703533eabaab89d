using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Weir.Metadata;
using Weir.Metadata.Quorum;
using Weir.Server.Diagnostics;
using Weir.Server.Handlers;
using Weir.Server.Options;
using Weir.Server.Partitions;
using Weir.Server.Peers;
using Weir.Server.Transport;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;

namespace Weir.Server.Hosting;

/// <summary>
/// One broker: its data directory, its member of the metadata quorum, its replicas and its listener. Start it once; dispose
/// it to stop in order: others take over what it leads, clients are told, what was accepted is flushed, logs are closed clean.
/// </summary>
public sealed class Broker : IAsyncDisposable
{
    private readonly BrokerContext _context;
    private readonly DataDirectoryLock _lock;
    private readonly PhysicalLogFiles _files;
    private readonly TailMemory _tailMemory;
    private readonly FlushLoop _flush;
    private readonly DirectoryIdentity _directory;
    private readonly BrokerIdentity _identity;
    private readonly ConnectionListener _listener;
    private readonly ClusterParts _cluster;
    private readonly Maintenance _maintenance;
    private readonly Compaction _compaction;
    private readonly TaskCompletionSource<Exception> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _isStopped;
    private bool _isServing;

    private Broker(BrokerOptions options, TimeProvider time, ILogger<Broker> logger)
    {
        Directory.CreateDirectory(options.Data);
        _lock = DataDirectoryLock.Acquire(options.Data);
        try
        {
            Metrics = new BrokerMetrics(time);
            var progress = new FlushProgress();
            _context = new BrokerContext
            {
                Options = options,
                Time = time,
                Logger = logger,
                Metrics = Metrics,
                ReceiveBudget = new ReceiveBudget(options.ReceiveBufferBytes),
                FlushProgress = progress,
            };
            _files = new PhysicalLogFiles(options.Data);
            _tailMemory = new TailMemory(options.TailMemoryBytes);
            _flush = new FlushLoop(_files, _tailMemory, time, (duration, _) =>
            {
                Metrics.CountFlush(duration);
                progress.Advance();
            });
            _directory = DirectoryIdentity.Open(_files, options.NodeId, BootId.Read(), RandomNumberGenerator.Fill);
            _identity = new BrokerIdentity(_directory, ThisAssembly.Version);
            _listener = new ConnectionListener(_context);
            _listener.Bind(options.ListenEndPoint);
            _cluster = new ClusterParts(_context, _files, _tailMemory, _flush, _directory, _identity, _listener, Fail);
            _maintenance = new Maintenance(_context, _cluster.Partitions, _files, _flush);
            _compaction = new Compaction(_context, _cluster.Partitions);
            Metrics.Observe(_cluster.Partitions, () => _tailMemory.Bytes);
        }
        catch
        {
            _lock.Dispose();
            throw;
        }
    }

    /// <summary>Where clients connect, with the port that was taken.</summary>
    public IPEndPoint EndPoint => _listener.EndPoint;

    /// <summary>The cluster's id; empty before the cluster is known.</summary>
    public string ClusterId => _identity.ClusterId;

    /// <summary>Whether clients are served: the controller counts on this broker and no stop has begun.</summary>
    public bool IsReady => _isServing && _cluster.Node.Session.IsUnfenced;

    /// <summary>Whether every partition of which it has a replica is sound.</summary>
    public bool IsHealthy => _cluster.Partitions.All.All(static partition => partition.Log.State is LogState.Online);

    /// <summary>
    /// Completes when the broker cannot go on, as after a failure of its disk: dispose it then, so that others take over.
    /// </summary>
    public Task<Exception> Failed => _failed.Task;

    internal BrokerMetrics Metrics { get; }

    internal PartitionTable Partitions => _cluster.Partitions;

    /// <summary>
    /// Opens the data directory and listens. A cluster of one is ready on return; another broker becomes ready with its
    /// cluster (<see cref="IsReady"/>).
    /// </summary>
    /// <exception cref="DataDirectoryInUseException">Another broker has the directory.</exception>
    /// <exception cref="MetadataException">The directory's metadata is damaged or belongs to another node.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">The port is in use.</exception>
    public static async Task<Broker> StartAsync(
        BrokerOptions options, TimeProvider time, ILogger<Broker> logger, CancellationToken cancellationToken = default)
    {
        var broker = await Task.Run(() => new Broker(options, time, logger), cancellationToken).ConfigureAwait(false);
        try
        {
            await broker.ServeAsync(cancellationToken).ConfigureAwait(false);
            return broker;
        }
        catch
        {
            await broker.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isStopped, 1) != 0)
        {
            return;
        }

        ServerLog.Stopping(_context.Logger);
        var hasFailed = _failed.Task.IsCompleted;
        if (_isServing && !hasFailed)
        {
            await _cluster.HandOverAsync().ConfigureAwait(false);
        }

        _isServing = false;
        await _listener.DrainAsync("the broker is stopping").ConfigureAwait(false);
        await _compaction.DisposeAsync().ConfigureAwait(false);
        await _maintenance.DisposeAsync().ConfigureAwait(false);
        await _cluster.DisposeAsync().ConfigureAwait(false);
        _flush.Dispose();
        await _listener.DisposeAsync().ConfigureAwait(false);
        CloseLogs(hasFailed);
        _files.Dispose();
        _lock.Dispose();
        ServerLog.Stopped(_context.Logger);
    }

    private void CloseLogs(bool hasFailed)
    {
        var isSound = !hasFailed;
        foreach (var partition in _cluster.Partitions.All)
        {
            isSound &= partition.Log.State == LogState.Online;
            partition.Log.Close();
        }

        _cluster.Store.Close();
        if (isSound)
        {
            _directory.MarkClean();
        }
    }

    private void Fail(Exception reason)
    {
        if (_failed.TrySetResult(reason))
        {
            ServerLog.FailStop(_context.Logger, reason.Message);
        }
    }

    private async Task ServeAsync(CancellationToken cancellationToken)
    {
        var description = new BrokerDescription(_context, _identity, _cluster.Partitions, _files, _listener, () => _cluster.Store.Committed);
        _context.Handlers = new HandlerTable(
        [
            new HelloHandler(_context, _identity, () => _cluster.Store.Committed),
            new AuthenticateHandler(_cluster.Credentials),
            new PingHandler(),
            new ProduceHandler(_context, _cluster.Partitions, _cluster.Node.Replicas, _flush),
            new SubscribeHandler(_cluster.Partitions, _cluster.Node.Replicas),
            new CreditHandler(),
            new UnsubscribeHandler(),
            new ListOffsetsHandler(_cluster.Partitions),
            new DeleteRecordsHandler(_cluster.Partitions),
            new GetLatestHandler(_cluster.Partitions),
            new DescribeBrokerHandler(description),
            .. _cluster.Handlers(),
        ]);
        _context.OnDamage = _cluster.Node.Replicas.OnDamage;
        _flush.Start();
        _cluster.Start();
        _maintenance.Start();
        _compaction.Start();
        if (_cluster.IsAlone)
        {
            // Nobody is needed for it, so no client need see it half started.
            await WaitUntilReadyAsync(cancellationToken).ConfigureAwait(false);
        }

        _listener.Start();
        _isServing = true;

        ServerLog.Started(
            _context.Logger, _identity.NodeId, _identity.ClusterId, EndPoint.ToString(), _context.Options.Http,
            _context.Options.Data);
    }

    private async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(2), _context.Time);
        while (!_cluster.HasCaughtUp)
        {
            if (_failed.Task.IsCompleted)
            {
                throw await _failed.Task.ConfigureAwait(false);
            }

            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
