// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>Records of one partition for one member, locked for it.</summary>
public sealed class GroupDeliverPush : IPush
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.GroupDeliver;

    public uint SessionId { get; set; }

    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public int LockMs { get; set; }

    public int RecordCount { get; set; }

    public ReadOnlyMemory<byte> Records { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        SessionId = c.UInt32("sessionId", SessionId, "Which session.");
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        LockMs = c.Int32("lockMs", LockMs, "How long they are locked from now on.");
        RecordCount = c.Int32("recordCount", RecordCount, "Records in it.");
        c.BeginTags();
        c.EndTags();
        Records = c.Payload("records", Records, "Delivered records, one after the other.");
    }
}

/// <summary>What a member does with a record.</summary>
public enum SettleAction : byte
{
    /// <summary>It is done.</summary>
    Acknowledge = 1,

    /// <summary>It failed: to be delivered again, after the back-off or the delay given.</summary>
    Release = 2,

    /// <summary>It can never be processed: to the dead-letter topic.</summary>
    Reject = 3,

    /// <summary>It takes longer: the lock is extended.</summary>
    Extend = 4,

    /// <summary>It was not begun: to be delivered again at once, without counting as a delivery.</summary>
    Return = 5,
}

/// <summary>What becomes of a range of records of one partition.</summary>
public sealed class Settlement : IMessage
{
    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public SettleAction Action { get; set; } = SettleAction.Acknowledge;

    public long FirstOffset { get; set; }

    public long LastOffset { get; set; }

    public long DelayMs { get; set; } = -1;

    public string? Reason { get; set; }

    /// <summary>As much of a reason as a dead letter keeps, without half a character at its end.</summary>
    public static string? Shorten(string? reason) => reason is { Length: > ProtocolLimits.ReasonChars }
        ? reason[..(ProtocolLimits.ReasonChars - (char.IsHighSurrogate(reason[ProtocolLimits.ReasonChars - 1]) ? 1 : 0))]
        : reason;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Action = (SettleAction)c.UInt8("action", (byte)Action, "1 acknowledge, 2 release, 3 reject, 4 extend, 5 return.");
        FirstOffset = c.Int64("firstOffset", FirstOffset, "First record.");
        LastOffset = c.Int64("lastOffset", LastOffset, "Last record; those between that the member does not hold are left alone.");
        DelayMs = c.Int64("delayMs", DelayMs, "Release: delay instead of the back-off. Extend: lock from now on. -1 for the group's.");
        Reason = c.NullableString("reason", Reason, ProtocolLimits.ReasonBytes, "Release and reject: why, kept in the dead letter.");
    }
}

/// <summary>Settles records, each settlement on its own, in this order.</summary>
public sealed class SettleRequest : IRequest<SettleResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Settle;

    public Guid GroupId { get; set; }

    public Guid MemberId { get; set; }

    public Settlement[] Settlements { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "Group.");
        MemberId = c.Uuid("memberId", MemberId, "Member.");
        Settlements = c.Array("settlements", Settlements, ProtocolLimits.SettlementsPerRequest, "Settlements.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A settlement that was refused, in whole or for one record at its ends.</summary>
public sealed class SettleFailure : IMessage
{
    public int Index { get; set; }

    public long Offset { get; set; }

    public ErrorCode Error { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Index = c.Int32("index", Index, "Which settlement of the request.");
        Offset = c.Int64("offset", Offset, "Which record.");
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "Why.");
    }
}

/// <summary>What was refused; the rest is kept.</summary>
public sealed class SettleResponse : IMessage
{
    public SettleFailure[] Failures { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Failures = c.Array("failures", Failures, ProtocolLimits.SettlementsPerRequest, "Refusals.");
        c.BeginTags();
        c.EndTags();
    }
}
