// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>When a produce request is answered.</summary>
public enum Acks : byte
{
    /// <summary>Not at all: sent as a push.</summary>
    None = 0,

    /// <summary>Once the leader has it in its log, not yet on stable storage.</summary>
    Leader = 1,

    /// <summary>Once the topic's durability contract holds.</summary>
    All = 2,
}

/// <summary>Appends one record batch. With <see cref="Acks.None"/> it is sent as a push.</summary>
public sealed class ProduceRequest : IRequest<ProduceResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Produce;

    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public Acks Acks { get; set; } = Acks.All;

    public string? Writer { get; set; }

    public ReadOnlyMemory<byte> Batch { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Acks = (Acks)c.UInt8("acks", (byte)Acks, "0 none (as a push), 1 leader, 2 all.");
        c.BeginTags();
        Writer = c.TaggedString(1, "writer", Writer, ProtocolLimits.ShortStringBytes, "Who publishes, where the topic has a setting `writer`.");
        c.EndTags();
        Batch = c.Payload("batch", Batch, "Exactly one record batch.");
    }
}

/// <summary>Where the batch is.</summary>
public sealed class ProduceResponse : IMessage
{
    public long BaseOffset { get; set; }

    public long AppendTimeMs { get; set; }

    public Durability Durability { get; set; }

    public bool Duplicate { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        BaseOffset = c.Int64("baseOffset", BaseOffset, "Offset of the batch's first record.");
        AppendTimeMs = c.Int64("appendTimeMs", AppendTimeMs, "When the leader appended it, Unix milliseconds.");
        Durability = (Durability)c.UInt8(
            "durability", (byte)Durability, "What this acknowledgement stands for: 1 fsync, 2 replicated, 3 leader, 4 memory.");
        Duplicate = c.Boolean("duplicate", Duplicate, "Whether it was there already (a retry).");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Where a subscription starts.</summary>
public enum StartPosition : byte
{
    /// <summary>At the log start offset.</summary>
    Earliest = 0,

    /// <summary>At the high watermark.</summary>
    Latest = 1,

    /// <summary>At the offset given.</summary>
    Offset = 2,

    /// <summary>At the first record whose timestamp is at or after the one given.</summary>
    Timestamp = 3,
}

/// <summary>Starts the delivery of one partition.</summary>
public sealed class SubscribeRequest : IRequest<SubscribeResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Subscribe;

    public uint SubscriptionId { get; set; }

    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public StartPosition Start { get; set; }

    public long StartValue { get; set; }

    public long CreditBytes { get; set; }

    public long? CheckFirst { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        SubscriptionId = c.UInt32("subscriptionId", SubscriptionId, "Chosen by the client, unique on the connection.");
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Start = (StartPosition)c.UInt8("start", (byte)Start, "0 earliest, 1 latest, 2 offset, 3 timestamp.");
        StartValue = c.Int64("startValue", StartValue, "The offset, or Unix milliseconds; else 0.");
        CreditBytes = c.Int64("creditBytes", CreditBytes, "Bytes of batches that the broker may send at first.");
        c.BeginTags();
        CheckFirst = c.TaggedInt64(
            1, "checkFirst", CheckFirst,
            "1: what was sent from this offset before was damaged; the broker checks what it has there, and gives it up if it is.");
        c.EndTags();
    }
}

/// <summary>A subscription has started.</summary>
public sealed class SubscribeResponse : IMessage
{
    public long StartOffset { get; set; }

    public long LogStartOffset { get; set; }

    public long HighWatermark { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        StartOffset = c.Int64("startOffset", StartOffset, "Where it starts. The first batch may begin earlier: skip those records.");
        LogStartOffset = c.Int64("logStartOffset", LogStartOffset, "First offset that is kept.");
        HighWatermark = c.Int64("highWatermark", HighWatermark, "First offset that cannot be read yet.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Stored batches of one subscription.</summary>
public sealed class DeliverPush : IPush
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Deliver;

    public uint SubscriptionId { get; set; }

    public long HighWatermark { get; set; }

    public ReadOnlyMemory<byte> Batches { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        SubscriptionId = c.UInt32("subscriptionId", SubscriptionId, "Which subscription.");
        HighWatermark = c.Int64("highWatermark", HighWatermark, "The partition's high watermark when this was sent.");
        c.BeginTags();
        c.EndTags();
        Batches = c.Payload("batches", Batches, "One or more whole batches, as stored.");
    }
}

/// <summary>Lets the broker send more.</summary>
public sealed class CreditPush : IPush
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Credit;

    public uint SubscriptionId { get; set; }

    public long CreditBytes { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        SubscriptionId = c.UInt32("subscriptionId", SubscriptionId, "Which subscription; an unknown one is ignored.");
        CreditBytes = c.Int64("creditBytes", CreditBytes, "Bytes of batches to add to what it may send.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Ends a subscription. Deliveries that were on their way may still arrive before the response.</summary>
public sealed class UnsubscribeRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Unsubscribe;

    public uint SubscriptionId { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        SubscriptionId = c.UInt32("subscriptionId", SubscriptionId, "Which subscription.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The broker ended a subscription.</summary>
public sealed class SubscriptionEndedPush : IPush
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.SubscriptionEnded;

    public uint SubscriptionId { get; set; }

    public ErrorMessage Error { get; set; } = new();

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        SubscriptionId = c.UInt32("subscriptionId", SubscriptionId, "Which subscription.");
        Error.Code(ref c);
    }
}

/// <summary>Finds an offset.</summary>
public sealed class ListOffsetsRequest : IRequest<ListOffsetsResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.ListOffsets;

    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public StartPosition Position { get; set; }

    public long TimestampMs { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Position = (StartPosition)c.UInt8("position", (byte)Position, "0 earliest, 1 latest, 3 timestamp.");
        TimestampMs = c.Int64("timestampMs", TimestampMs, "With timestamp: Unix milliseconds, compared with the producer's.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The offset that was found.</summary>
public sealed class ListOffsetsResponse : IMessage
{
    public long Offset { get; set; }

    public int LeaderEpoch { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Offset = c.Int64("offset", Offset, "The offset; the high watermark if no record is that late.");
        LeaderEpoch = c.Int32("leaderEpoch", LeaderEpoch, "Epoch of the leader that answered.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Gives out a new producer id.</summary>
public sealed class InitProducerRequest : IRequest<InitProducerResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.InitProducer;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A producer's identity for idempotent produce.</summary>
public sealed class InitProducerResponse : IMessage
{
    public long ProducerId { get; set; }

    public short ProducerEpoch { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ProducerId = c.Int64("producerId", ProducerId, "Unique in the cluster, never given out again.");
        ProducerEpoch = c.Int16("producerEpoch", ProducerEpoch, "Epoch to start with.");
        c.BeginTags();
        c.EndTags();
    }
}
