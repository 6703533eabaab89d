using Weir.Metadata.Quorum;

namespace Weir.Metadata.Control;

/// <summary>
/// Keeps the voters what the brokers ask for, one change at a time: a broker that wants a vote and has caught up gets one, a
/// wiped one loses the vote of its old data directory first, and one that is decommissioned gives it up.
/// </summary>
internal sealed class VoterPolicy(QuorumNode quorum)
{
    public void Tick(long nowMs)
    {
        if (quorum.CanChangeVoters && Next() is { } voters)
        {
            quorum.ChangeVoters(voters, nowMs);
        }
    }

    private VoterSet? Next()
    {
        var present = quorum.Voters;
        foreach (var broker in quorum.Committed.Brokers)
        {
            var voter = present.Find(broker.NodeId);
            if (voter is not null && (broker.Decommissioning || IsWiped(broker, voter)) && present.Count > 1)
            {
                return present.Without(broker.NodeId);
            }

            if (voter is null && broker is { IsVoter: true, Fenced: false, Decommissioning: false }
                && present.Count < quorum.MaxVoters && quorum.IsCaughtUp(broker.NodeId, broker.DirectoryId))
            {
                return present.With(new Voter(broker.NodeId, broker.DirectoryId, broker.Host, broker.Port));
            }
        }

        return null;
    }

    private static bool IsWiped(BrokerImage broker, Voter voter) =>
        broker.DirectoryId != voter.DirectoryId && voter.DirectoryId != Guid.Empty && !broker.Fenced;
}
