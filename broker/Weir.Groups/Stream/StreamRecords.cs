using Weir.Protocol.Wire;

namespace Weir.Groups.Stream;

/// <summary>The records of stream groups: kinds 10 to 29.</summary>
internal static class StreamRecords
{
    /// <summary>Partitions in one record, which keeps it well below a megabyte.</summary>
    public const int MaxPartitions = 5000;

    /// <summary>Decodes a record; null if its kind is none of a stream group's.</summary>
    public static IGroupRecord? Decode(GroupRecordKind kind, ReadOnlyMemory<byte> body) => kind switch
    {
        GroupRecordKind.StreamMember => WireReader.ReadAll<StreamMemberRecord>(body, GroupRecordCodec.Version),
        GroupRecordKind.StreamMemberLeft => WireReader.ReadAll<StreamMemberLeft>(body, GroupRecordCodec.Version),
        GroupRecordKind.StreamOwners => WireReader.ReadAll<StreamOwners>(body, GroupRecordCodec.Version),
        GroupRecordKind.StreamOffsets => WireReader.ReadAll<StreamOffsets>(body, GroupRecordCodec.Version),
        _ => null,
    };
}

/// <summary>A member as it is now: new, with another epoch, or in the place of one with its instance id.</summary>
internal sealed class StreamMemberRecord : IGroupRecord
{
    public GroupRecordKind Kind => GroupRecordKind.StreamMember;

    /// <summary>Its id.</summary>
    public Guid MemberId { get; set; }

    /// <summary>Its static id, if it has one.</summary>
    public string? InstanceId { get; set; }

    /// <summary>Its name for people.</summary>
    public string Name { get; set; } = string.Empty;

    /// <summary>Its epoch: one more with every change of what it may consume.</summary>
    public int MemberEpoch { get; set; }

    /// <summary>When it joined, Unix milliseconds.</summary>
    public long JoinedAtMs { get; set; }

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        MemberId = c.Uuid("memberId", MemberId, "Member.");
        InstanceId = c.NullableString("instanceId", InstanceId, ProtocolLimits.ShortStringBytes, "Static id.");
        Name = c.String("name", Name, ProtocolLimits.ShortStringBytes, "Name.");
        MemberEpoch = c.Int32("memberEpoch", MemberEpoch, "Epoch.");
        JoinedAtMs = c.Int64("joinedAtMs", JoinedAtMs, "Unix milliseconds.");
    }
}

/// <summary>A member is gone, and owns nothing any more.</summary>
internal sealed class StreamMemberLeft : IGroupRecord
{
    public GroupRecordKind Kind => GroupRecordKind.StreamMemberLeft;

    /// <summary>Its id.</summary>
    public Guid MemberId { get; set; }

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct =>
        MemberId = c.Uuid("memberId", MemberId, "Member.");
}

/// <summary>Who owns a partition.</summary>
internal sealed class StreamOwner : IMessage
{
    /// <summary>Topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Partition.</summary>
    public int Partition { get; set; }

    /// <summary>The member; all zero for nobody.</summary>
    public Guid Owner { get; set; }

    /// <summary>Epoch of the last assignment of this partition.</summary>
    public int AssignmentEpoch { get; set; }

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Owner = c.Uuid("owner", Owner, "Member.");
        AssignmentEpoch = c.Int32("assignmentEpoch", AssignmentEpoch, "Epoch.");
    }
}

/// <summary>Partitions that got another owner, or none.</summary>
internal sealed class StreamOwners : IGroupRecord
{
    public GroupRecordKind Kind => GroupRecordKind.StreamOwners;

    /// <summary>Epoch of the group: assignments of it are newer than all before.</summary>
    public int GroupEpoch { get; set; }

    /// <summary>Partitions.</summary>
    public StreamOwner[] Owners { get; set; } = [];

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupEpoch = c.Int32("groupEpoch", GroupEpoch, "Epoch.");
        Owners = c.Array("owners", Owners, ProtocolLimits.PartitionsPerGroup, "Partitions.");
    }
}

/// <summary>The place of the group in a partition.</summary>
internal sealed class StreamOffset : IMessage
{
    /// <summary>Topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Partition.</summary>
    public int Partition { get; set; }

    /// <summary>Everything below is done.</summary>
    public long Offset { get; set; }

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Offset = c.Int64("offset", Offset, "Offset.");
    }
}

/// <summary>Offsets that were committed, found as a start, or set by a reset.</summary>
internal sealed class StreamOffsets : IGroupRecord
{
    public GroupRecordKind Kind => GroupRecordKind.StreamOffsets;

    /// <summary>Offsets.</summary>
    public StreamOffset[] Offsets { get; set; } = [];

    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct =>
        Offsets = c.Array("offsets", Offsets, ProtocolLimits.PartitionsPerGroup, "Offsets.");
}
