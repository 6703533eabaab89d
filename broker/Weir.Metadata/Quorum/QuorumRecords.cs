using Weir.Metadata.Records;

namespace Weir.Metadata.Quorum;

/// <summary>Voters as the metadata log holds them.</summary>
internal static class QuorumRecords
{
    public static VotersChanged From(VoterSet voters) => new()
    {
        Voters =
        [
            .. voters.Voters.Select(static voter => new VoterRecord
            {
                NodeId = voter.NodeId, DirectoryId = voter.DirectoryId, Host = voter.Host, Port = voter.Port,
            }),
        ],
    };

    public static VoterSet ToVoterSet(VotersChanged record) => new(
        record.Voters.Select(static voter => new Voter(voter.NodeId, voter.DirectoryId, voter.Host, voter.Port)));
}
