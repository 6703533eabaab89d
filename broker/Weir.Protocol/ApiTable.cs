using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Protocol;

/// <summary>What a message is in its API.</summary>
public enum MessageRole
{
    /// <summary>A request's body.</summary>
    Request,

    /// <summary>A successful response's body.</summary>
    Response,

    /// <summary>A push from broker to client.</summary>
    BrokerPush,

    /// <summary>A push from client to broker.</summary>
    ClientPush,

    /// <summary>The body of every response with the error flag.</summary>
    Error,
}

/// <summary>Is shown every message type of the protocol, without reflection.</summary>
public interface IMessageVisitor
{
    /// <summary>Called once for each message and version.</summary>
    void Visit<T>(ApiKey api, MessageRole role, ushort version)
        where T : IMessage, new();
}

/// <summary>All APIs with their versions and messages: the one list that broker, client, documents and tests share.</summary>
public static class ApiTable
{
    /// <summary>The versions this build speaks.</summary>
    public static ApiRange[] Ranges { get; } =
    [
        .. Enum.GetValues<ApiKey>().Select(static api => new ApiRange { Api = api, MinVersion = 1, MaxVersion = 1 }),
    ];

    /// <summary>Whether this build speaks a version of an API.</summary>
    public static bool Supports(ApiKey api, ushort version) => Knows(api) && version == 1;

    /// <summary>Whether this build knows an API at all.</summary>
    public static bool Knows(ApiKey api) => Enum.IsDefined(api);

    /// <summary>Shows every message in every version to a visitor, in the order of the API keys.</summary>
    public static void VisitAll(IMessageVisitor visitor)
    {
        VisitPair<HelloRequest, HelloResponse>(visitor);
        VisitPair<AuthenticateRequest, AuthenticateResponse>(visitor);
        VisitPair<MetadataRequest, MetadataResponse>(visitor);
        VisitPair<CreateTopicRequest, CreateTopicResponse>(visitor);
        VisitPair<DeleteTopicRequest, EmptyMessage>(visitor);
        VisitPair<AlterTopicRequest, EmptyMessage>(visitor);
        VisitPair<DescribeTopicRequest, DescribeTopicResponse>(visitor);
        VisitPair<ProduceRequest, ProduceResponse>(visitor);
        VisitPair<SubscribeRequest, SubscribeResponse>(visitor);
        visitor.Visit<DeliverPush>(ApiKey.Deliver, MessageRole.BrokerPush, 1);
        visitor.Visit<CreditPush>(ApiKey.Credit, MessageRole.ClientPush, 1);
        VisitPair<UnsubscribeRequest, EmptyMessage>(visitor);
        VisitPair<ListOffsetsRequest, ListOffsetsResponse>(visitor);
        VisitPair<InitProducerRequest, InitProducerResponse>(visitor);
        VisitPair<DescribeBrokerRequest, DescribeBrokerResponse>(visitor);
        VisitPair<DeleteRecordsRequest, DeleteRecordsResponse>(visitor);
        VisitPair<PingRequest, EmptyMessage>(visitor);
        visitor.Visit<SubscriptionEndedPush>(ApiKey.SubscriptionEnded, MessageRole.BrokerPush, 1);
        visitor.Visit<DrainPush>(ApiKey.Drain, MessageRole.BrokerPush, 1);
        VisitPair<VoteRequest, VoteResponse>(visitor);
        VisitPair<BeginEpochRequest, QuorumResponse>(visitor);
        VisitPair<TransferLeadershipRequest, QuorumResponse>(visitor);
        VisitPair<FetchMetadataRequest, FetchMetadataResponse>(visitor);
        VisitPair<FetchSnapshotRequest, FetchSnapshotResponse>(visitor);
        VisitPair<RegisterBrokerRequest, RegisterBrokerResponse>(visitor);
        VisitPair<BrokerHeartbeatRequest, BrokerHeartbeatResponse>(visitor);
        VisitPair<AlterPartitionsRequest, AlterPartitionsResponse>(visitor);
        VisitPair<ReportDamageRequest, EmptyMessage>(visitor);
        VisitPair<FetchReplicaRequest, FetchReplicaResponse>(visitor);
        VisitPair<FetchRangeRequest, FetchRangeResponse>(visitor);
        VisitPair<DescribeClusterRequest, DescribeClusterResponse>(visitor);
        VisitPair<ChangeBrokerRequest, EmptyMessage>(visitor);
        VisitPair<CheckBrokerRequest, CheckBrokerResponse>(visitor);
        VisitPair<ReassignPartitionsRequest, EmptyMessage>(visitor);
        VisitPair<ElectLeadersRequest, EmptyMessage>(visitor);
        VisitPair<CreateGroupRequest, CreateGroupResponse>(visitor);
        VisitPair<AlterGroupRequest, EmptyMessage>(visitor);
        VisitPair<DeleteGroupRequest, EmptyMessage>(visitor);
        VisitPair<ListGroupsRequest, ListGroupsResponse>(visitor);
        VisitPair<DescribeGroupRequest, DescribeGroupResponse>(visitor);
        VisitPair<ResetGroupRequest, ResetGroupResponse>(visitor);
        VisitPair<FindCoordinatorRequest, FindCoordinatorResponse>(visitor);
        VisitPair<AlterClusterRequest, EmptyMessage>(visitor);
        VisitPair<JoinGroupRequest, JoinGroupResponse>(visitor);
        VisitPair<GroupHeartbeatRequest, GroupHeartbeatResponse>(visitor);
        VisitPair<LeaveGroupRequest, EmptyMessage>(visitor);
        visitor.Visit<GroupAssignmentPush>(ApiKey.GroupAssignment, MessageRole.BrokerPush, 1);
        VisitPair<CommitOffsetsRequest, CommitOffsetsResponse>(visitor);
        visitor.Visit<GroupDeliverPush>(ApiKey.GroupDeliver, MessageRole.BrokerPush, 1);
        VisitPair<SettleRequest, SettleResponse>(visitor);
        visitor.Visit<GroupSessionEndedPush>(ApiKey.GroupSessionEnded, MessageRole.BrokerPush, 1);
        VisitPair<LookUpOffsetsRequest, LookUpOffsetsResponse>(visitor);
        VisitPair<ReadCommittedRequest, ReadCommittedResponse>(visitor);
        VisitPair<GetLatestRequest, GetLatestResponse>(visitor);
        visitor.Visit<ErrorMessage>(ApiKey.Hello, MessageRole.Error, 1);
    }

    private static void VisitPair<TRequest, TResponse>(IMessageVisitor visitor)
        where TRequest : IRequest<TResponse>, new()
        where TResponse : IMessage, new()
    {
        visitor.Visit<TRequest>(TRequest.Key, MessageRole.Request, 1);
        visitor.Visit<TResponse>(TRequest.Key, MessageRole.Response, 1);
    }
}
