using System.Collections.Frozen;

namespace Weir.Protocol.Errors;

/// <summary>What a client may do about an error.</summary>
/// <param name="Code">The code.</param>
/// <param name="IsRetriable">Whether the same request, unchanged, may succeed later.</param>
/// <param name="ClosesConnection">Whether the sender closes the connection after it.</param>
/// <param name="Advice">What to do, as a sentence for people.</param>
public sealed record ErrorInfo(ErrorCode Code, bool IsRetriable, bool ClosesConnection, string Advice);

/// <summary>The properties of every <see cref="ErrorCode"/>; the table in docs/protocol.md is made from it.</summary>
public static class ErrorCatalog
{
    private static readonly FrozenDictionary<ErrorCode, ErrorInfo> ByCode = new ErrorInfo[]
    {
        new(ErrorCode.None, false, false, "Nothing."),
        new(ErrorCode.Internal, true, false, "Retry; if it stays, read the broker's log."),
        new(ErrorCode.MalformedFrame, false, true, "Mend the client: its bytes do not follow the protocol."),
        new(ErrorCode.FrameTooLarge, false, true, "Send smaller frames: the hello's reply names the limit."),
        new(ErrorCode.UnknownApi, false, false, "Use an API from the ranges in the hello's reply."),
        new(ErrorCode.UnsupportedVersion, false, false, "Use a version from the ranges in the hello's reply."),
        new(ErrorCode.UnexpectedMessage, false, true, "Send the hello first, then authenticate, then the rest."),
        new(ErrorCode.WrongCluster, false, true, "Check the address: it leads to another cluster."),
        new(ErrorCode.AuthenticationRequired, false, true, "Authenticate with a mechanism from the hello's reply."),
        new(ErrorCode.AuthenticationFailed, false, true, "Check the credentials and the listener's mechanisms."),
        new(ErrorCode.InvalidRequest, false, false, "Mend the field that the text names."),
        new(ErrorCode.InvalidTopicName, false, false, "Use 1 to 249 of the characters a-z A-Z 0-9 . _ -"),
        new(ErrorCode.UnknownTopic, false, false, "Create the topic, or refresh the metadata."),
        new(ErrorCode.UnknownPartition, false, false, "Use a partition from the topic's metadata."),
        new(ErrorCode.TopicExists, false, false, "Choose another name, or alter the topic that is there."),
        new(ErrorCode.InvalidConfig, false, false, "Mend the key or value that the text names."),
        new(ErrorCode.CorruptBatch, true, false, "Send the batch again: it was damaged on its way."),
        new(ErrorCode.InvalidBatch, false, false, "Mend the client: the batch does not follow the format."),
        new(ErrorCode.BatchTooLarge, false, false, "Send smaller batches, or raise the topic's max.batch.bytes."),
        new(ErrorCode.OffsetOutOfRange, false, false, "Start from earliest, latest or an offset in range."),
        new(ErrorCode.OutOfOrderSequence, false, false, "Stop: an earlier batch of this producer is missing."),
        new(ErrorCode.UnknownProducer, false, false, "Initialise the producer again and start at sequence 0."),
        new(ErrorCode.FencedProducer, false, false, "Stop: another instance took over this producer id."),
        new(ErrorCode.StorageFull, true, false, "Free or add disk space; retried writes then succeed."),
        new(ErrorCode.LogStopped, true, false, "Check the disk and restart the broker."),
        new(ErrorCode.CorruptLog, false, false, "Restore the range that the text names from a replica or backup."),
        new(ErrorCode.ShuttingDown, true, false, "Reconnect, to another broker if there is one."),
        new(ErrorCode.RequestTimedOut, true, false, "Retry; a producer's sequence numbers prevent duplicates."),
        new(ErrorCode.Throttled, true, false, "Wait for retry-after, then retry."),
        new(ErrorCode.InvalidSubscription, false, false, "Use an id that is free on this connection."),
        new(ErrorCode.CreditOverflow, false, false, "Grant only what was consumed."),
        new(ErrorCode.LimitReached, false, false, "Raise the limit that the text names, or use less."),
        new(ErrorCode.NotLeader, true, false, "Refresh the metadata and ask the leader."),
        new(ErrorCode.UnsupportedCompression, false, false, "Use none, lz4 or zstd."),
        new(ErrorCode.ConnectionLost, true, true, "Reconnect."),
        new(ErrorCode.NotController, true, false, "Ask again: the request is brought to the controller."),
        new(ErrorCode.StaleBrokerEpoch, false, false, "Register again."),
        new(ErrorCode.FencedLeaderEpoch, true, false, "Refresh the metadata and ask as of the present epoch."),
        new(ErrorCode.UnknownLeaderEpoch, true, false, "Retry: the broker is about to learn of it."),
        new(ErrorCode.StalePartitionEpoch, true, false, "Start from the present state."),
        new(ErrorCode.IneligibleReplica, true, false, "Leave it out until it is back."),
        new(ErrorCode.DuplicateBroker, true, false, "Give each broker a node id of its own; after a crash, wait for the session to expire."),
        new(ErrorCode.NotEnoughReplicas, true, false, "Retry; bring the missing brokers back."),
        new(ErrorCode.QuorumUnavailable, true, false, "Retry; bring the voters back that the text names."),
        new(ErrorCode.NotAuthorized, false, false, "Ask an operator: it is for brokers alone, or the cluster is set so."),
        new(ErrorCode.LeaderNotAvailable, true, false, "Retry; bring its in-sync replicas back."),
        new(ErrorCode.OffsetNotAvailable, true, false, "Retry: it is about to learn that."),
        new(ErrorCode.InvalidReassignment, false, false, "Mend what the text names."),
        new(ErrorCode.InvalidFetchSession, true, false, "Start a new session."),
        new(ErrorCode.UnknownBroker, false, false, "Use a node id from the list of brokers."),
        new(ErrorCode.BrokerNotEmpty, false, false, "Decommission it, wait until it holds nothing, and stop it."),
        new(ErrorCode.UnknownGroup, false, false, "Declare the group, or check its name."),
        new(ErrorCode.GroupExists, false, false, "Choose another name, or alter the group that is there."),
        new(ErrorCode.InvalidGroupName, false, false, "Use 1 to 249 of the characters a-z A-Z 0-9 . _ -"),
        new(ErrorCode.WrongGroupMode, false, false, "Use what the mode of the group offers, or declare another group."),
        new(ErrorCode.NotCoordinator, true, false, "Find the coordinator again and ask it."),
        new(ErrorCode.CoordinatorNotReady, true, false, "Retry: it is about to be."),
        new(ErrorCode.UnknownMember, false, false, "Drop what you hold and join again."),
        new(ErrorCode.FencedMember, false, false, "Drop what you hold and join again."),
        new(ErrorCode.FencedInstance, false, false, "Stop, or give each member an instance id of its own."),
        new(ErrorCode.NotAssigned, false, false, "Stop consuming the partition: it is another member's, or about to be."),
        new(ErrorCode.LockExpired, false, false, "Expect the record again; extend locks in time, or raise lock.ms."),
        new(ErrorCode.GroupNotEmpty, false, false, "Stop its members, or force it: that fences them."),
        new(ErrorCode.UnkeyedRecord, false, false, "Give each record of an entity topic a key."),
        new(ErrorCode.NotTopicOwner, false, false, "Publish as the topic's owner, or change the owner."),
        new(ErrorCode.WrongNode, true, true, "Use the address that the metadata have for the node, then retry."),
    }.ToFrozenDictionary(static info => info.Code);

    /// <summary>All errors, by number.</summary>
    public static IEnumerable<ErrorInfo> All => ByCode.Values.OrderBy(static info => info.Code);

    /// <summary>The properties of a code; a code from a newer peer counts as final.</summary>
    public static ErrorInfo Get(ErrorCode code) =>
        ByCode.TryGetValue(code, out var info)
            ? info
            : new ErrorInfo(code, false, false, $"Unknown error {(ushort)code}: upgrade the client.");
}
