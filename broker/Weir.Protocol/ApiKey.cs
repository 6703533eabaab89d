namespace Weir.Protocol;

/// <summary>The APIs of the protocol. Numbers are frozen.</summary>
public enum ApiKey : ushort
{
    /// <summary>First request on every connection: who speaks, and which versions.</summary>
    Hello = 0,

    /// <summary>Proves who the client is.</summary>
    Authenticate = 1,

    /// <summary>Brokers, topics, partitions and their leaders.</summary>
    Metadata = 2,

    /// <summary>Creates a topic.</summary>
    CreateTopic = 3,

    /// <summary>Deletes a topic and its data.</summary>
    DeleteTopic = 4,

    /// <summary>Changes a topic's configuration or adds partitions.</summary>
    AlterTopic = 5,

    /// <summary>A topic's configuration and the offsets and sizes of its partitions.</summary>
    DescribeTopic = 6,

    /// <summary>Appends one record batch to one partition.</summary>
    Produce = 7,

    /// <summary>Starts the delivery of one partition on this connection.</summary>
    Subscribe = 8,

    /// <summary>Stored batches, pushed by the broker.</summary>
    Deliver = 9,

    /// <summary>Lets the broker send more, in bytes.</summary>
    Credit = 10,

    /// <summary>Ends a subscription.</summary>
    Unsubscribe = 11,

    /// <summary>Finds an offset: earliest, latest or by timestamp.</summary>
    ListOffsets = 12,

    /// <summary>Gives out a producer id.</summary>
    InitProducer = 13,

    /// <summary>What this broker is and how it is set up.</summary>
    DescribeBroker = 14,

    /// <summary>Moves the log start offset forward.</summary>
    DeleteRecords = 15,

    /// <summary>Does nothing: shows that the other side lives.</summary>
    Ping = 16,

    /// <summary>The broker ended a subscription.</summary>
    SubscriptionEnded = 17,

    /// <summary>The broker is going away: finish and reconnect.</summary>
    Drain = 18,

    /// <summary>Between brokers: a candidate of the metadata quorum asks for a vote.</summary>
    Vote = 30,

    /// <summary>Between brokers: a leader of the metadata quorum makes itself known.</summary>
    BeginEpoch = 31,

    /// <summary>Between brokers: the leader of the metadata quorum asks a voter to take over.</summary>
    TransferLeadership = 32,

    /// <summary>Between brokers: reads the metadata log; a voter's next fetch is its acknowledgement.</summary>
    FetchMetadata = 33,

    /// <summary>Between brokers: reads a piece of a metadata snapshot.</summary>
    FetchSnapshot = 34,

    /// <summary>Between brokers: a broker joins, with a new broker epoch.</summary>
    RegisterBroker = 35,

    /// <summary>Between brokers: a broker lives, and how far it has come.</summary>
    BrokerHeartbeat = 36,

    /// <summary>Between brokers: leaders ask the controller to change in-sync replicas.</summary>
    AlterPartitions = 37,

    /// <summary>Between brokers: a broker tells the controller of replicas whose data is damaged.</summary>
    ReportDamage = 38,

    /// <summary>Between brokers: a follower reads its partitions from their leader.</summary>
    FetchReplica = 39,

    /// <summary>Between brokers: reads committed batches of a replica, to repair another one.</summary>
    FetchRange = 40,

    /// <summary>The cluster: its controller, voters, brokers and what is under way.</summary>
    DescribeCluster = 41,

    /// <summary>Drains, cordons, decommissions or removes a broker, or takes that back.</summary>
    ChangeBroker = 42,

    /// <summary>Whether a broker may be stopped now, or has come back in full.</summary>
    CheckBroker = 43,

    /// <summary>Moves replicas of a topic, changes how many there are, or cancels that.</summary>
    ReassignPartitions = 44,

    /// <summary>Chooses leaders: the preferred ones, or one that may lack records.</summary>
    ElectLeaders = 45,

    /// <summary>Declares a consumer group.</summary>
    CreateGroup = 50,

    /// <summary>Changes a group's declaration.</summary>
    AlterGroup = 51,

    /// <summary>Deletes a group and what it has consumed.</summary>
    DeleteGroup = 52,

    /// <summary>The declared groups.</summary>
    ListGroups = 53,

    /// <summary>A group's declaration, members, offsets and lag.</summary>
    DescribeGroup = 54,

    /// <summary>Moves the offsets of a group.</summary>
    ResetGroup = 55,

    /// <summary>Which broker coordinates a group.</summary>
    FindCoordinator = 56,

    /// <summary>Changes a setting of the cluster.</summary>
    AlterCluster = 57,

    /// <summary>A member enters a group, on this connection.</summary>
    JoinGroup = 60,

    /// <summary>A member lives, and which partitions it holds.</summary>
    GroupHeartbeat = 61,

    /// <summary>A member leaves its group.</summary>
    LeaveGroup = 62,

    /// <summary>What a member of a stream group may consume, pushed by the coordinator.</summary>
    GroupAssignment = 63,

    /// <summary>Commits offsets of a stream group.</summary>
    CommitOffsets = 64,

    /// <summary>Records of a queue or keyed group, pushed by the coordinator.</summary>
    GroupDeliver = 65,

    /// <summary>Acknowledges, rejects, releases or extends records of a queue or keyed group.</summary>
    Settle = 66,

    /// <summary>The coordinator ended a member's session.</summary>
    GroupSessionEnded = 67,

    /// <summary>Offsets of partitions with their times, from their leader.</summary>
    LookUpOffsets = 70,

    /// <summary>Between brokers: reads committed batches, waiting for them if there are none.</summary>
    ReadCommitted = 71,

    /// <summary>The latest record of one key of an entity topic.</summary>
    GetLatest = 72,
}
