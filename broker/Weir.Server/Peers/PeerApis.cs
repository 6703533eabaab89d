using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Server.Peers;

/// <summary>What is special about messages between brokers.</summary>
internal static class PeerApis
{
    /// <summary>Whether a request's answer holds records, and so goes over a connection of its own.</summary>
    public static bool IsForRecords(IMessage request) => request is FetchReplicaRequest or FetchRangeRequest or ReadCommittedRequest or ProduceRequest;

    /// <summary>In whose name a request is; null if it is in nobody's.</summary>
    public static int? SenderOf(IMessage request) => request switch
    {
        VoteRequest vote => vote.CandidateId,
        BeginEpochRequest begin => begin.LeaderId,
        TransferLeadershipRequest transfer => transfer.LeaderId,
        FetchMetadataRequest fetch => fetch.ReplicaId,
        RegisterBrokerRequest register => register.NodeId,
        BrokerHeartbeatRequest heartbeat => heartbeat.NodeId,
        AlterPartitionsRequest alter => alter.NodeId,
        ReportDamageRequest damage => damage.NodeId,
        FetchReplicaRequest fetch => fetch.NodeId,
        _ => null,
    };

    /// <summary>Gives a message its own copy of bytes that it borrows from a receive buffer.</summary>
    public static void Own(IMessage? message)
    {
        if (message is FetchMetadataResponse fetched)
        {
            fetched.Records = fetched.Records.ToArray();
        }
        else if (message is FetchSnapshotResponse piece)
        {
            piece.Content = piece.Content.ToArray();
        }
    }
}
