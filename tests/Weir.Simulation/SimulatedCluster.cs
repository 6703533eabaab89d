using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Metadata.Control;
using Weir.Metadata.Quorum;
using Weir.Replication;
using Weir.Replication.Partitions;

namespace Weir.Simulation;

/// <summary>How a cluster is set up and what it leaves out.</summary>
public sealed record ClusterShape
{
    /// <summary>Brokers, with node ids from 1.</summary>
    public int Brokers { get; init; } = 3;

    /// <summary>The first of them that vote.</summary>
    public int Voters { get; init; } = 3;

    /// <summary>Racks that brokers are spread over; 0 for none.</summary>
    public int Racks { get; init; }

    /// <summary>Bytes of a segment, small so that there are many.</summary>
    public int SegmentBytes { get; init; } = 64 * 1024;

    /// <summary>Metadata records between two snapshots, few so that there are many.</summary>
    public int RecordsPerSnapshot { get; init; } = 50;

    /// <summary>A bug that is put in, to see that it is found.</summary>
    public SeededBug Bug { get; init; }
}

/// <summary>The brokers of one run and what connects them.</summary>
public sealed class SimulatedCluster
{
    private readonly SortedDictionary<int, SimulatedBroker> _brokers = [];
    private readonly Action<string>? _log;

    public SimulatedCluster(World world, ClusterShape shape, Action<string>? log)
    {
        World = world;
        Shape = shape;
        _log = log;
        Network = new SimulatedNetwork(world);
        Oracle = new Oracle(this);
        Configured =
        [
            .. Enumerable.Range(1, shape.Voters).Select(static id => new Voter(id, Guid.Empty, $"node{id}", 9650)),
        ];
        QuorumOptions = SeededBugs.Apply(shape.Bug, new QuorumOptions());
        ReplicationOptions = SeededBugs.Apply(shape.Bug, new ReplicationOptions { ScrubBytesPerSecond = 8 * 1024 });
        for (var id = 1; id <= shape.Brokers; id++)
        {
            var broker = new SimulatedBroker(world, this, id, shape.Racks > 0 ? $"rack{id % shape.Racks}" : null);
            _brokers[id] = broker;
            Network.Add(id, broker);
        }
    }

    public World World { get; }

    public ClusterShape Shape { get; }

    public SimulatedNetwork Network { get; }

    /// <summary>Knows everything, and stops the run at the first thing that must not be.</summary>
    public Oracle Oracle { get; }

    public IReadOnlyList<Voter> Configured { get; }

    public QuorumOptions QuorumOptions { get; }

    public ControllerOptions ControllerOptions { get; } = new();

    public ReplicationOptions ReplicationOptions { get; }

    public int SegmentBytes => Shape.SegmentBytes;

    public int RecordsPerSnapshot => Shape.RecordsPerSnapshot;

    public IEnumerable<SimulatedBroker> Brokers => _brokers.Values;

    public SimulatedBroker Broker(int nodeId) => _brokers[nodeId];

    public void Log(string text) => _log?.Invoke($"{World.NowUs / 1e6:F6} {text}");

    public ILogger Logger(int nodeId) => _log is null ? NullLogger.Instance : new TraceLogger(this, nodeId);

    /// <summary>Whether a leader of the quorum knows every configured voter to be up to date.</summary>
    public bool IsQuorumWhole => _brokers.Values.Any(broker => broker.Node?.Quorum is { IsActiveLeader: true } quorum
        && quorum.Voters.Count == Shape.Voters
        && quorum.DescribeVoters().All(voter => voter.LogEndOffset >= quorum.HighWatermark)
        && quorum.Voters.Voters.All(voter => quorum.Committed.FindBroker(voter.NodeId)?.DirectoryId == voter.DirectoryId));

    /// <summary>Where everybody stands, for a report.</summary>
    public string Describe() => string.Join("; ", _brokers.Values.Select(static broker =>
        $"{broker.NodeId} {(broker.IsUp ? "up" : $"down ({broker.StopReason})")}"
            + (broker.Node is { } node
                ? $" {node.Quorum.Role} epoch {node.Quorum.Epoch} leader {node.Quorum.LeaderId} hw {node.Quorum.HighWatermark} end {broker.Store?.EndOffset} durable {broker.Store?.DurableOffset} flush {node.Quorum.NeedsFlush}"
                    + $" {(node.Session.IsUnfenced ? "unfenced" : $"fenced {node.Session.Refusal}")}"
                    + string.Concat(node.Replicas.Table.InOrder.Select(static replica =>
                        $" [{replica.Identity.Partition} {replica.Role} e{replica.LeaderEpoch} isr {string.Join(',', replica.State?.Isr ?? [])}"
                            + $" elr {string.Join(',', replica.State?.Elr ?? [])} {replica.Topic.Settings.Durability} hw {replica.HighWatermark} end {replica.Log.LogEndOffset} {replica.DescribeProgress()} {replica.Log.State} {replica.DamagedFrom}]"))
                : string.Empty)));

    public IReplicaListener Observer(SimulatedBroker broker) => new ReplicaObserver(this, broker);

    public void OnStep(SimulatedBroker broker) => Oracle.OnStep(broker);

    public void OnStopped(SimulatedBroker broker, Exception reason)
    {
        Log($"broker {broker.NodeId} stopped by itself: {reason.Message}");
        Oracle.OnStopped(broker, reason);
    }

    private sealed class ReplicaObserver(SimulatedCluster cluster, SimulatedBroker broker) : IReplicaListener
    {
        public void OnReplicaProgress(Replica replica) => cluster.Oracle.OnReplica(broker, replica);
    }

    private sealed class TraceLogger(SimulatedCluster cluster, int nodeId) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => cluster.Log($"[{nodeId}] {formatter(state, exception)}");
    }
}
