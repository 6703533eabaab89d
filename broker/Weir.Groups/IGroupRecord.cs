using Weir.Protocol.Wire;

namespace Weir.Groups;

/// <summary>
/// One change of what a group has consumed or who its members are, as it stands in the groups' log. What is not in such a
/// record is lost with its coordinator.
/// </summary>
public interface IGroupRecord : IMessage
{
    /// <summary>The kind's frozen number.</summary>
    GroupRecordKind Kind { get; }
}

/// <summary>Numbers of the record kinds, frozen: 1 to 9 of all groups, 10 to 29 of stream groups, 30 to 49 of queues.</summary>
public enum GroupRecordKind : byte
{
    /// <summary><see cref="SnapshotStarted"/>.</summary>
    SnapshotStarted = 1,

    /// <summary><see cref="SnapshotEnded"/>.</summary>
    SnapshotEnded = 2,

    /// <summary><see cref="GroupForgotten"/>.</summary>
    GroupForgotten = 3,

    /// <summary>A member of a stream group, as it is now.</summary>
    StreamMember = 10,

    /// <summary>A member of a stream group is gone.</summary>
    StreamMemberLeft = 11,

    /// <summary>Partitions of a stream group got other owners.</summary>
    StreamOwners = 12,

    /// <summary>Offsets of a stream group.</summary>
    StreamOffsets = 13,

    /// <summary>A topic that a stream group reads, or reads no more.</summary>
    StreamTopic = 14,
}

/// <summary>The records that follow, up to the snapshot's end, make the group's state from nothing.</summary>
public sealed class SnapshotStarted : IGroupRecord
{
    /// <inheritdoc/>
    public GroupRecordKind Kind => GroupRecordKind.SnapshotStarted;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec codec)
        where TCodec : IWireCodec, allows ref struct
    {
    }
}

/// <summary>The snapshot is whole: it takes the place of all that came before.</summary>
public sealed class SnapshotEnded : IGroupRecord
{
    /// <inheritdoc/>
    public GroupRecordKind Kind => GroupRecordKind.SnapshotEnded;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec codec)
        where TCodec : IWireCodec, allows ref struct
    {
    }
}

/// <summary>The group was deleted.</summary>
public sealed class GroupForgotten : IGroupRecord
{
    /// <inheritdoc/>
    public GroupRecordKind Kind => GroupRecordKind.GroupForgotten;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec codec)
        where TCodec : IWireCodec, allows ref struct
    {
    }
}
