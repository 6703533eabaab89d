using Weir.Metadata.Quorum;
using Weir.Protocol.Messages;
using Weir.Replication.Partitions;
using Weir.Storage;

namespace Weir.Replication.Repair;

/// <summary>
/// Mends replicas whose disk has damaged what was committed (Alagappan, FAST'18: peers have it). A damaged replica first
/// gives up leadership and its place in sync, and only when the controller has committed that, fetches from the leader what
/// it cannot prove. If an operator lets it lead nevertheless, what it cannot prove is given up. A replica without peers is left as it is. Thread-safe.
/// </summary>
internal sealed class ReplicaRepair(
    int self, ReplicaTable replicas, IReplicaHost host, IPeerNetwork network, ReplicationOptions options,
    Func<int> controller, Func<long> brokerEpoch)
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<(Guid TopicId, int Partition), Replica> _damaged = [];
    private readonly HashSet<Replica> _steppedDown = [];
    private bool _isReporting;
    private long _nextMs;

    /// <summary>Called with a replica that follows again after its repair.</summary>
    public Action<Replica>? Repaired { get; set; }

    /// <summary>Damage was met at an offset.</summary>
    public void OnDamage(Replica replica, long offset)
    {
        ReplicationEvents.Damaged(host.Logger, replica.Identity.ToString(), offset, replica.Log.StateReason);
        lock (_gate)
        {
            _damaged[(replica.Identity.TopicId, replica.Identity.Partition)] = replica;
        }

        replica.MarkDamaged(offset);
    }

    /// <summary>Reports what is damaged, and repairs what others lead by now.</summary>
    public void Tick()
    {
        List<Replica> damaged;
        lock (_gate)
        {
            if (_damaged.Count == 0 || host.NowMs < _nextMs)
            {
                return;
            }

            _nextMs = host.NowMs + options.RetryMs;
            damaged = [.. _damaged.Values];
        }

        foreach (var replica in damaged)
        {
            if (!ReferenceEquals(replicas.Find(replica.Identity), replica))
            {
                Forget(replica);
            }
            else if (IsOutOfSync(replica) || IsElectedNevertheless(replica))
            {
                Refill(replica);
            }
        }

        Report([.. damaged.Where(replica => !IsOutOfSync(replica) && replica.State is { Replicas.Length: > 1 })]);
    }

    /// <summary>Whether the cluster no longer counts on this replica and another one leads.</summary>
    private bool IsOutOfSync(Replica replica) =>
        options.Omits.HasFlag(OmittedReplicationRules.StepDownBeforeRepair) || replica.State is { } state && state.Leader >= 0 && state.Leader != self
            && !state.Isr.Contains(self) && !state.Elr.Contains(self);

    /// <summary>Whether the controller had taken it out of sync already, and then an operator gave up what is damaged.</summary>
    private bool IsElectedNevertheless(Replica replica)
    {
        if (replica.State is { } state && !state.Isr.Contains(self) && !state.Elr.Contains(self))
        {
            _steppedDown.Add(replica);
        }

        return replica.State?.Leader == self && _steppedDown.Contains(replica);
    }

    /// <summary>Cuts off what is damaged and what follows it; the leader has all of it.</summary>
    private void Refill(Replica replica)
    {
        var from = replica.DamagedFrom ?? replica.Log.LogEndOffset;
        if (replica.Log.State == LogState.Corrupt)
        {
            replica.Log.DiscardFrom(from);
        }
        else
        {
            replica.Log.TruncateTo(Math.Max(from, replica.Log.LogStartOffset));
        }

        Forget(replica);
        ReplicationEvents.Repaired(host.Logger, replica.Identity.ToString(), from, replica.State?.Leader ?? -1);
        replica.MarkRepaired();
        Repaired?.Invoke(replica);
    }

    private void Forget(Replica replica)
    {
        lock (_gate)
        {
            _damaged.Remove((replica.Identity.TopicId, replica.Identity.Partition));
        }

        _steppedDown.Remove(replica);
    }

    private void Report(List<Replica> damaged)
    {
        if (_isReporting || damaged.Count == 0 || controller() < 0 || brokerEpoch() < 0)
        {
            return;
        }

        _isReporting = true;
        var request = new ReportDamageRequest
        {
            NodeId = self,
            BrokerEpoch = brokerEpoch(),
            Partitions =
            [
                .. damaged.Select(static replica => new PartitionKey
                {
                    TopicId = replica.Identity.TopicId, Partition = replica.Identity.Partition,
                }),
            ],
        };
        network.Send<ReportDamageRequest, EmptyMessage>(
            controller(), request, options.RequestTimeoutMs, _ => _isReporting = false);
    }
}
