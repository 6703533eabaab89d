namespace Weir.Protocol.Errors;

/// <summary>
/// The typed errors of the protocol. Numbers are frozen: a retired one is never given out again. What each means, and
/// whether the same request may be sent again, stands in <see cref="ErrorCatalog"/>.
/// </summary>
public enum ErrorCode : ushort
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>The broker met a fault that it has no better code for.</summary>
    Internal = 1,

    /// <summary>Bytes that do not follow the protocol; the connection is closed after it.</summary>
    MalformedFrame = 2,

    /// <summary>A frame longer than the connection's present limit; the connection is closed after it.</summary>
    FrameTooLarge = 3,

    /// <summary>An API key that this broker does not have.</summary>
    UnknownApi = 4,

    /// <summary>An API version outside the range in the hello.</summary>
    UnsupportedVersion = 5,

    /// <summary>A request that is not allowed at this point of the connection, as one before the hello.</summary>
    UnexpectedMessage = 6,

    /// <summary>The hello named another cluster.</summary>
    WrongCluster = 7,

    /// <summary>The connection must authenticate first.</summary>
    AuthenticationRequired = 8,

    /// <summary>The mechanism is unknown, not allowed on this listener, or the proof is wrong.</summary>
    AuthenticationFailed = 9,

    /// <summary>A field has a value outside its bounds.</summary>
    InvalidRequest = 10,

    /// <summary>A topic name that is not 1 to 249 of [a-zA-Z0-9._-], or is "." or "..".</summary>
    InvalidTopicName = 11,

    /// <summary>No topic has this name or id.</summary>
    UnknownTopic = 12,

    /// <summary>The topic has no partition with this index.</summary>
    UnknownPartition = 13,

    /// <summary>A topic of this name exists.</summary>
    TopicExists = 14,

    /// <summary>A configuration key is unknown or its value is out of range.</summary>
    InvalidConfig = 15,

    /// <summary>The batch's checksum does not match its bytes, or it names another topic or partition.</summary>
    CorruptBatch = 16,

    /// <summary>The batch's header or records do not follow the batch format.</summary>
    InvalidBatch = 17,

    /// <summary>The batch is larger than the topic's <c>max.batch.bytes</c>.</summary>
    BatchTooLarge = 18,

    /// <summary>The offset is below the log start offset or above the high watermark.</summary>
    OffsetOutOfRange = 19,

    /// <summary>A sequence number does not follow the last one of this producer.</summary>
    OutOfOrderSequence = 20,

    /// <summary>The producer id is not known here and the batch does not start at sequence 0.</summary>
    UnknownProducer = 21,

    /// <summary>A newer epoch of this producer id exists.</summary>
    FencedProducer = 22,

    /// <summary>The data directory's file system is full: produce is refused, consuming goes on.</summary>
    StorageFull = 23,

    /// <summary>A write or sync failed: this partition's log is stopped until the broker restarts.</summary>
    LogStopped = 24,

    /// <summary>Committed data fails its checksum and no intact copy is known.</summary>
    CorruptLog = 25,

    /// <summary>The broker is stopping.</summary>
    ShuttingDown = 26,

    /// <summary>The request was not done within its deadline; it may still take effect.</summary>
    RequestTimedOut = 27,

    /// <summary>The connection or broker has too much in progress.</summary>
    Throttled = 28,

    /// <summary>A subscription id that is in use, or is not.</summary>
    InvalidSubscription = 29,

    /// <summary>More credit was granted than a subscription may hold.</summary>
    CreditOverflow = 30,

    /// <summary>A limit of the cluster is reached: topics, partitions, connections.</summary>
    LimitReached = 31,

    /// <summary>This broker does not lead the partition.</summary>
    NotLeader = 32,

    /// <summary>The batch is compressed with a codec that this broker does not know.</summary>
    UnsupportedCompression = 33,

    /// <summary>The connection is already lost or was closed by the other side.</summary>
    ConnectionLost = 34,

    /// <summary>This broker is not the controller, or there is none now.</summary>
    NotController = 35,

    /// <summary>The broker has registered again since, or was replaced.</summary>
    StaleBrokerEpoch = 36,

    /// <summary>The request is of an older leader epoch.</summary>
    FencedLeaderEpoch = 37,

    /// <summary>The request is of a leader epoch that this broker does not know yet.</summary>
    UnknownLeaderEpoch = 38,

    /// <summary>The partition has changed since the state that the request starts from.</summary>
    StalePartitionEpoch = 39,

    /// <summary>A replica that is named may not be in sync: it is fenced, draining, or no replica.</summary>
    IneligibleReplica = 40,

    /// <summary>Another live broker has this node id.</summary>
    DuplicateBroker = 41,

    /// <summary>Fewer replicas are in sync than min.insync.replicas: nothing was appended.</summary>
    NotEnoughReplicas = 42,

    /// <summary>The metadata quorum has no leader: the cluster cannot be changed now.</summary>
    QuorumUnavailable = 43,

    /// <summary>The connection may not call this API.</summary>
    NotAuthorized = 44,

    /// <summary>The partition has no leader now.</summary>
    LeaderNotAvailable = 45,

    /// <summary>The new leader does not know yet how far the partition is committed.</summary>
    OffsetNotAvailable = 46,

    /// <summary>The replicas that are asked for cannot be.</summary>
    InvalidReassignment = 47,

    /// <summary>The fetch does not continue a session that the leader knows.</summary>
    InvalidFetchSession = 48,

    /// <summary>No broker with this node id is registered.</summary>
    UnknownBroker = 49,

    /// <summary>The broker still holds replicas, or is running.</summary>
    BrokerNotEmpty = 50,

    /// <summary>No group has this name or id.</summary>
    UnknownGroup = 51,

    /// <summary>A group of this name exists.</summary>
    GroupExists = 52,

    /// <summary>A group name that is not 1 to 249 of [a-zA-Z0-9._-], or is "." or "..".</summary>
    InvalidGroupName = 53,

    /// <summary>The group's mode does not offer this.</summary>
    WrongGroupMode = 54,

    /// <summary>This broker does not coordinate the group.</summary>
    NotCoordinator = 55,

    /// <summary>The group's coordinator is reading its state, or cannot write it now.</summary>
    CoordinatorNotReady = 56,

    /// <summary>The group has no member with this id: it was silent too long, or left.</summary>
    UnknownMember = 57,

    /// <summary>The member's epoch is not the one it has now: what it holds is not its own any more.</summary>
    FencedMember = 58,

    /// <summary>Another member of the group uses this instance id now.</summary>
    FencedInstance = 59,

    /// <summary>The partition is not assigned to this member.</summary>
    NotAssigned = 60,

    /// <summary>The record's lock is not this member's any more: it expired, or the record is settled.</summary>
    LockExpired = 61,

    /// <summary>The group has members.</summary>
    GroupNotEmpty = 62,

    /// <summary>A record without key was sent to an entity topic.</summary>
    UnkeyedRecord = 63,

    /// <summary>The topic has a declared owner, and the producer is another one.</summary>
    NotTopicOwner = 64,

    /// <summary>The hello named another node of the cluster: the address leads to this one now.</summary>
    WrongNode = 65,
}
