// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>An offset that is looked for in one partition.</summary>
public sealed class OffsetQuery : IMessage
{
    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public StartPosition Position { get; set; }

    public long Value { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Position = (StartPosition)c.UInt8("position", (byte)Position, "0 earliest, 1 latest, 2 offset, 3 timestamp.");
        Value = c.Int64("value", Value, "The offset, or Unix milliseconds; else 0.");
    }
}

/// <summary>Looks for offsets in partitions that the broker leads.</summary>
public sealed class LookUpOffsetsRequest : IRequest<LookUpOffsetsResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.LookUpOffsets;

    public OffsetQuery[] Queries { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Queries = c.Array("queries", Queries, ProtocolLimits.PartitionsPerGroup, "Queries.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>An offset with its time.</summary>
public sealed class OffsetAnswer : IMessage
{
    public ErrorCode Error { get; set; }

    public long LogStartOffset { get; set; } = -1;

    public long HighWatermark { get; set; } = -1;

    public long Offset { get; set; } = -1;

    public long AppendTimeMs { get; set; } = -1;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "Why there is no answer, or 0.");
        LogStartOffset = c.Int64("logStartOffset", LogStartOffset, "First offset that is kept.");
        HighWatermark = c.Int64("highWatermark", HighWatermark, "First offset that cannot be read yet.");
        Offset = c.Int64("offset", Offset, "The offset, moved into what is kept.");
        AppendTimeMs = c.Int64("appendTimeMs", AppendTimeMs, "When the record there was appended, Unix milliseconds; -1 if there is none.");
    }
}

/// <summary>The offsets that were found.</summary>
public sealed class LookUpOffsetsResponse : IMessage
{
    public OffsetAnswer[] Answers { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Answers = c.Array("answers", Answers, ProtocolLimits.PartitionsPerGroup, "In the order of the request.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Reads committed batches for a coordinator on another broker.</summary>
public sealed class ReadCommittedRequest : IRequest<ReadCommittedResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.ReadCommitted;

    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public long Offset { get; set; }

    public int MaxBytes { get; set; }

    public int MaxWaitMs { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Offset = c.Int64("offset", Offset, "From the batch on that holds it.");
        MaxBytes = c.Int32("maxBytes", MaxBytes, "Most bytes; at least one batch is read.");
        MaxWaitMs = c.Int32("maxWaitMs", MaxWaitMs, "How long to wait if there is none.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Committed batches.</summary>
public sealed class ReadCommittedResponse : IMessage
{
    public ErrorCode Error { get; set; }

    public long LogStartOffset { get; set; }

    public long HighWatermark { get; set; }

    public ReadOnlyMemory<byte> Batches { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "Why there is nothing to read, or 0.");
        LogStartOffset = c.Int64("logStartOffset", LogStartOffset, "First offset that is kept.");
        HighWatermark = c.Int64("highWatermark", HighWatermark, "First offset that cannot be read yet.");
        c.BeginTags();
        c.EndTags();
        Batches = c.Payload("batches", Batches, "Whole batches, as stored.");
    }
}

/// <summary>Asks the leader for the latest record of a key.</summary>
public sealed class GetLatestRequest : IRequest<GetLatestResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.GetLatest;

    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public byte[] RecordKey { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic, of kind entity.");
        Partition = c.Int32("partition", Partition, "Partition of the key.");
        RecordKey = c.Bytes("key", RecordKey, ProtocolLimits.KeyBytes, "The key.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The latest record of a key.</summary>
public sealed class GetLatestResponse : IMessage
{
    public long Offset { get; set; } = -1;

    public long TimestampMs { get; set; } = -1;

    public bool IsDeleted { get; set; }

    public ReadOnlyMemory<byte> Value { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Offset = c.Int64("offset", Offset, "Its offset; -1 if the key has no record.");
        TimestampMs = c.Int64("timestampMs", TimestampMs, "The producer's time, Unix milliseconds.");
        IsDeleted = c.Boolean("isDeleted", IsDeleted, "Whether the record is a tombstone.");
        c.BeginTags();
        c.EndTags();
        Value = c.Payload("value", Value, "The value; empty for a tombstone.");
    }
}
