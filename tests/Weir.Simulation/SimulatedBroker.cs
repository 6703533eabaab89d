using Microsoft.Extensions.Logging;
using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;
using Weir.Replication;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;
using Weir.Testing.Support;

namespace Weir.Simulation;

/// <summary>
/// One broker: its disk, which outlives it, and while it runs the state machines that production runs too. What sockets and
/// threads do there is done here by events.
/// </summary>
public sealed class SimulatedBroker : IEndpoint, IReplicaHost, IPeerNetwork
{
    private const string LogsDirectory = "partitions";
    private const int TickUs = 50_000;
    private readonly World _world;
    private readonly SimulatedCluster _cluster;
    private readonly SeededRandom _random;
    private readonly Queue<(int Incarnation, Action Action)> _deferred = new();
    private readonly SimulatedTime _time;
    private Guid _bootId;
    private QuorumStore? _store;
    private DirectoryIdentity? _identity;
    private TailMemory? _memory;
    private FlushLoop? _flush;
    private HashSet<PartitionLog> _dirty = [];
    private bool _isFlushPlanned;
    private long _nextCheckpointsMs;
    private bool _isMetadataFlushPlanned;
    private bool _isApplyPlanned;

    public SimulatedBroker(World world, SimulatedCluster cluster, int nodeId, string? rack)
    {
        _world = world;
        _cluster = cluster;
        NodeId = nodeId;
        Rack = rack;
        _random = world.Stream(100 + (ulong)nodeId);
        _time = new SimulatedTime(() => MonotonicUs, () => WallClockMs);
        Disk = new SimulatedDisk();
        _bootId = NewGuid();
    }

    public int NodeId { get; }

    public string? Rack { get; }

    public int Incarnation { get; private set; }

    public bool IsUp { get; private set; }

    public bool IsPaused { get; private set; }

    /// <summary>What survives the process and, where it was synced, the power.</summary>
    public SimulatedDisk Disk { get; private set; }

    public BrokerNode? Node { get; private set; }

    /// <summary>How many steps the wall clock is off, milliseconds.</summary>
    public long WallClockSkewMs { get; set; }

    /// <summary>How fast its monotonic clock runs, in 1000.</summary>
    public int DriftPerMille { get; set; } = 1000;

    /// <summary>Microseconds that each flush of the disk takes at least.</summary>
    public long DiskStallUs { get; set; }

    /// <summary>Why it stopped by itself, if it did.</summary>
    public string StopReason { get; private set; } = string.Empty;

    /// <inheritdoc/>
    public long NowMs => MonotonicUs / 1000;

    /// <inheritdoc/>
    public MetadataImage Image => _store?.Committed ?? MetadataImage.Empty;

    /// <inheritdoc/>
    public ILogger Logger => _cluster.Logger(NodeId);

    /// <inheritdoc/>
    public long FirstSessionId => (long)Incarnation << 32;

    public long WallClockMs => 1_700_000_000_000 + _world.NowMs + WallClockSkewMs;

    public QuorumStore? Store => _store;

    private long MonotonicUs => _world.NowUs / 1000 * DriftPerMille + 1_000_000;

    /// <summary>Starts the process on what the disk has.</summary>
    public void Start()
    {
        if (IsUp)
        {
            return;
        }

        Incarnation++;
        IsUp = true;
        IsPaused = false;
        StopReason = string.Empty;
        Guarded(Open);
        if (IsUp)
        {
            PlanTick(Incarnation, _random.Next(TickUs));
        }
    }

    /// <summary>SIGKILL: what was written stays, what was in memory is gone.</summary>
    public void Kill()
    {
        if (IsUp)
        {
            End();
        }
    }

    /// <summary>The machine loses power: of what was not synced, the seed keeps some.</summary>
    public void LosePower()
    {
        Kill();
        Disk = Disk.Crash(_random.NextUInt64());
        _bootId = NewGuid();
    }

    /// <summary>A new, empty disk under the same node id.</summary>
    public void Wipe()
    {
        Kill();
        Disk = new SimulatedDisk();
        _bootId = NewGuid();
    }

    /// <summary>SIGTERM: hands over, then ends in order.</summary>
    public void Stop()
    {
        if (IsUp && !IsPaused && Node is { } node)
        {
            Guarded(node.Session.RequestStop);
            AfterStep();
        }
    }

    public void Pause() => IsPaused = true;

    public void Resume()
    {
        IsPaused = false;
        while (!IsPaused && _deferred.TryDequeue(out var deferred))
        {
            Run(deferred.Incarnation, deferred.Action);
        }
    }

    /// <summary>Reads all of its disk, to find what rots there.</summary>
    public void ScrubAll()
    {
        if (IsUp && Node is { } node)
        {
            Guarded(node.Replicas.ScrubAll);
            AfterStep();
        }
    }

