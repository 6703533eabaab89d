using System.Collections.Immutable;

namespace Weir.Metadata.Control;

/// <summary>
/// How one partition's state may change: in-sync replicas, eligible leaders and the leader (KIP-497, KIP-841, KIP-966).
/// Every function returns the state with the same partition epoch; who records it counts it up.
/// </summary>
internal static class PartitionRules
{
    /// <summary>
    /// Other in-sync replicas. Those that leave while too few are left have all that was acknowledged, because nothing can be
    /// acknowledged after them: they stay eligible to lead.
    /// </summary>
    public static PartitionImage WithIsr(PartitionImage partition, ImmutableArray<int> isr, int minIsr)
    {
        var elr = isr.Length >= minIsr
            ? []
            : partition.Replicas.Where(id => !isr.Contains(id) && (partition.Isr.Contains(id) || partition.Elr.Contains(id)))
                .ToImmutableArray();
        return partition with { Isr = isr, Elr = elr };
    }

    /// <summary>After min.insync.replicas changed: a leader that may commit without the eligible replicas ends them.</summary>
    public static PartitionImage WithMinIsr(PartitionImage partition, int minIsr) =>
        partition.Isr.Length >= minIsr && !partition.Elr.IsEmpty ? partition with { Elr = [] } : partition;

    /// <summary>A replica whose broker may have stopped: it leaves the ISR, and may stay eligible.</summary>
    public static PartitionImage WithoutInSync(PartitionImage partition, int nodeId, int minIsr) =>
        partition.Isr.Contains(nodeId) ? WithIsr(partition, partition.Isr.Remove(nodeId), minIsr) : partition;

    /// <summary>A replica that has lost records: it is neither in sync nor eligible.</summary>
    public static PartitionImage WithoutTrust(PartitionImage partition, int nodeId, int minIsr)
    {
        var without = WithoutInSync(partition, nodeId, minIsr);
        return without with { Elr = without.Elr.Remove(nodeId) };
    }

    /// <summary>
    /// The leader, if it may stay, or the first of: a usable in-sync replica, one that only drains, one that lives and is
    /// eligible, in the order of the replicas. Nobody leads if there is none.
    /// </summary>
    public static PartitionImage Elect(PartitionImage partition, int minIsr, Func<int, BrokerImage?> broker)
    {
        bool IsUsable(int id) => broker(id) is { IsUsable: true };
        bool IsAlive(int id) => broker(id) is { Fenced: false };
        if (partition.Leader >= 0 && partition.Isr.Contains(partition.Leader) && IsUsable(partition.Leader))
        {
            return partition;
        }

        var inSync = First(partition, id => partition.Isr.Contains(id) && IsUsable(id));
        if (inSync < 0)
        {
            var isLeaderAlive = partition.Leader >= 0 && partition.Isr.Contains(partition.Leader) && IsAlive(partition.Leader);
            inSync = isLeaderAlive ? partition.Leader : First(partition, id => partition.Isr.Contains(id) && IsAlive(id));
        }

        if (inSync >= 0)
        {
            return LedBy(partition, inSync);
        }

        var eligible = First(partition, id => partition.Elr.Contains(id) && IsAlive(id));
        return eligible < 0
            ? LedBy(partition, -1)
            : LedBy(WithIsr(partition, [eligible], minIsr), eligible);
    }

    /// <summary>Another leader is another epoch.</summary>
    public static PartitionImage LedBy(PartitionImage partition, int leader) => partition.Leader == leader
        ? partition
        : partition with { Leader = leader, LeaderEpoch = partition.LeaderEpoch + 1 };

    /// <summary>The replicas that it has once nothing moves any more.</summary>
    public static ImmutableArray<int> Target(PartitionImage partition) =>
        partition.Replicas.RemoveAll(partition.RemovingReplicas.Contains);

    /// <summary>The replicas that it had before anything moved.</summary>
    public static ImmutableArray<int> Origin(PartitionImage partition) =>
        partition.Replicas.RemoveAll(partition.AddingReplicas.Contains);

    /// <summary>
    /// Starts to move the replicas; the old ones stay until the new ones are in sync. One that is added may have been a replica
    /// before: what it acknowledged then does not count, so another leader epoch begins.
    /// </summary>
    public static PartitionImage Reassign(PartitionImage partition, ImmutableArray<int> target)
    {
        var origin = Origin(partition);
        var adding = target.RemoveAll(origin.Contains);
        var removing = origin.RemoveAll(target.Contains);
        var replicas = target.AddRange(removing);
        return partition with
        {
            LeaderEpoch = adding.All(partition.AddingReplicas.Contains) ? partition.LeaderEpoch : partition.LeaderEpoch + 1,
            Replicas = replicas,
            AddingReplicas = adding,
            RemovingReplicas = removing,
            Isr = partition.Isr.RemoveAll(id => !replicas.Contains(id)),
            Elr = partition.Elr.RemoveAll(id => !replicas.Contains(id)),
        };
    }

    /// <summary>Ends a reassignment whose target is in sync.</summary>
    public static PartitionImage CompleteReassignment(PartitionImage partition, int minIsr, Func<int, BrokerImage?> broker)
    {
        var target = Target(partition);
        if (!partition.IsReassigning || !target.All(id => partition.Isr.Contains(id)))
        {
            return partition;
        }

        return Elect(
            partition with
            {
                Replicas = target,
                AddingReplicas = [],
                RemovingReplicas = [],
                Isr = partition.Isr.RemoveAll(id => !target.Contains(id)),
                Elr = partition.Elr.RemoveAll(id => !target.Contains(id)),
            },
            minIsr,
            broker);
    }

    private static int First(PartitionImage partition, Func<int, bool> fits)
    {
        foreach (var id in partition.Replicas)
        {
            if (fits(id))
            {
                return id;
            }
        }

        return -1;
    }
}
