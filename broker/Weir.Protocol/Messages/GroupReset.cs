// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>Where a reset moves to.</summary>
public enum ResetPosition : byte
{
    /// <summary>The log start offset.</summary>
    Earliest = 0,

    /// <summary>The high watermark.</summary>
    Latest = 1,

    /// <summary>An offset.</summary>
    Offset = 2,

    /// <summary>The first record at or after a time.</summary>
    Timestamp = 3,

    /// <summary>So many records forward, or back if negative, within what is kept.</summary>
    Shift = 4,
}

/// <summary>Moves the offsets of a group, in one topic or partition or in all.</summary>
public sealed class ResetGroupRequest : IRequest<ResetGroupResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.ResetGroup;

    public string Name { get; set; } = string.Empty;

    public string? Topic { get; set; }

    public int Partition { get; set; } = -1;

    public ResetPosition To { get; set; }

    public long Value { get; set; }

    public bool DryRun { get; set; }

    public bool Force { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.GroupNameBytes, "Group name.");
        Topic = c.NullableString("topic", Topic, ProtocolLimits.TopicNameBytes, "One topic; null for all.");
        Partition = c.Int32("partition", Partition, "One partition; -1 for all.");
        To = (ResetPosition)c.UInt8("to", (byte)To, "0 earliest, 1 latest, 2 offset, 3 timestamp, 4 shift.");
        Value = c.Int64("value", Value, "The offset, Unix milliseconds, or records to shift by; else 0.");
        DryRun = c.Boolean("dryRun", DryRun, "Say what would change, change nothing.");
        Force = c.Boolean("force", Force, "Fence the members that there are, instead of refusing.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A partition before and after a reset.</summary>
public sealed class ResetOffset : IMessage
{
    public Guid TopicId { get; set; }

    public string Topic { get; set; } = string.Empty;

    public int Partition { get; set; }

    public long Before { get; set; } = -1;

    public long After { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Topic = c.String("topic", Topic, ProtocolLimits.TopicNameBytes, "Its name.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Before = c.Int64("before", Before, "Committed before; -1 if nothing was.");
        After = c.Int64("after", After, "Committed after.");
    }
}

/// <summary>What a reset changed, or would change.</summary>
public sealed class ResetGroupResponse : IMessage
{
    public ResetOffset[] Offsets { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Offsets = c.Array("offsets", Offsets, ProtocolLimits.PartitionsPerGroup, "By topic and partition.");
        c.BeginTags();
        c.EndTags();
    }
}