    /// <inheritdoc/>
    public void Run(int incarnation, Action action)
    {
        if (!IsUp || incarnation != Incarnation)
        {
            return;
        }

        if (IsPaused)
        {
            _deferred.Enqueue((incarnation, action));
            return;
        }

        Guarded(action);
        AfterStep();
    }

    /// <inheritdoc/>
    public void Send<TRequest, TResponse>(int nodeId, TRequest request, int timeoutMs, Action<PeerReply<TResponse>> onReply)
        where TRequest : class, IRequest<TResponse>, new()
        where TResponse : class, IMessage, new() =>
        _cluster.Network.Request(
            NodeId, nodeId, timeoutMs,
            respond => _cluster.Broker(nodeId).Serve(
                request,
                response => respond(() => onReply(new PeerReply<TResponse>((TResponse)_cluster.Network.Damage(response)))),
                (code, text) => respond(() => onReply(new PeerReply<TResponse>(null, code, text)))),
            code =>
            {
                if (code == ErrorCode.ConnectionLost && nodeId != NodeId)
                {
                    Node?.Quorum.OnPeerLost(nodeId, NowMs);
                    Node?.Controller.OnPeerLost(nodeId);
                }

                onReply(new PeerReply<TResponse>(null, code, code.ToString()));
            });

    /// <summary>Takes a request of a peer or of a client for the controller.</summary>
    public void Serve(IMessage request, Action<IMessage> reply, Refuse refuse) => Node!.Receive(request, reply, refuse);

    /// <inheritdoc/>
    public PartitionLog OpenLog(LogIdentity identity, LogOptions options) =>
        PartitionLog.Open(Disk, LogsDirectory, identity, options with { SegmentBytes = _cluster.SegmentBytes }, _memory!, Logger);

    /// <inheritdoc/>
    public void DeleteLog(LogIdentity identity)
    {
        var directory = $"{LogsDirectory}/{identity.DirectoryName}";
        foreach (var file in Disk.ListFiles(directory))
        {
            Disk.Delete($"{directory}/{file}");
        }

        if (Disk.ListDirectories(LogsDirectory).Contains(identity.DirectoryName))
        {
            Disk.DeleteDirectory(directory);
            Disk.SyncDirectory(LogsDirectory);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<LogIdentity> ListLogs()
    {
        var found = new List<LogIdentity>();
        foreach (var name in Disk.ListDirectories(LogsDirectory))
        {
            if (LogIdentity.TryParse(name, out var identity))
            {
                found.Add(identity);
            }
        }

        return found;
    }

    /// <inheritdoc/>
    public void SignalFlush(PartitionLog log)
    {
        _dirty.Add(log);
        if (_isFlushPlanned)
        {
            return;
        }

        _isFlushPlanned = true;
        var incarnation = Incarnation;
        _world.After(FlushDelay() / 2, () => Run(incarnation, WriteDirty));
    }

    /// <inheritdoc/>
    public void Post(Action work)
    {
        var incarnation = Incarnation;
        _world.After(10, () => Run(incarnation, work));
    }

    private long FlushDelay() => 200 + _random.Next(1000) + DiskStallUs + (_random.Chance(1, 300) ? _random.Next(200_000) : 0);

    private Guid NewGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes);
    }

    private void Open()
    {
        Disk.CreateDirectory(LogsDirectory);
        Disk.SyncDirectory(string.Empty);
        _memory = new TailMemory(4 * 1024 * 1024);
        _flush = new FlushLoop(Disk, _memory, _time);
        _dirty = [];
        _isFlushPlanned = _isMetadataFlushPlanned = _isApplyPlanned = false;
        var options = new MetadataLogOptions
        {
            RecordsPerSnapshot = _cluster.RecordsPerSnapshot, Random = _random.NextBytes, SegmentBytes = 256 * 1024,
        };
        _identity = DirectoryIdentity.Open(Disk, NodeId, _bootId, _random.NextBytes);
        _store = _identity.OpenStore(hasPeers: _cluster.Configured.Count > 1, Logger, options);
        var member = new QuorumMember(NodeId, _identity.DirectoryId, $"node{NodeId}", 9650);
        var quorum = new QuorumNode(
            member, _cluster.Configured, _store, this, _cluster.QuorumOptions, () => WallClockMs, _random.Next, Logger, NowMs);
        var controller = new ClusterController(
            quorum, new MetadataController(), _cluster.ControllerOptions, _random.NextBytes, Logger);
        var details = new BrokerDetails
        {
            NodeId = NodeId,
            IncarnationId = NewGuid(),
            DirectoryId = _identity.DirectoryId,
            Host = member.Host,
            Port = member.Port,
            Rack = Rack,
            IsLossyRestart = _identity.IsLossyRestart,
            IsVoter = _cluster.Configured.Any(voter => voter.NodeId == NodeId),
        };
        Node = new BrokerNode(details, quorum, controller, this, this, this, _cluster.ReplicationOptions);
        Node.Replicas.Listener = _cluster.Observer(this);
    }

