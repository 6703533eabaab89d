using Weir.Protocol.Messages;

namespace Weir.Client;

/// <summary>What a new group shall be.</summary>
public sealed class GroupSpec
{
    /// <summary>How its members share records; it cannot be changed later. Default: stream.</summary>
    public GroupMode Mode { get; set; } = GroupMode.Stream;

    /// <summary>
    /// Topic names, which must exist, and patterns in which * stands for anything, which also take topics that are created later.
    /// </summary>
    public IReadOnlyList<string> Topics { get; set; } = [];

    /// <summary>
    /// Where it starts in what is there when it is declared. Partitions that come later are read from their earliest record.
    /// Default: earliest.
    /// </summary>
    public ConsumerStart Start { get; set; } = ConsumerStart.Earliest;

    /// <summary>Settings that differ from the defaults, such as <c>lock.ms</c>.</summary>
    public IReadOnlyDictionary<string, string?> Configs { get; set; } = new Dictionary<string, string?>();

    /// <summary>Queue and keyed: the event topic that takes records that cannot be processed; null for none.</summary>
    public string? DeadLetterTopic { get; set; }

    /// <summary>Who answers for it, for people; null if nobody is named.</summary>
    public string? Owner { get; set; }

    /// <summary>Whether everything is checked and nothing is declared. Default false.</summary>
    public bool ValidateOnly { get; set; }

    /// <summary>
    /// Whether a consumer declares it because it consumes, which the cluster forbids unless its setting
    /// <c>declare.groups.on.use</c> is true. Default false.
    /// </summary>
    public bool OnUse { get; set; }
}

/// <summary>What shall change of a group's declaration: all of it or nothing.</summary>
public sealed class GroupChange
{
    /// <summary>The topics and patterns that it consumes from now on; empty, the default, leaves them.</summary>
    public IReadOnlyList<string> Topics { get; set; } = [];

    /// <summary>Settings to change; a null value goes back to the default.</summary>
    public IReadOnlyDictionary<string, string?> Configs { get; set; } = new Dictionary<string, string?>();

    /// <summary>The new dead-letter topic; empty for none, null leaves it.</summary>
    public string? DeadLetterTopic { get; set; }

    /// <summary>Who answers for it; empty for nobody, null leaves it.</summary>
    public string? Owner { get; set; }

    /// <summary>Whether everything is checked and nothing is changed. Default false.</summary>
    public bool ValidateOnly { get; set; }
}

/// <summary>A group that was declared.</summary>
/// <param name="Name">Its name.</param>
/// <param name="GroupId">Its id, never used again; empty when only validated.</param>
public sealed record CreatedGroup(string Name, Guid GroupId);

/// <summary>A group as it is declared.</summary>
/// <param name="Name">Its name.</param>
/// <param name="GroupId">Its id.</param>
/// <param name="Mode">How its members share records.</param>
/// <param name="Topics">Topic names and patterns.</param>
/// <param name="Start">Where it started.</param>
/// <param name="DeadLetterTopic">Where records go that cannot be processed; null for nowhere.</param>
/// <param name="Owner">Who answers for it; null if nobody is named.</param>
/// <param name="Configs">Every setting with its present value.</param>
/// <param name="CreatedAt">When it was declared.</param>
/// <param name="Coordinator">Node id of the broker that coordinates it, -1 if there is none now.</param>
public sealed record GroupSummary(
    string Name, Guid GroupId, GroupMode Mode, IReadOnlyList<string> Topics, ConsumerStart Start, string? DeadLetterTopic,
    string? Owner, IReadOnlyList<ConfigValue> Configs, DateTimeOffset CreatedAt, int Coordinator);

/// <summary>A group in full.</summary>
/// <param name="Declaration">What is declared of it.</param>
/// <param name="State">What it is doing.</param>
/// <param name="Epoch">Stream: epoch of its target assignment.</param>
/// <param name="Members">Its members.</param>
/// <param name="Partitions">The partitions of its topics, with how far it is.</param>
public sealed record GroupDescription(
    GroupSummary Declaration, GroupState State, int Epoch, IReadOnlyList<GroupMember> Members,
    IReadOnlyList<GroupPartition> Partitions)
{
    /// <summary>Records that are not done; null if that is not known of every partition.</summary>
    public long? Lag => Partitions.Any(static partition => partition.Lag is null)
        ? null
        : Partitions.Sum(static partition => partition.Lag!.Value);

    /// <summary>Age of the oldest record that is not done; zero without any, null if that is not known of every partition.</summary>
    public TimeSpan? LagAge => Partitions.Any(static partition => partition.LagAge is null)
        ? null
        : Partitions.Select(static partition => partition.LagAge!.Value).DefaultIfEmpty().Max();
}

/// <summary>A member of a group.</summary>
/// <param name="MemberId">Its id.</param>
/// <param name="InstanceId">Its static id; null if it has none.</param>
/// <param name="Name">Its name for itself, with its address.</param>
/// <param name="MemberEpoch">Its epoch.</param>
/// <param name="JoinedAt">When it joined.</param>
/// <param name="SilentFor">Time since its last heartbeat.</param>
/// <param name="HandlingFor">How long it has been handling its oldest record; zero if it handles none.</param>
/// <param name="IsStuck">Whether that is over the group's <c>stuck.after.ms</c>.</param>
/// <param name="InFlight">Queue and keyed: records that it holds.</param>
/// <param name="Partitions">Stream: partitions that it owns.</param>
public sealed record GroupMember(
    Guid MemberId, string? InstanceId, string Name, int MemberEpoch, DateTimeOffset JoinedAt, TimeSpan SilentFor,
    TimeSpan HandlingFor, bool IsStuck, int InFlight, IReadOnlyList<OwnedPartition> Partitions);

/// <summary>A partition that a member owns.</summary>
/// <param name="Topic">Its topic; the topic's id if the topic was deleted.</param>
/// <param name="Partition">Its index.</param>
public sealed record OwnedPartition(string Topic, int Partition);

/// <summary>How far a group is in one partition.</summary>
/// <param name="Topic">The topic; empty if it was deleted.</param>
/// <param name="TopicId">Its id.</param>
/// <param name="Partition">The partition.</param>
/// <param name="Committed">Everything below is done; null if that is not known yet.</param>
/// <param name="LogStartOffset">First offset that is kept; null if the partition's leader does not answer.</param>
/// <param name="HighWatermark">First offset that cannot be read yet; null if the partition's leader does not answer.</param>
/// <param name="Lag">Records that are not done; null if that is not known.</param>
/// <param name="LagAge">Age of the oldest of them; zero without any, null if that is not known.</param>
/// <param name="Owner">Stream: the member that owns it; null for none.</param>
/// <param name="InFlight">Queue and keyed: records with a member.</param>
/// <param name="Waiting">Queue and keyed: records that wait for their time.</param>
/// <param name="BlockedKeys">Keyed: keys that wait for a record to be retried.</param>
/// <param name="DeadLettered">Queue and keyed: records that went to the dead-letter topic.</param>
public sealed record GroupPartition(
    string Topic, Guid TopicId, int Partition, long? Committed, long? LogStartOffset, long? HighWatermark, long? Lag,
    TimeSpan? LagAge, Guid? Owner, int InFlight, long Waiting, int BlockedKeys, long DeadLettered);
