using Weir.Protocol.Wire;

namespace Weir.Groups.Queue;

/// <summary>The records of queue and keyed groups: kinds 30 to 49.</summary>
internal static class QueueRecords
{
    /// <summary>Ranges in one record, which keeps it well below a megabyte.</summary>
    public const int MaxRanges = 10_000;

    /// <summary>Failed records in one record.</summary>
    public const int MaxFailed = 100;

    /// <summary>Decodes a record; null if its kind is none of a queue's.</summary>
    public static IGroupRecord? Decode(GroupRecordKind kind, ReadOnlyMemory<byte> body) => kind switch
    {
        GroupRecordKind.QueueStart => WireReader.ReadAll<QueueStart>(body, GroupRecordCodec.Version),
        GroupRecordKind.QueueSettled => WireReader.ReadAll<QueueSettled>(body, GroupRecordCodec.Version),
        GroupRecordKind.QueueFailed => WireReader.ReadAll<QueueFailed>(body, GroupRecordCodec.Version),
        GroupRecordKind.QueueProducer => WireReader.ReadAll<QueueProducer>(body, GroupRecordCodec.Version),
        GroupRecordKind.QueueDeadLetter => WireReader.ReadAll<QueueDeadLetter>(body, GroupRecordCodec.Version),
        _ => null,
    };
}

/// <summary>Where a queue starts in a partition, or is moved to: everything below is done, nothing above.</summary>
internal sealed class QueueStart : IGroupRecord
{
    public GroupRecordKind Kind => GroupRecordKind.QueueStart;

    /// <summary>Topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Partition.</summary>
    public int Partition { get; set; }

    /// <summary>The first offset that is not done.</summary>
    public long Offset { get; set; }

    /// <summary>Records that went to the dead-letter topic so far.</summary>
    public long DeadLettered { get; set; }

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Offset = c.Int64("offset", Offset, "Offset.");
        DeadLettered = c.Int64("deadLettered", DeadLettered, "Records.");
    }
}

/// <summary>A range of offsets, both ends included.</summary>
internal sealed class OffsetRange : IMessage
{
    /// <summary>First.</summary>
    public long First { get; set; }

    /// <summary>Last.</summary>
    public long Last { get; set; }

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        First = c.Int64("first", First, "First.");
        Last = c.Int64("last", Last, "Last.");
    }
}

/// <summary>Records that are done.</summary>
internal sealed class QueueSettled : IGroupRecord
{
    public GroupRecordKind Kind => GroupRecordKind.QueueSettled;

    /// <summary>Topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Partition.</summary>
    public int Partition { get; set; }

    /// <summary>Whether they are in the dead-letter topic.</summary>
    public bool AreDeadLetters { get; set; }

    /// <summary>Which.</summary>
    public OffsetRange[] Ranges { get; set; } = [];

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        AreDeadLetters = c.Boolean("areDeadLetters", AreDeadLetters, "Dead letters.");
        Ranges = c.Array("ranges", Ranges, ProtocolLimits.SettlementsPerRequest, "Ranges.");
    }
}

/// <summary>A record whose delivery failed.</summary>
internal sealed class FailedRecord : IMessage
{
    /// <summary>Value of <see cref="DueMs"/> for a record that waits until an operator acts.</summary>
    public const long Blocked = long.MaxValue;

    /// <summary>Its offset.</summary>
    public long Offset { get; set; }

    /// <summary>Failed deliveries.</summary>
    public int Deliveries { get; set; }

    /// <summary>When it was delivered first, Unix milliseconds.</summary>
    public long FirstMs { get; set; }

    /// <summary>When it is to be delivered again, Unix milliseconds.</summary>
    public long DueMs { get; set; }

    /// <summary>Whether it is to go to the dead-letter topic.</summary>
    public bool IsDoomed { get; set; }

    /// <summary>Why the last delivery failed; null if nobody said.</summary>
    public string? Reason { get; set; }

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Offset = c.Int64("offset", Offset, "Offset.");
        Deliveries = c.Int32("deliveries", Deliveries, "Deliveries.");
        FirstMs = c.Int64("firstMs", FirstMs, "Unix milliseconds.");
        DueMs = c.Int64("dueMs", DueMs, "Unix milliseconds.");
        IsDoomed = c.Boolean("isDoomed", IsDoomed, "Doomed.");
        Reason = c.NullableString("reason", Reason, ProtocolLimits.ReasonBytes, "Reason.");
    }
}

/// <summary>Records whose delivery failed, with all that is known of them.</summary>
internal sealed class QueueFailed : IGroupRecord
{
    public GroupRecordKind Kind => GroupRecordKind.QueueFailed;

    /// <summary>Topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Partition.</summary>
    public int Partition { get; set; }

    /// <summary>Which.</summary>
    public FailedRecord[] Records { get; set; } = [];

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Records = c.Array("records", Records, ProtocolLimits.SettlementsPerRequest, "Records.");
    }
}

/// <summary>The next sequence number of a partition of a dead-letter topic.</summary>
internal sealed class NextSequence : IMessage
{
    /// <summary>Dead-letter topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Partition.</summary>
    public int Partition { get; set; }

    /// <summary>Next sequence number.</summary>
    public int Sequence { get; set; }

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Sequence = c.Int32("sequence", Sequence, "Sequence.");
    }
}

/// <summary>Under which producer id dead letters are published from now on, and how far its sequences are.</summary>
internal sealed class QueueProducer : IGroupRecord
{
    public GroupRecordKind Kind => GroupRecordKind.QueueProducer;

    /// <summary>The id.</summary>
    public long ProducerId { get; set; }

    /// <summary>Sequences that do not start at 0.</summary>
    public NextSequence[] Sequences { get; set; } = [];

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ProducerId = c.Int64("producerId", ProducerId, "Id.");
        Sequences = c.Array("sequences", Sequences, ProtocolLimits.PartitionsPerTopic, "Sequences.");
    }
}

/// <summary>
/// A record that is to go to the dead-letter topic, whole: what happens to its own topic does not matter any more. It is
/// settled once it is there.
/// </summary>
internal sealed class QueueDeadLetter : IGroupRecord
{
    public GroupRecordKind Kind => GroupRecordKind.QueueDeadLetter;

    /// <summary>Its topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Its partition.</summary>
    public int Partition { get; set; }

    /// <summary>Its offset.</summary>
    public long Offset { get; set; }

    /// <summary>The dead-letter topic.</summary>
    public Guid TargetId { get; set; }

    /// <summary>Partition there.</summary>
    public int TargetPartition { get; set; }

    /// <summary>Producer id that it is published under.</summary>
    public long ProducerId { get; set; }

    /// <summary>Its sequence number there: published again, it is recognised.</summary>
    public int Sequence { get; set; }

    /// <summary>The batch, sealed.</summary>
    public ReadOnlyMemory<byte> Batch { get; set; }

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Offset = c.Int64("offset", Offset, "Offset.");
        TargetId = c.Uuid("targetId", TargetId, "Dead-letter topic.");
        TargetPartition = c.Int32("targetPartition", TargetPartition, "Partition there.");
        ProducerId = c.Int64("producerId", ProducerId, "Producer id.");
        Sequence = c.Int32("sequence", Sequence, "Sequence.");
        Batch = c.Payload("batch", Batch, "The batch.");
    }
}
