// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>How the members of a group share records.</summary>
public enum GroupMode : byte
{
    /// <summary>Each partition has one owner at a time; offsets are committed.</summary>
    Stream = 1,

    /// <summary>Any member may take any record; each one is settled.</summary>
    Queue = 2,

    /// <summary>A queue in which the records of one key are delivered in order, one at a time.</summary>
    Keyed = 3,
}

/// <summary>Declares a group.</summary>
public sealed class CreateGroupRequest : IRequest<CreateGroupResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.CreateGroup;

    public string Name { get; set; } = string.Empty;

    public GroupMode Mode { get; set; } = GroupMode.Stream;

    public string[] Topics { get; set; } = [];

    public StartPosition Start { get; set; }

    public long StartValue { get; set; }

    public ConfigEntry[] Configs { get; set; } = [];

    public string? DeadLetterTopic { get; set; }

    public string? Owner { get; set; }

    public bool OnUse { get; set; }

    public bool ValidateOnly { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.GroupNameBytes, "Group name.");
        Mode = (GroupMode)c.UInt8("mode", (byte)Mode, "1 stream, 2 queue, 3 keyed.");
        Topics = c.StringArray(
            "topics", Topics, ProtocolLimits.TopicsPerGroup, ProtocolLimits.TopicNameBytes, "Topic names, or patterns in which * stands for anything.");
        Start = (StartPosition)c.UInt8("start", (byte)Start, "Where it starts in what is there: 0 earliest, 1 latest, 2 offset, 3 timestamp.");
        StartValue = c.Int64("startValue", StartValue, "The offset, or Unix milliseconds; else 0.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Settings that differ from the defaults.");
        DeadLetterTopic = c.NullableString("deadLetterTopic", DeadLetterTopic, ProtocolLimits.TopicNameBytes, "Where records go that cannot be processed.");
        Owner = c.NullableString("owner", Owner, ProtocolLimits.ShortStringBytes, "Who answers for it, for people.");
        OnUse = c.Boolean("onUse", OnUse, "A client declares it because it consumes: the cluster may forbid that.");
        ValidateOnly = c.Boolean("validateOnly", ValidateOnly, "Check everything, change nothing.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The group is declared.</summary>
public sealed class CreateGroupResponse : IMessage
{
    public Guid GroupId { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "Its id, never used again.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Changes a declaration: all of it or nothing.</summary>
public sealed class AlterGroupRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.AlterGroup;

    public string Name { get; set; } = string.Empty;

    public string[] Topics { get; set; } = [];

    public ConfigEntry[] Configs { get; set; } = [];

    public bool ValidateOnly { get; set; }

    public string? DeadLetterTopic { get; set; }

    public string? Owner { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.GroupNameBytes, "Group name.");
        Topics = c.StringArray(
            "topics", Topics, ProtocolLimits.TopicsPerGroup, ProtocolLimits.TopicNameBytes, "New topics and patterns; none leaves them.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "What changes; a null value goes back to the default.");
        ValidateOnly = c.Boolean("validateOnly", ValidateOnly, "Check everything, change nothing.");
        c.BeginTags();
        DeadLetterTopic = c.TaggedString(1, "deadLetterTopic", DeadLetterTopic, ProtocolLimits.TopicNameBytes, "New dead-letter topic; empty for none.");
        Owner = c.TaggedString(2, "owner", Owner, ProtocolLimits.ShortStringBytes, "New owner; empty for none.");
        c.EndTags();
    }
}

/// <summary>Deletes a group.</summary>
public sealed class DeleteGroupRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.DeleteGroup;

    public string Name { get; set; } = string.Empty;

    public Guid? GroupId { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.GroupNameBytes, "Group name.");
        c.BeginTags();
        GroupId = c.TaggedUuid(1, "groupId", GroupId, "Only the group with this id: another one of that name stays, as UnknownGroup.");
        c.EndTags();
    }
}

/// <summary>A group as it is declared.</summary>
public sealed class GroupInfo : IMessage
{
    public Guid GroupId { get; set; }

