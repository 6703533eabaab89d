using Weir.Protocol.Messages;
using Weir.Testing.Support;

namespace Weir.Simulation;

/// <summary>What may go wrong in a run.</summary>
[Flags]
public enum FaultKinds
{
    None = 0,
    Kill = 1,
    PowerLoss = 2,
    PowerLossOfAll = 4,
    Pause = 8,
    Partition = 16,
    OneWay = 32,
    Loss = 64,
    SlowDisk = 128,
    ClockJump = 256,
    Wipe = 512,
    Rot = 1024,
    SyncFailure = 2048,
    Restart = 4096,
    Isolate = 8192,
    Move = 16384,
    All = 32767,
}

/// <summary>
/// Breaks things, by the seed: what, when and for how long. It never takes more than the promise allows: of what is wiped or
/// rotten there is at most one at a time, and the next only after everything has caught up.
/// </summary>
public sealed class Nemesis
{
    private static readonly FaultKinds[] Kinds = [.. Enum.GetValues<FaultKinds>().Where(static kind => int.PopCount((int)kind) == 1)];
    private readonly SimulatedCluster _cluster;
    private readonly SeededRandom _random;
    private readonly FaultKinds _allowed;
    private readonly int _meanIntervalUs;
    private bool _isOver;
    private SimulatedBroker? _rotten;

    public Nemesis(SimulatedCluster cluster, FaultKinds allowed, int meanIntervalUs)
    {
        _cluster = cluster;
        _allowed = allowed;
        _meanIntervalUs = meanIntervalUs;
        _random = cluster.World.Stream(3);
    }

    /// <summary>How often each kind was done.</summary>
    public SortedDictionary<FaultKinds, int> Done { get; } = [];

    private World World => _cluster.World;

    public void Start() => PlanNext();

    /// <summary>Nothing breaks any more; what is broken stays so until somebody mends it.</summary>
    public void End() => _isOver = true;

    private void PlanNext() => World.After(_random.Next(2 * _meanIntervalUs) + 1, () =>
    {
        if (!_isOver)
        {
            DoSomething();
            PlanNext();
        }
    });

    private void DoSomething()
    {
        var kind = Kinds[_random.Next(Kinds.Length)];
        var broker = _cluster.Broker(1 + _random.Next(_cluster.Shape.Brokers));
        if (!_allowed.HasFlag(kind) || !Do(kind, broker))
        {
            return;
        }

        Done[kind] = Done.GetValueOrDefault(kind) + 1;
        World.Trace((long)kind);
        _cluster.Log($"--- {kind} of broker {broker.NodeId}");
    }

    private bool Do(FaultKinds kind, SimulatedBroker broker)
    {
        switch (kind)
        {
            case FaultKinds.Kill:
                broker.Kill();
                StartLater(broker);
                return true;
            case FaultKinds.PowerLoss:
                broker.LosePower();
                StartLater(broker);
                return true;
            case FaultKinds.PowerLossOfAll:
                foreach (var one in _cluster.Brokers)
                {
                    one.LosePower();
                    StartLater(one);
                }

                return true;
            case FaultKinds.Pause:
                broker.Pause();
                Later(60_000_000, broker.Resume);
                return true;
            case FaultKinds.Partition or FaultKinds.OneWay or FaultKinds.Isolate or FaultKinds.Loss:
                return DoNetwork(kind, broker);
            case FaultKinds.Restart:
                broker.Stop();
                World.After(_random.Next(10_000_000), () =>
                {
                    broker.Kill();
                    broker.Start();
                });
                return true;
            case FaultKinds.Move:
                return Move();
            default:
                return DoDisk(kind, broker);
        }
    }

    /// <summary>Has the replicas of a partition moved to some brokers, in some order.</summary>
    private bool Move()
    {
        var controller = _cluster.Brokers.FirstOrDefault(static one => one.Node?.Controller.IsActive == true);
        if (controller?.Image.Topics.FirstOrDefault() is not { } topic)
        {
            return false;
        }

        var brokers = Enumerable.Range(1, _cluster.Shape.Brokers).OrderBy(_ => _random.Next(1000)).ToArray();
        var request = new ReassignPartitionsRequest
        {
            Topic = topic.Name,
            Partitions =
            [
                new ReplicaAssignment { Partition = _random.Next(topic.Partitions.Length), Replicas = brokers[..3] },
            ],
        };
        controller.Run(controller.Incarnation, () => controller.Serve(request, static _ => { }, static (_, _) => { }));
        return true;
    }

