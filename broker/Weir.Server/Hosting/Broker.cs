using System.Net;
using Microsoft.Extensions.Logging;
using Weir.Metadata;
using Weir.Server.Diagnostics;
using Weir.Server.Handlers;
using Weir.Server.Options;
using Weir.Server.Partitions;
using Weir.Server.Transport;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;

namespace Weir.Server.Hosting;

/// <summary>
/// One broker: its data directory, metadata, partitions and listener. Start it once; dispose it to stop in order: clients
/// are told, what was accepted is flushed, logs are closed clean.
/// </summary>
public sealed class Broker : IAsyncDisposable
{
    private readonly BrokerContext _context;
    private readonly DataDirectoryLock _lock;
    private readonly PhysicalLogFiles _files;
    private readonly TailMemory _tailMemory;
    private readonly FlushLoop _flush;
    private readonly MetadataLog _metadata;
    private readonly PartitionTable _partitions = new();
    private readonly TopicCatalog _topics;
    private readonly ConnectionListener _listener;
    private readonly Maintenance _maintenance;
    private int _isStopped;

    private Broker(BrokerOptions options, TimeProvider time, ILogger<Broker> logger)
    {
        Directory.CreateDirectory(options.Data);
        _lock = DataDirectoryLock.Acquire(options.Data);
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
        _metadata = MetadataLog.Open(
            _files, new MetadataController(options.NodeId, options.MaxPartitions), time, logger);
        _listener = new ConnectionListener(_context);
        _topics = new TopicCatalog(_context, _files, _metadata, _partitions, _tailMemory, _listener);
        _maintenance = new Maintenance(_context, _partitions, _files, _flush);
        Metrics.Observe(_partitions, () => _tailMemory.Bytes);
    }

    /// <summary>Where clients connect, with the port that was taken.</summary>
    public IPEndPoint EndPoint => _listener.EndPoint;

    /// <summary>The cluster's id.</summary>
    public string ClusterId => _metadata.Image.ClusterId;

    /// <summary>Whether clients are served: recovery is done and no stop has begun.</summary>
    public bool IsReady { get; private set; }

    /// <summary>Whether every partition takes records.</summary>
    public bool IsHealthy => _partitions.All.All(static partition => partition.Log.State is LogState.Online);

    internal BrokerMetrics Metrics { get; }

    internal PartitionTable Partitions => _partitions;

    /// <summary>Opens the data directory, recovers every log, and listens.</summary>
    /// <exception cref="DataDirectoryInUseException">Another broker has the directory.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">The port is in use.</exception>
    public static async Task<Broker> StartAsync(
        BrokerOptions options, TimeProvider time, ILogger<Broker> logger, CancellationToken cancellationToken = default)
    {
        var broker = new Broker(options, time, logger);
        try
        {
            broker._listener.Bind(options.ListenEndPoint);
            await Task.Run(broker.Recover, cancellationToken).ConfigureAwait(false);
            broker.Serve();
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

        IsReady = false;
        ServerLog.Stopping(_context.Logger);
        await _listener.DrainAsync("the broker is stopping").ConfigureAwait(false);
        await _maintenance.DisposeAsync().ConfigureAwait(false);
        _flush.Dispose();
        await _listener.DisposeAsync().ConfigureAwait(false);
        foreach (var partition in _partitions.All)
        {
            partition.Log.Close();
        }

        _topics.Dispose();
        _metadata.Dispose();
        _files.Dispose();
        _lock.Dispose();
        ServerLog.Stopped(_context.Logger);
    }

    private void Recover()
    {
        var started = _context.Time.GetTimestamp();
        _topics.OpenAll();
        ServerLog.Recovered(
            _context.Logger, _partitions.Count, (long)_context.Time.GetElapsedTime(started).TotalMilliseconds);
    }

    private void Serve()
    {
        var identity = new BrokerIdentity(ClusterId, _context.Options.NodeId, ThisAssembly.Version);
        var description = new BrokerDescription(_context, identity, _partitions, _files, _listener, _metadata);
        _context.Handlers = new HandlerTable(
        [
            new HelloHandler(_context, identity),
            new AuthenticateHandler(),
            new PingHandler(),
            new ProduceHandler(_context, _partitions, _flush),
            new SubscribeHandler(_partitions),
            new CreditHandler(),
            new UnsubscribeHandler(),
            new ListOffsetsHandler(_partitions),
            new MetadataHandler(_topics, description),
            new CreateTopicHandler(_topics),
            new DeleteTopicHandler(_topics),
            new AlterTopicHandler(_topics),
            new DescribeTopicHandler(_topics, _partitions),
            new DeleteRecordsHandler(_partitions),
            new InitProducerHandler(_metadata),
            new DescribeBrokerHandler(description),
        ]);
        _flush.Start();
        _maintenance.Start();
        _listener.Start();
        IsReady = true;
        ServerLog.Started(
            _context.Logger, identity.NodeId, identity.ClusterId, EndPoint.ToString(), _context.Options.Http,
            _context.Options.Data);
    }
}
