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

    /// <summary><see cref="TopicSeen"/>.</summary>
    TopicSeen = 4,

    /// <summary>A member of a stream group, as it is now.</summary>
    StreamMember = 10,

    /// <summary>A member of a stream group is gone.</summary>
    StreamMemberLeft = 11,

    /// <summary>Partitions of a stream group got other owners.</summary>
    StreamOwners = 12,

    /// <summary>Offsets of a stream group.</summary>
    StreamOffsets = 13,

    /// <summary>Where a queue starts in a partition.</summary>
    QueueStart = 30,

    /// <summary>Records of a queue that are done.</summary>
    QueueSettled = 31,

    /// <summary>Records of a queue whose delivery failed.</summary>
    QueueFailed = 32,

    /// <summary>The producer id of a queue's dead letters.</summary>
    QueueProducer = 33,

    /// <summary>A record that is to go to the dead-letter topic.</summary>
    QueueDeadLetter = 34,
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

/// <summary>A topic as it was when the group saw it first, or that the group reads it no more.</summary>
public sealed class TopicSeen : IGroupRecord
{
    /// <summary>Value of <see cref="Partitions"/> where the group reads the topic no more.</summary>
    public const int Gone = -1;

    /// <inheritdoc/>
    public GroupRecordKind Kind => GroupRecordKind.TopicSeen;

    /// <summary>Topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Partitions that were there before the group; later ones are read from their first record.</summary>
    public int Partitions { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec codec)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = codec.Uuid("topicId", TopicId, "Topic.");
        Partitions = codec.Int32("partitions", Partitions, "Partitions; -1 if the topic is read no more.");
    }
}