    private bool DoNetwork(FaultKinds kind, SimulatedBroker broker)
    {
        var network = _cluster.Network;
        var other = 1 + _random.Next(_cluster.Shape.Brokers);
        switch (kind)
        {
            case FaultKinds.Partition:
                network.Cut(broker.NodeId, other);
                network.Cut(other, broker.NodeId);
                break;
            case FaultKinds.OneWay:
                network.Cut(broker.NodeId, other);
                break;
            case FaultKinds.Isolate:
                foreach (var one in _cluster.Brokers)
                {
                    network.Cut(one.NodeId, broker.NodeId);
                    network.Cut(broker.NodeId, one.NodeId);
                }

                break;
            default:
                network.LossPercent[(broker.NodeId, other)] = _random.Next(30);
                network.LossPercent[(other, broker.NodeId)] = _random.Next(30);
                break;
        }

        Later(15_000_000, network.Heal);
        return true;
    }

    private bool DoDisk(FaultKinds kind, SimulatedBroker broker)
    {
        switch (kind)
        {
            case FaultKinds.SlowDisk:
                broker.DiskStallUs = _random.Next(5_000_000);
                Later(10_000_000, () => broker.DiskStallUs = 0);
                return true;
            case FaultKinds.ClockJump:
                broker.WallClockSkewMs = _random.Next(7_200_000) - 3_600_000;
                broker.DriftPerMille = 950 + _random.Next(100);
                return true;
            case FaultKinds.SyncFailure:
                broker.Disk.FailSync(step =>
                {
                    broker.Disk.HealSync();
                    return true;
                });
                World.After(10_000_000, broker.Start);
                return true;
            case FaultKinds.Wipe when IsWhole() && IsSoundAgain():
                broker.Wipe();
                _cluster.Oracle.OnWiped(broker);
                StartLater(broker);
                return true;
            case FaultKinds.Rot when IsWhole() && IsSoundAgain():
                return Rot(broker);
            default:
                return false;
        }
    }

    /// <summary>Whether every broker is up and every replica in sync, as all of them know it.</summary>
    private bool IsWhole() => _cluster.Brokers.All(broker =>
        broker is { IsUp: true, IsPaused: false, Node.Session.IsUnfenced: true }
            && broker.Image.Topics.All(static topic => topic.Partitions.All(
                static partition => partition.Isr.Length == partition.Replicas.Length && partition.Leader >= 0))
            && broker.Node.Replicas.Table.All.All(static replica => replica.DamagedFrom is null
                && replica.HighWatermark == replica.Log.DurableOffset))
        && _cluster.IsQuorumWhole;

    /// <summary>Whether what rotted last was found and repaired, or is not there any more.</summary>
    private bool IsSoundAgain()
    {
        _rotten?.ScrubAll();
        if (_rotten is { IsUp: false } || _rotten?.Node?.Replicas.Table.All.Any(static replica => replica.DamagedFrom is not null) == true)
        {
            return false;
        }

        _rotten = null;
        return true;
    }

    /// <summary>Flips a bit somewhere in what a log has on stable storage.</summary>
    private bool Rot(SimulatedBroker broker)
    {
        var replicas = broker.Node!.Replicas.Table.InOrder.Where(static replica => replica.Log.SizeBytes > 0).ToList();
        if (replicas.Count == 0)
        {
            return false;
        }

        var replica = replicas[_random.Next(replicas.Count)];
        var directory = $"partitions/{replica.Identity.DirectoryName}";
        var files = broker.Disk.ListFiles(directory).Where(static name => name.EndsWith(".log", StringComparison.Ordinal)).ToList();
        var path = $"{directory}/{files[_random.Next(files.Count)]}";
        long length;
        using (var file = broker.Disk.Open(path, Weir.Storage.Files.OpenKind.Read))
        {
            length = Math.Min(file.Length, replica.Log.SizeBytes);
        }

        if (length == 0)
        {
            return false;
        }

        // Recovery cannot tell a bit that flipped in what was written last from a torn write: this is older.
        replica.Log.SaveCheckpoint();
        broker.Disk.HealSync();
        broker.Disk.SyncAll();
        _rotten = broker;
        broker.Disk.Rot(path, _random.Next((int)length), _random.Next(8));
        return true;
    }

    private void StartLater(SimulatedBroker broker) => World.After(1000 + _random.Next(_random.Chance(1, 3) ? 500_000 : 15_000_000), broker.Start);

    private void Later(int maxDelayUs, Action action) => World.After(_random.Next(maxDelayUs) + 1000, () =>
    {
        if (!_isOver)
        {
            action();
        }
    });
}
