using System.Collections.Immutable;

namespace Weir.Metadata.Quorum;

/// <summary>A voter of the metadata quorum: a node and the data directory that holds its votes.</summary>
/// <param name="NodeId">Node id.</param>
/// <param name="DirectoryId">
/// Identity of its data directory. A node that was wiped comes back with another one and is no voter any more: it forgot
/// its votes (KIP-853). Empty while the cluster is not created.
/// </param>
/// <param name="Host">Where it was reached when it became a voter.</param>
/// <param name="Port">TCP port.</param>
public sealed record Voter(int NodeId, Guid DirectoryId, string Host, int Port);

/// <summary>The voters of the metadata quorum, by node id. Immutable.</summary>
public sealed class VoterSet
{
    /// <summary>Creates a set; node ids are distinct.</summary>
    public VoterSet(IEnumerable<Voter> voters) => Voters = [.. voters.OrderBy(static voter => voter.NodeId)];

    /// <summary>No voters.</summary>
    public static VoterSet Empty { get; } = new([]);

    /// <summary>The voters by node id.</summary>
    public ImmutableArray<Voter> Voters { get; }

    /// <summary>How many there are.</summary>
    public int Count => Voters.Length;

    /// <summary>How many of them decide.</summary>
    public int Majority => Voters.Length / 2 + 1;

    /// <summary>The voter with a node id; null if there is none.</summary>
    public Voter? Find(int nodeId)
    {
        foreach (var voter in Voters)
        {
            if (voter.NodeId == nodeId)
            {
                return voter;
            }
        }

        return null;
    }

    /// <summary>Whether this node with this data directory has a vote.</summary>
    public bool Contains(int nodeId, Guid directoryId) =>
        Find(nodeId) is { } voter && (voter.DirectoryId == directoryId || voter.DirectoryId == Guid.Empty);

    /// <summary>The set with one more voter.</summary>
    public VoterSet With(Voter voter) => new(Voters.Add(voter));

    /// <summary>The set without a node.</summary>
    public VoterSet Without(int nodeId) => new(Voters.Where(voter => voter.NodeId != nodeId));

    /// <summary>Whether it differs from another set by at most one voter, as one change of membership may.</summary>
    public bool DiffersByOne(VoterSet other) =>
        Voters.Count(voter => !other.Contains(voter.NodeId, voter.DirectoryId))
            + other.Voters.Count(voter => !Contains(voter.NodeId, voter.DirectoryId)) <= 1;

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", Voters.Select(static voter => $"{voter.NodeId}@{voter.Host}:{voter.Port}"));
}