    public string Name { get; set; } = string.Empty;

    public GroupMode Mode { get; set; } = GroupMode.Stream;

    public string[] Topics { get; set; } = [];

    public StartPosition Start { get; set; }

    public long StartValue { get; set; }

    public string? DeadLetterTopic { get; set; }

    public string? Owner { get; set; }

    public ConfigEntry[] Configs { get; set; } = [];

    public long CreatedAtMs { get; set; }

    public int Coordinator { get; set; } = -1;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "Its id.");
        Name = c.String("name", Name, ProtocolLimits.GroupNameBytes, "Group name.");
        Mode = (GroupMode)c.UInt8("mode", (byte)Mode, "1 stream, 2 queue, 3 keyed.");
        Topics = c.StringArray(
            "topics", Topics, ProtocolLimits.TopicsPerGroup, ProtocolLimits.TopicNameBytes, "Topic names and patterns.");
        Start = (StartPosition)c.UInt8("start", (byte)Start, "0 earliest, 1 latest, 2 offset, 3 timestamp.");
        StartValue = c.Int64("startValue", StartValue, "The offset, or Unix milliseconds; else 0.");
        DeadLetterTopic = c.NullableString("deadLetterTopic", DeadLetterTopic, ProtocolLimits.TopicNameBytes, "Dead-letter topic.");
        Owner = c.NullableString("owner", Owner, ProtocolLimits.ShortStringBytes, "Who answers for it.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Every setting.");
        CreatedAtMs = c.Int64("createdAtMs", CreatedAtMs, "Unix milliseconds.");
        Coordinator = c.Int32("coordinator", Coordinator, "Node id of its coordinator; -1 if there is none now.");
    }
}

