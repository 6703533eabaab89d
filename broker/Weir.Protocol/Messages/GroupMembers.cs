// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>A member enters a group. Pushes of the session come on the connection that it joined on.</summary>
public sealed class JoinGroupRequest : IRequest<JoinGroupResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.JoinGroup;

    public uint SessionId { get; set; }

    public string Group { get; set; } = string.Empty;

    public Guid MemberId { get; set; }

    public string? InstanceId { get; set; }

    public string MemberName { get; set; } = string.Empty;

    public GroupMode Mode { get; set; } = GroupMode.Stream;

    public int MaxInFlight { get; set; }

    public long MaxInFlightBytes { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        SessionId = c.UInt32("sessionId", SessionId, "Chosen by the client, unique on the connection; pushes carry it.");
        Group = c.String("group", Group, ProtocolLimits.GroupNameBytes, "Group name.");
        MemberId = c.Uuid("memberId", MemberId, "Random, chosen by the client; the same one to come back after a lost connection.");
        InstanceId = c.NullableString("instanceId", InstanceId, ProtocolLimits.ShortStringBytes, "Static id: whoever joins with it gets what the last one had.");
        MemberName = c.String("memberName", MemberName, ProtocolLimits.ShortStringBytes, "The client's name for itself.");
        Mode = (GroupMode)c.UInt8("mode", (byte)Mode, "The mode that the client means.");
        MaxInFlight = c.Int32("maxInFlight", MaxInFlight, "Queue and keyed: most records that it wants to hold; 0 for the broker's choice.");
        MaxInFlightBytes = c.Int64("maxInFlightBytes", MaxInFlightBytes, "Queue and keyed: bytes of records over which it wants no more; 0 for the broker's choice.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The member is in the group.</summary>
public sealed class JoinGroupResponse : IMessage
{
    public Guid GroupId { get; set; }

    public int MemberEpoch { get; set; }

    public int HeartbeatIntervalMs { get; set; }

    public int SessionTimeoutMs { get; set; }

    public int LockMs { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "The group's id.");
        MemberEpoch = c.Int32("memberEpoch", MemberEpoch, "The member's epoch.");
        HeartbeatIntervalMs = c.Int32("heartbeatIntervalMs", HeartbeatIntervalMs, "How often to say that it lives.");
        SessionTimeoutMs = c.Int32("sessionTimeoutMs", SessionTimeoutMs, "After so long without, it is fenced.");
        LockMs = c.Int32("lockMs", LockMs, "Queue and keyed: how long a delivered record is locked.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A member lives. What it holds and does not name any more is free for others.</summary>
public sealed class GroupHeartbeatRequest : IRequest<GroupHeartbeatResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.GroupHeartbeat;

    public Guid GroupId { get; set; }

    public Guid MemberId { get; set; }

    public int MemberEpoch { get; set; }

    public long StuckForMs { get; set; }

    public PartitionKey[] Owned { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "Group.");
        MemberId = c.Uuid("memberId", MemberId, "Member.");
        MemberEpoch = c.Int32("memberEpoch", MemberEpoch, "Epoch of the last assignment that it has taken.");
        StuckForMs = c.Int64("stuckForMs", StuckForMs, "How long its oldest record is being handled; 0 if it handles none.");
        Owned = c.Array("owned", Owned, ProtocolLimits.PartitionsPerGroup, "Stream: partitions that it still consumes or has uncommitted work of.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A partition that a member may consume.</summary>
public sealed class AssignedPartition : IMessage
{
    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public int AssignmentEpoch { get; set; }

    public long Offset { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        AssignmentEpoch = c.Int32("assignmentEpoch", AssignmentEpoch, "Fencing token: grows whenever the partition gets another owner.");
        Offset = c.Int64("offset", Offset, "Committed offset: where a new owner starts.");
    }
}

/// <summary>The member is known to live.</summary>
public sealed class GroupHeartbeatResponse : IMessage
{
    public int MemberEpoch { get; set; }

    public bool HasAssignment { get; set; }

    public AssignedPartition[] Assigned { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        MemberEpoch = c.Int32("memberEpoch", MemberEpoch, "The member's epoch.");
        HasAssignment = c.Boolean("hasAssignment", HasAssignment, "Stream: whether the assignment follows, as the member's epoch is not the present one.");
        Assigned = c.Array("assigned", Assigned, ProtocolLimits.PartitionsPerGroup, "All partitions that it may consume; others it must give up.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>What a member may consume from now on: all of it. What it holds beyond that it must finish and give up.</summary>
public sealed class GroupAssignmentPush : IPush
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.GroupAssignment;

    public uint SessionId { get; set; }

    public int MemberEpoch { get; set; }

    public AssignedPartition[] Assigned { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        SessionId = c.UInt32("sessionId", SessionId, "Which session.");
        MemberEpoch = c.Int32("memberEpoch", MemberEpoch, "The member's epoch: an older assignment than the last is ignored.");
        Assigned = c.Array("assigned", Assigned, ProtocolLimits.PartitionsPerGroup, "All partitions that it may consume.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A member leaves: what it holds is free at once.</summary>
public sealed class LeaveGroupRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.LeaveGroup;

    public Guid GroupId { get; set; }

    public Guid MemberId { get; set; }

    public int MemberEpoch { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "Group.");
        MemberId = c.Uuid("memberId", MemberId, "Member.");
        MemberEpoch = c.Int32("memberEpoch", MemberEpoch, "Its epoch.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>An offset to commit.</summary>
public sealed class OffsetCommit : IMessage
{
    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public int AssignmentEpoch { get; set; }

    public long Offset { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        AssignmentEpoch = c.Int32("assignmentEpoch", AssignmentEpoch, "As it was assigned.");
        Offset = c.Int64("offset", Offset, "Everything below is done.");
    }
}

/// <summary>Commits offsets, each on its own.</summary>
public sealed class CommitOffsetsRequest : IRequest<CommitOffsetsResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.CommitOffsets;

    public Guid GroupId { get; set; }

    public Guid MemberId { get; set; }

    public OffsetCommit[] Offsets { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "Group.");
        MemberId = c.Uuid("memberId", MemberId, "Member.");
        Offsets = c.Array("offsets", Offsets, ProtocolLimits.PartitionsPerGroup, "Offsets.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>What became of each commit.</summary>
public sealed class CommitOffsetsResponse : IMessage
{
    public int[] Errors { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Errors = c.Int32Array("errors", Errors, ProtocolLimits.PartitionsPerGroup, "Error codes in the order of the request; 0 where it is committed.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The coordinator ended a session: the member holds nothing any more.</summary>
public sealed class GroupSessionEndedPush : IPush
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.GroupSessionEnded;

    public uint SessionId { get; set; }

    public ErrorMessage Error { get; set; } = new();

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        SessionId = c.UInt32("sessionId", SessionId, "Which session.");
        Error.Code(ref c);
    }
}