    private void PlanTick(int incarnation, long delayUs) => _world.After(delayUs, () =>
    {
        if (incarnation != Incarnation || !IsUp)
        {
            return;
        }

        PlanTick(incarnation, TickUs);
        if (!IsPaused)
        {
            Guarded(() =>
            {
                Node!.TickMetadata(NowMs);
                Node?.Replicas.Tick();
                Node?.Replicas.Scrub();
                SaveCheckpoints();
            });
            AfterStep();
        }
    });

    private void SaveCheckpoints()
    {
        if (Node is { } node && NowMs >= _nextCheckpointsMs)
        {
            _nextCheckpointsMs = NowMs + 1000;
            foreach (var replica in node.Replicas.Table.InOrder)
            {
                replica.Log.SaveCheckpoint();
            }
        }
    }

    private void WriteDirty()
    {
        // Sometimes the power goes between the writes and the sync.
        if (_random.Chance(1, 2))
        {
            foreach (var log in _dirty)
            {
                log.WritePending();
            }
        }

        var incarnation = Incarnation;
        _world.After(FlushDelay(), () => Run(incarnation, () =>
        {
            _isFlushPlanned = false;
            foreach (var log in _dirty)
            {
                _flush!.Signal(log);
            }

            _dirty.Clear();
            _flush!.RunRound();
        }));
    }

    private void FlushMetadata()
    {
        _isMetadataFlushPlanned = false;
        _store!.Flush(NowMs);
        Node!.Quorum.OnFlushed(NowMs);
        Node.StepMetadata(NowMs);
    }

    /// <summary>What the loops of a broker would do next.</summary>
    private void AfterStep()
    {
        if (!IsUp || Node is null)
        {
            return;
        }

        var incarnation = Incarnation;
        if (Node.Quorum.NeedsFlush && !_isMetadataFlushPlanned)
        {
            _isMetadataFlushPlanned = true;
            _world.After(FlushDelay(), () => Run(incarnation, FlushMetadata));
        }

        if (Image.NextOffset > Node.Replicas.AppliedOffset && !_isApplyPlanned)
        {
            _isApplyPlanned = true;
            var delay = _random.Chance(1, 60) ? _random.Next(4_000_000) : 50 + _random.Next(2000);
            _world.After(delay, () => Run(incarnation, ApplyImage));
        }

        _cluster.OnStep(this);
        if (Node is { Session.MayStop: true })
        {
            EndInOrder();
        }
    }

    private void ApplyImage()
    {
        _isApplyPlanned = false;
        if (Image.ClusterId.Length == 0)
        {
            return;
        }

        _identity!.Join(Image.ClusterId);
        Node!.Replicas.Apply(Image);
    }

    private void EndInOrder()
    {
        var node = Node!;
        Guarded(() =>
        {
            foreach (var log in _dirty)
            {
                _flush!.Signal(log);
            }

            _flush!.RunRound();
            _flush.SyncBackground();
            Node = null;
            foreach (var replica in node.Replicas.Table.InOrder)
            {
                replica.Log.Listener = null;
                replica.Log.Close();
            }

            _store!.Flush(NowMs);
            _store.Close();
            _identity!.MarkClean();
            _cluster.Log($"broker {NodeId} ended in order");
        });
        if (IsUp)
        {
            End();
        }
    }

    /// <summary>A device that fails ends the process, as it does in production: what it cannot prove it does not serve.</summary>
    private void Guarded(Action action)
    {
        try
        {
            action();
            if (Node is { } node && node.Replicas.Table.All.Any(static replica => replica.Log.State == LogState.Stopped))
            {
                throw new LogIoException("sync", LogsDirectory, isDiskFull: false, "a partition's log is stopped");
            }
        }
        catch (Exception e) when (e is LogIoException or MetadataException or PowerLossException)
        {
            StopReason = e.Message;
            _cluster.OnStopped(this, e);
            End();
        }
    }

    private void End()
    {
        IsUp = false;
        IsPaused = false;
        _deferred.Clear();
        var node = Node;
        Node = null;
        if (node is not null && !Disk.IsOff)
        {
            foreach (var replica in node.Replicas.Table.InOrder)
            {
                replica.Log.Listener = null;
                replica.Log.Dispose();
            }

            _store?.Dispose();
        }

        _store = null;
    }
}

/// <summary>A broker's clocks as a time provider.</summary>
internal sealed class SimulatedTime(Func<long> monotonicUs, Func<long> wallClockMs) : TimeProvider
{
    public override long TimestampFrequency => 1_000_000;

    public override long GetTimestamp() => monotonicUs();

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(wallClockMs());
}
