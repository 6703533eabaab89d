using System.Collections.Concurrent;
using Weir.Storage;

namespace Weir.Replication.Partitions;

/// <summary>The replicas that this broker holds. Thread-safe.</summary>
public sealed class ReplicaTable
{
    private readonly ConcurrentDictionary<LogIdentity, Replica> _replicas = new();

    /// <summary>How many there are.</summary>
    public int Count => _replicas.Count;

    /// <summary>All replicas, in no order.</summary>
    public IEnumerable<Replica> All => _replicas.Select(static pair => pair.Value);

    /// <summary>All replicas, in the order of their identities: where the order decides something.</summary>
    public IEnumerable<Replica> InOrder => All.OrderBy(static replica => replica.Identity.TopicId)
        .ThenBy(static replica => replica.Identity.Partition);

    /// <summary>A replica; null if this broker has none.</summary>
    public Replica? Find(LogIdentity identity) => _replicas.GetValueOrDefault(identity);

    internal void Add(Replica replica) => _replicas[replica.Identity] = replica;

    internal bool Remove(LogIdentity identity) => _replicas.TryRemove(identity, out _);
}
