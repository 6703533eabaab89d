using System.Collections.Concurrent;
using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Replication.Partitions;
using Weir.Server.Partitions;

namespace Weir.Server.Groups;

/// <summary>
/// The coordinators of this broker: one for each partition of the groups' log that it leads, as long as it does. Thread-safe.
/// </summary>
internal sealed class GroupCoordinators(GroupServices services) : IDisposable
{
    private const int TickMs = 10;
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<int, CoordinatorLoop> _loops = new();
    private readonly ManualResetEventSlim _stop = new();
    private Thread? _ticker;

    public void Start()
    {
        _ticker = new Thread(TickAll) { Name = "weir-groups", IsBackground = true };
        _ticker.Start();
    }

    /// <summary>The coordinator of a group.</summary>
    /// <exception cref="ProtocolException">It is elsewhere, or nowhere now, or there is no such group.</exception>
    public CoordinatorLoop Require(GroupImage? group, object name)
    {
        var image = services.Replicas.RequireMetadata(services.Image());
        if (group is null || image.Find(GroupImage.StateTopic) is not { } topic)
        {
            throw new ProtocolException(ErrorCode.UnknownGroup, $"group '{name}' does not exist: declare it with 'weir group create'");
        }

        var partition = topic.Partitions[group.StatePartition(topic.Partitions.Length)];
        return _loops.TryGetValue(partition.Index, out var loop)
            ? loop
            : throw new ProtocolException(
                partition.Leader == services.Self || partition.Leader < 0 ? ErrorCode.CoordinatorNotReady : ErrorCode.NotCoordinator,
                partition.Leader < 0 ? $"group '{group.Name}' has no coordinator now" : $"broker {partition.Leader} coordinates group '{group.Name}'");
    }

    /// <summary>A replica of this broker has moved on, or another role.</summary>
    public void OnProgress(Partition partition)
    {
        if (partition.Topic != GroupImage.StateTopic)
        {
            return;
        }

        var replica = partition.Replica;
        var epoch = replica.LeaderEpoch;
        var isLed = replica.Role == ReplicaRole.Leader;
        lock (_gate)
        {
            if (_loops.TryGetValue(partition.Index, out var present) && (!isLed || present.LeaderEpoch != epoch || present.HasFailed))
            {
                _loops.TryRemove(partition.Index, out _);
                present.End("another broker leads the groups' log now");
                present = null;
            }

            if (isLed && present is null && !_stop.IsSet)
            {
                present = _loops[partition.Index] = new CoordinatorLoop(services, partition, epoch);
            }

            present?.OnProgress();
        }
    }

    /// <summary>A partition is not here any more.</summary>
    public void OnRemoved(Partition partition)
    {
        if (partition.Topic == GroupImage.StateTopic && _loops.TryRemove(partition.Index, out var loop))
        {
            loop.End("the groups' log is not here any more");
        }
    }

    public void Dispose()
    {
        _stop.Set();
        _ticker?.Join();
        lock (_gate)
        {
            foreach (var (_, loop) in _loops)
            {
                loop.Dispose();
            }
        }

        _stop.Dispose();
    }

    private void TickAll()
    {
        while (!_stop.Wait(TickMs))
        {
            foreach (var (index, loop) in _loops)
            {
                if (loop.HasFailed && services.Image().Find(GroupImage.StateTopic) is { } topic
                    && services.Partitions.Find(topic.TopicId, index) is { } partition)
                {
                    OnProgress(partition);
                }
                else if (loop.NeedsTicks)
                {
                    loop.Tick();
                }
            }
        }
    }
}
