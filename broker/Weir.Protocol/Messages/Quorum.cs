// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>A candidate asks a voter of the metadata quorum for its vote.</summary>
public sealed class VoteRequest : IRequest<VoteResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Vote;

    public string ClusterId { get; set; } = string.Empty;

    public int Epoch { get; set; }

    public int CandidateId { get; set; } = -1;

    public Guid CandidateDirectoryId { get; set; }

    public int LastEpoch { get; set; }

    public long EndOffset { get; set; }

    public bool IsPreVote { get; set; }

    public bool IsBootstrap { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String(
            "clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster; empty while it is not created.");
        Epoch = c.Int32("epoch", Epoch, "The epoch that the candidate wants to lead.");
        CandidateId = c.Int32("candidateId", CandidateId, "Node id of the candidate.");
        CandidateDirectoryId = c.Uuid("candidateDirectoryId", CandidateDirectoryId, "Identity of its data directory.");
        LastEpoch = c.Int32("lastEpoch", LastEpoch, "Epoch of the last record in its metadata log; -1 if it is empty.");
        EndOffset = c.Int64("endOffset", EndOffset, "End of its metadata log, all of it on stable storage.");
        IsPreVote = c.Boolean("isPreVote", IsPreVote, "Ask only whether it would be granted: nothing is written.");
        IsBootstrap = c.Boolean(
            "isBootstrap", IsBootstrap, "The cluster is not created: granted only by a voter that knows of none either.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A voter's answer.</summary>
public sealed class VoteResponse : IMessage
{
    public int Epoch { get; set; }

    public int LeaderId { get; set; } = -1;

    public bool IsGranted { get; set; }

    public Guid VoterDirectoryId { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Epoch = c.Int32("epoch", Epoch, "The epoch that the voter is in.");
        LeaderId = c.Int32("leaderId", LeaderId, "Leader of that epoch; -1 if none is known.");
        IsGranted = c.Boolean("isGranted", IsGranted, "Whether the vote is given, durably unless it is a pre-vote.");
        VoterDirectoryId = c.Uuid(
            "voterDirectoryId", VoterDirectoryId, "Identity of the voter's data directory: a wiped one is another voter.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A new leader of the metadata quorum makes itself known to its voters.</summary>
public sealed class BeginEpochRequest : IRequest<QuorumResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.BeginEpoch;

    public string ClusterId { get; set; } = string.Empty;

    public int Epoch { get; set; }

    public int LeaderId { get; set; } = -1;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String(
            "clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster; empty while it is not created.");
        Epoch = c.Int32("epoch", Epoch, "Its epoch.");
        LeaderId = c.Int32("leaderId", LeaderId, "Its node id.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The leader of the metadata quorum asks a voter to stand for election at once.</summary>
public sealed class TransferLeadershipRequest : IRequest<QuorumResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.TransferLeadership;

    public string ClusterId { get; set; } = string.Empty;

    public int Epoch { get; set; }

    public int LeaderId { get; set; } = -1;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String("clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster.");
        Epoch = c.Int32("epoch", Epoch, "Its epoch.");
        LeaderId = c.Int32("leaderId", LeaderId, "Its node id.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Where the answering member of the quorum stands.</summary>
public sealed class QuorumResponse : IMessage
{
    public int Epoch { get; set; }

    public int LeaderId { get; set; } = -1;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Epoch = c.Int32("epoch", Epoch, "Its epoch.");
        LeaderId = c.Int32("leaderId", LeaderId, "Leader of that epoch; -1 if none is known.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Reads the metadata log from its leader. Everything below the fetch offset is on stable storage here.</summary>
public sealed class FetchMetadataRequest : IRequest<FetchMetadataResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.FetchMetadata;

    public string ClusterId { get; set; } = string.Empty;

    public int Epoch { get; set; }

    public int ReplicaId { get; set; } = -1;

    public Guid DirectoryId { get; set; }

    public long FetchOffset { get; set; }

    public int LastFetchedEpoch { get; set; }

    public long HighWatermark { get; set; }

    public int MaxWaitMs { get; set; }

    public int MaxBytes { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String(
            "clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster; empty if the replica knows none yet.");
        Epoch = c.Int32("epoch", Epoch, "The epoch that the replica is in.");
        ReplicaId = c.Int32("replicaId", ReplicaId, "Its node id.");
        DirectoryId = c.Uuid("directoryId", DirectoryId, "Identity of its data directory.");
        FetchOffset = c.Int64("fetchOffset", FetchOffset, "End of its metadata log.");
        LastFetchedEpoch = c.Int32(
            "lastFetchedEpoch", LastFetchedEpoch, "Epoch of the record before it; -1 if there is none.");
        HighWatermark = c.Int64(
            "highWatermark", HighWatermark, "The high watermark that it knows: a higher one is told at once.");
        MaxWaitMs = c.Int32("maxWaitMs", MaxWaitMs, "How long to wait for records.");
        MaxBytes = c.Int32("maxBytes", MaxBytes, "How many bytes of records to send; one batch is always sent.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Metadata records, or how to come to the same log as the leader.</summary>
public sealed class FetchMetadataResponse : IMessage
{
    public ErrorCode Error { get; set; }

    public string ClusterId { get; set; } = string.Empty;

    public int Epoch { get; set; }

    public int LeaderId { get; set; } = -1;

    public long HighWatermark { get; set; }

    public int DivergingEpoch { get; set; } = -1;

    public long DivergingEndOffset { get; set; } = -1;

    public long SnapshotOffset { get; set; } = -1;

    public int SnapshotEpoch { get; set; }

    public ReadOnlyMemory<byte> Records { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "NotController, FencedLeaderEpoch, WrongCluster, or 0.");
        ClusterId = c.String("clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster.");
        Epoch = c.Int32("epoch", Epoch, "Epoch of the answering node.");
        LeaderId = c.Int32("leaderId", LeaderId, "Leader of that epoch; -1 if none is known.");
        HighWatermark = c.Int64("highWatermark", HighWatermark, "Everything below is committed.");
        DivergingEpoch = c.Int32(
            "divergingEpoch", DivergingEpoch, "The largest epoch not above the replica's last one that the leader has; -1 if the logs agree.");
        DivergingEndOffset = c.Int64(
            "divergingEndOffset", DivergingEndOffset, "Where that epoch ends in the log of the leader: cut there and fetch again.");
        SnapshotOffset = c.Int64(
            "snapshotOffset", SnapshotOffset, "End of the snapshot to fetch instead, as the log no longer reaches back; -1 if it does.");
        SnapshotEpoch = c.Int32("snapshotEpoch", SnapshotEpoch, "Epoch of the last record in that snapshot.");
        c.BeginTags();
        c.EndTags();
        Records = c.Payload("records", Records, "Record batches.");
    }
}

/// <summary>Reads a piece of a metadata snapshot.</summary>
public sealed class FetchSnapshotRequest : IRequest<FetchSnapshotResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.FetchSnapshot;

    public string ClusterId { get; set; } = string.Empty;

    public int Epoch { get; set; }

    public long SnapshotOffset { get; set; } = -1;

    public long Position { get; set; }

    public int MaxBytes { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String(
            "clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster; empty if the replica knows none yet.");
        Epoch = c.Int32("epoch", Epoch, "The epoch that the replica is in.");
        SnapshotOffset = c.Int64("snapshotOffset", SnapshotOffset, "Which snapshot: the offset that it ends at.");
        Position = c.Int64("position", Position, "First byte wanted.");
        MaxBytes = c.Int32("maxBytes", MaxBytes, "How many bytes to send.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A piece of a metadata snapshot.</summary>
public sealed class FetchSnapshotResponse : IMessage
{
    public ErrorCode Error { get; set; }

    public int Epoch { get; set; }

    public int LeaderId { get; set; } = -1;

    public long SizeBytes { get; set; }

    public ReadOnlyMemory<byte> Content { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Error = (ErrorCode)c.UInt16(
            "error", (ushort)Error, "NotController, FencedLeaderEpoch, OffsetOutOfRange if there is no such snapshot, or 0.");
        Epoch = c.Int32("epoch", Epoch, "Epoch of the answering node.");
        LeaderId = c.Int32("leaderId", LeaderId, "Leader of that epoch; -1 if none is known.");
        SizeBytes = c.Int64("sizeBytes", SizeBytes, "Size of the whole snapshot.");
        c.BeginTags();
        c.EndTags();
        Content = c.Payload("content", Content, "Its bytes from the position on.");
    }
}
