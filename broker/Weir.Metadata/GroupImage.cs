using System.Collections.Immutable;
using System.IO.Enumeration;
using System.IO.Hashing;
using Weir.Protocol;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>A consumer group as it is declared. Immutable.</summary>
/// <param name="GroupId">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Mode">How its members share records.</param>
/// <param name="Topics">Topic names, and patterns in which * stands for anything.</param>
/// <param name="Start">Where it starts in what is there when it is declared.</param>
/// <param name="StartValue">The offset, or Unix milliseconds.</param>
/// <param name="Settings">Its settings.</param>
/// <param name="DeadLetterTopic">Where records go that cannot be processed; null if nowhere.</param>
/// <param name="Owner">Who answers for it, for people.</param>
/// <param name="CreatedAtMs">When it was declared, Unix milliseconds.</param>
public sealed record GroupImage(
    Guid GroupId, string Name, GroupMode Mode, ImmutableArray<string> Topics, StartPosition Start, long StartValue,
    GroupSettings Settings, string? DeadLetterTopic, string? Owner, long CreatedAtMs)
{
    /// <summary>Name of the internal topic that keeps what groups have consumed.</summary>
    public const string StateTopic = "__groups";

    /// <summary>Partitions that <see cref="StateTopic"/> is created with, and so coordinators that share the groups.</summary>
    public const int StatePartitions = 8;

    /// <summary>Whether it consumes a topic of this name. A pattern takes no internal topic.</summary>
    public bool Consumes(string topic) => topic != DeadLetterTopic && Topics.Any(
        pattern => pattern.Contains('*', StringComparison.Ordinal)
            ? !TopicName.IsInternal(topic) && FileSystemName.MatchesSimpleExpression(pattern, topic, ignoreCase: false)
            : pattern == topic);

    /// <summary>Which partition of <see cref="StateTopic"/> keeps its state, and so whose leader coordinates it.</summary>
    public int StatePartition(int partitions) =>
        (int)(XxHash3.HashToUInt64(GroupId.ToByteArray(bigEndian: true)) % (ulong)partitions);
}
