using System.Collections.Immutable;
using Weir.Protocol.Errors;

namespace Weir.Metadata.Control;

/// <summary>
/// Chooses brokers for replicas: never two of a partition in one rack while another rack is left, then the broker with the
/// fewest replicas; the first of them leads, the one that leads least. One that is down is chosen only where the others do not
/// suffice: it catches up when it is back. Deterministic.
/// </summary>
internal sealed class ReplicaPlacement
{
    private readonly MetadataImage _image;
    private readonly int? _without;
    private readonly List<BrokerImage> _open;
    private readonly SortedDictionary<int, int> _replicas = [];
    private readonly SortedDictionary<int, int> _leaders = [];

    /// <summary>Who would lead next, so that the partitions of one broker do not all go to the same other one.</summary>
    private readonly Dictionary<(int Leader, int Successor), int> _successors = [];

    public ReplicaPlacement(MetadataImage image, int? without = null)
    {
        _image = image;
        _without = without;
        _open =
        [
            .. image.Brokers.Where(broker => broker is { Cordoned: false, Decommissioning: false } && broker.NodeId != without),
        ];
        foreach (var partition in image.Topics.SelectMany(static topic => topic.Partitions))
        {
            Count(partition.Replicas, partition.Replicas[0]);
        }
    }

    /// <summary>How many brokers may get replicas.</summary>
    public int OpenBrokers => _open.Count;

    /// <summary>Replicas for a new partition, the preferred leader first.</summary>
    /// <exception cref="ProtocolException">There are not enough brokers.</exception>
    public int[] Place(int replicationFactor)
    {
        var chosen = ImmutableArray<int>.Empty;
        while (chosen.Length < replicationFactor)
        {
            chosen = chosen.Add(Next(chosen));
        }

        var leader = chosen.OrderBy(id => _open.Find(broker => broker.NodeId == id)!.Fenced)
            .ThenBy(id => _leaders.GetValueOrDefault(id)).ThenBy(id => chosen.IndexOf(id)).First();
        int[] ordered =
        [
            leader,
            .. chosen.Remove(leader).OrderBy(id => _successors.GetValueOrDefault((leader, id))).ThenBy(id => chosen.IndexOf(id)),
        ];
        Count(chosen, leader);
        if (ordered.Length > 1)
        {
            _successors[(leader, ordered[1])] = _successors.GetValueOrDefault((leader, ordered[1])) + 1;
        }

        return ordered;
    }

    /// <summary>One more broker beside some that have a replica already.</summary>
    /// <exception cref="ProtocolException">There is none.</exception>
    public int Next(ImmutableArray<int> beside)
    {
        var racks = beside.Select(RackOf).ToHashSet(StringComparer.Ordinal);
        var next = _open.Where(broker => !beside.Contains(broker.NodeId))
            .OrderBy(static broker => broker.Fenced)
            .ThenBy(broker => broker.Rack is not null && racks.Contains(broker.Rack) ? 1 : 0)
            .ThenBy(broker => _replicas.GetValueOrDefault(broker.NodeId)).ThenBy(static broker => broker.NodeId)
            .FirstOrDefault();
        return next?.NodeId ?? throw new ProtocolException(
            ErrorCode.InvalidReassignment, $"{beside.Length + 1} replicas need as many brokers; {_open.Count} may get replicas");
    }

    /// <summary>Counts a replica that was placed.</summary>
    public void Note(int nodeId) => _replicas[nodeId] = _replicas.GetValueOrDefault(nodeId) + 1;

    /// <summary>Also of a broker that gets no replicas now; not of one that is leaving.</summary>
    private string? RackOf(int nodeId) => nodeId == _without ? null : _image.FindBroker(nodeId)?.Rack;

    private void Count(ImmutableArray<int> replicas, int leader)
    {
        foreach (var id in replicas)
        {
            Note(id);
        }

        _leaders[leader] = _leaders.GetValueOrDefault(leader) + 1;
    }
}
