// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>Where a follower stands in one partition.</summary>
public sealed class ReplicaFetch : IMessage
{
    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public int LeaderEpoch { get; set; }

    public long FetchOffset { get; set; }

    public int LastFetchedEpoch { get; set; }

    public long SettledOffset { get; set; }

    public long HighWatermark { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        LeaderEpoch = c.Int32("leaderEpoch", LeaderEpoch, "Epoch of the leader that it follows.");
        FetchOffset = c.Int64("fetchOffset", FetchOffset, "End of its log.");
        LastFetchedEpoch = c.Int32(
            "lastFetchedEpoch", LastFetchedEpoch, "Leader epoch of the batch before it; -1 if there is none.");
        SettledOffset = c.Int64(
            "settledOffset", SettledOffset, "Everything below is kept as the topic's durability wants it: the follower's acknowledgement.");
        HighWatermark = c.Int64("highWatermark", HighWatermark, "The high watermark that it knows.");
    }
}

/// <summary>A follower reads from a leader what is new in all partitions of a session.</summary>
public sealed class FetchReplicaRequest : IRequest<FetchReplicaResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.FetchReplica;

    public int NodeId { get; set; } = -1;

    public long BrokerEpoch { get; set; }

    public long SessionId { get; set; }

    public int SessionEpoch { get; set; }

    public int MaxWaitMs { get; set; }

    public int MaxBytes { get; set; }

    public ReplicaFetch[] Partitions { get; set; } = [];

    public PartitionKey[] Forgotten { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "The follower.");
        BrokerEpoch = c.Int64("brokerEpoch", BrokerEpoch, "Epoch of its registration.");
        SessionId = c.Int64("sessionId", SessionId, "Chosen by the follower for each session, never twice.");
        SessionEpoch = c.Int32(
            "sessionEpoch", SessionEpoch, "0 starts the session with all its partitions; then one more each time.");
        MaxWaitMs = c.Int32("maxWaitMs", MaxWaitMs, "How long to wait for records.");
        MaxBytes = c.Int32("maxBytes", MaxBytes, "How many bytes of records to send.");
        Partitions = c.Array(
            "partitions", Partitions, ProtocolLimits.PartitionsPerRequest, "New partitions, and those that moved.");
        Forgotten = c.Array(
            "forgotten", Forgotten, ProtocolLimits.PartitionsPerRequest, "Partitions that leave the session.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>News of one partition.</summary>
public sealed class FetchedPartition : IMessage
{
    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public ErrorCode Error { get; set; }

    public long HighWatermark { get; set; }

    public long LogStartOffset { get; set; }

    public int DivergingEpoch { get; set; } = -1;

    public long DivergingEndOffset { get; set; } = -1;

    public int RecordBytes { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "Why there is nothing, or 0.");
        HighWatermark = c.Int64("highWatermark", HighWatermark, "High watermark of the leader.");
        LogStartOffset = c.Int64("logStartOffset", LogStartOffset, "First offset that the leader keeps.");
        DivergingEpoch = c.Int32(
            "divergingEpoch", DivergingEpoch, "The largest epoch not above the follower's last one that the leader has; -1 if the logs agree.");
        DivergingEndOffset = c.Int64(
            "divergingEndOffset", DivergingEndOffset, "Where that epoch ends in the log of the leader: cut there and fetch again.");
        RecordBytes = c.Int32("recordBytes", RecordBytes, "How many bytes of the payload are its record batches.");
    }
}

/// <summary>What is new, partition by partition.</summary>
public sealed class FetchReplicaResponse : IMessage
{
    public ErrorCode Error { get; set; }

    public FetchedPartition[] Partitions { get; set; } = [];

    public ReadOnlyMemory<byte> Records { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "InvalidFetchSession, StaleBrokerEpoch, NotAuthorized, or 0.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerRequest, "Partitions with news.");
        c.BeginTags();
        c.EndTags();
        Records = c.Payload("records", Records, "Record batches as they are in the log, in the order of the partitions.");
    }
}

/// <summary>Reads committed batches of one replica, leader or not, from the batch on that holds an offset.</summary>
public sealed class FetchRangeRequest : IRequest<FetchRangeResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.FetchRange;

    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public long FromOffset { get; set; }

    public long ToOffset { get; set; }

    public int MaxBytes { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        FromOffset = c.Int64("fromOffset", FromOffset, "First offset wanted.");
        ToOffset = c.Int64("toOffset", ToOffset, "First offset not wanted.");
        MaxBytes = c.Int32("maxBytes", MaxBytes, "How many bytes to send; one batch is always sent.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Committed batches.</summary>
public sealed class FetchRangeResponse : IMessage
{
    public long HighWatermark { get; set; }

    public ReadOnlyMemory<byte> Records { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        HighWatermark = c.Int64(
            "highWatermark", HighWatermark, "High watermark of the answering replica: nothing above it is sent.");
        c.BeginTags();
        c.EndTags();
        Records = c.Payload("records", Records, "Record batches, checked before they were sent.");
    }
}