/// <summary>Asks for the declared groups.</summary>
public sealed class ListGroupsRequest : IRequest<ListGroupsResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.ListGroups;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The declared groups.</summary>
public sealed class ListGroupsResponse : IMessage
{
    public GroupInfo[] Groups { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Groups = c.Array("groups", Groups, ProtocolLimits.GroupsPerReply, "By name.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Asks for everything about a group; any broker answers.</summary>
public sealed class DescribeGroupRequest : IRequest<DescribeGroupResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.DescribeGroup;

    public string Name { get; set; } = string.Empty;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.GroupNameBytes, "Group name.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>What a group is doing.</summary>
public enum GroupState : byte
{
    /// <summary>It has no member.</summary>
    Empty = 1,

    /// <summary>Every member has what it should have.</summary>
    Stable = 2,

    /// <summary>Partitions are on their way from one member to another.</summary>
    Moving = 3,

    /// <summary>It is paused by its settings.</summary>
    Paused = 4,
}

/// <summary>A member of a group.</summary>
public sealed class MemberDescription : IMessage
{
    public Guid MemberId { get; set; }

    public string? InstanceId { get; set; }

    public string Name { get; set; } = string.Empty;

    public int MemberEpoch { get; set; }

    public long JoinedAtMs { get; set; }

    public long SilentForMs { get; set; }

    public long StuckForMs { get; set; }

    public bool IsStuck { get; set; }

    public int InFlight { get; set; }

    public PartitionKey[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        MemberId = c.Uuid("memberId", MemberId, "Its id, chosen by the client.");
        InstanceId = c.NullableString("instanceId", InstanceId, ProtocolLimits.ShortStringBytes, "Its static id, if it has one.");
        Name = c.String("name", Name, ProtocolLimits.ShortStringBytes, "The client's name for itself, with its address.");
        MemberEpoch = c.Int32("memberEpoch", MemberEpoch, "Its epoch.");
        JoinedAtMs = c.Int64("joinedAtMs", JoinedAtMs, "When it joined, Unix milliseconds.");
        SilentForMs = c.Int64("silentForMs", SilentForMs, "Since its last heartbeat.");
        StuckForMs = c.Int64("stuckForMs", StuckForMs, "How long its oldest record is being handled; 0 if it handles none.");
        IsStuck = c.Boolean("isStuck", IsStuck, "Whether that is over the group's stuck.after.ms.");
        InFlight = c.Int32("inFlight", InFlight, "Queue and keyed: records that it holds.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerGroup, "Stream: partitions that it owns.");
    }
}

/// <summary>A group's place in one partition.</summary>
public sealed class GroupPartitionDescription : IMessage
{
    public Guid TopicId { get; set; }

    public string Topic { get; set; } = string.Empty;

    public int Partition { get; set; }

    public long Committed { get; set; } = -1;

    public long LogStartOffset { get; set; }

    public long HighWatermark { get; set; }

    public long Lag { get; set; }

    public long LagMs { get; set; }

    public Guid Owner { get; set; }

    public int InFlight { get; set; }

    public long Waiting { get; set; }

    public int BlockedKeys { get; set; }

    public long DeadLettered { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Topic = c.String("topic", Topic, ProtocolLimits.TopicNameBytes, "Its name; empty if it was deleted.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Committed = c.Int64("committed", Committed, "Everything below is done; -1 if that is not known yet.");
        LogStartOffset = c.Int64("logStartOffset", LogStartOffset, "First offset that is kept; -1 if its leader does not answer.");
        HighWatermark = c.Int64("highWatermark", HighWatermark, "First offset that cannot be read yet; -1 if its leader does not answer.");
        Lag = c.Int64("lag", Lag, "Records that are not done; -1 if that is not known.");
        LagMs = c.Int64("lagMs", LagMs, "Age of the oldest of them; 0 without any, -1 if that is not known.");
        Owner = c.Uuid("owner", Owner, "Stream: member that owns it; all zero for none.");
        InFlight = c.Int32("inFlight", InFlight, "Queue and keyed: records with a member.");
        Waiting = c.Int64("waiting", Waiting, "Queue and keyed: records that wait for their time.");
        BlockedKeys = c.Int32("blockedKeys", BlockedKeys, "Keyed: keys that wait for a record to be retried.");
        DeadLettered = c.Int64("deadLettered", DeadLettered, "Queue and keyed: records that went to the dead-letter topic.");
    }
}

/// <summary>A group in full.</summary>
public sealed class DescribeGroupResponse : IMessage
{
    public GroupInfo Info { get; set; } = new();

    public GroupState State { get; set; } = GroupState.Empty;

    public int GroupEpoch { get; set; }

    public MemberDescription[] Members { get; set; } = [];

    public GroupPartitionDescription[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Info.Code(ref c);
        State = (GroupState)c.UInt8("state", (byte)State, "1 empty, 2 stable, 3 moving, 4 paused.");
        GroupEpoch = c.Int32("groupEpoch", GroupEpoch, "Stream: epoch of its target assignment.");
        Members = c.Array("members", Members, ProtocolLimits.MembersPerGroup, "Members.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerGroup, "Partitions of its topics.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Asks who coordinates a group; any broker answers.</summary>
public sealed class FindCoordinatorRequest : IRequest<FindCoordinatorResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.FindCoordinator;

    public string Name { get; set; } = string.Empty;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.GroupNameBytes, "Group name.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Who coordinates a group.</summary>
public sealed class FindCoordinatorResponse : IMessage
{
    public Guid GroupId { get; set; }

    public GroupMode Mode { get; set; } = GroupMode.Stream;

    public int NodeId { get; set; } = -1;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "The group's id.");
        Mode = (GroupMode)c.UInt8("mode", (byte)Mode, "1 stream, 2 queue, 3 keyed.");
        NodeId = c.Int32("nodeId", NodeId, "Node id of the coordinator; -1 if there is none now.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Changes settings of the cluster.</summary>
public sealed class AlterClusterRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.AlterCluster;

    public ConfigEntry[] Configs { get; set; } = [];

    public bool ValidateOnly { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "What changes; a null value goes back to the default.");
        ValidateOnly = c.Boolean("validateOnly", ValidateOnly, "Check everything, change nothing.");
        c.BeginTags();
        c.EndTags();
    }
}
