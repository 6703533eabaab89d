using System.Collections.Immutable;
using Weir.Metadata.Records;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>A partition as the metadata knows it. Immutable.</summary>
/// <param name="Index">Its index, from 0.</param>
/// <param name="Leader">Node id of its leader; -1 if there is none.</param>
/// <param name="LeaderEpoch">Epoch of this leadership; one more whenever the leader changes.</param>
/// <param name="PartitionEpoch">One more with every change of the partition.</param>
/// <param name="Replicas">Node ids of its replicas, the preferred leader first.</param>
/// <param name="Isr">Those of them that are in sync.</param>
/// <param name="Elr">
/// Those that left the ISR while it was below min.insync.replicas, and so have all that was acknowledged (KIP-966).
/// </param>
/// <param name="AddingReplicas">Replicas that a reassignment adds.</param>
/// <param name="RemovingReplicas">Replicas that it takes away once the others are in sync.</param>
public sealed record PartitionImage(
    int Index, int Leader, int LeaderEpoch, int PartitionEpoch, ImmutableArray<int> Replicas, ImmutableArray<int> Isr,
    ImmutableArray<int> Elr, ImmutableArray<int> AddingReplicas, ImmutableArray<int> RemovingReplicas)
{
    /// <summary>By how many replicas min.insync.replicas goes: those that are being added count once they are all there.</summary>
    public int PromisedReplicas => Replicas.Length - AddingReplicas.Length;

    /// <summary>Whether its replicas are being moved.</summary>
    public bool IsReassigning => AddingReplicas.Length + RemovingReplicas.Length > 0;

    internal static PartitionImage From(PartitionAssignment assignment) => new(
        assignment.Index, assignment.Leader, assignment.LeaderEpoch, assignment.PartitionEpoch, [.. assignment.Replicas],
        [.. assignment.Isr], [.. assignment.Elr], [.. assignment.AddingReplicas], [.. assignment.RemovingReplicas]);

    internal PartitionAssignment ToAssignment() => new()
    {
        Index = Index,
        Leader = Leader,
        LeaderEpoch = LeaderEpoch,
        PartitionEpoch = PartitionEpoch,
        Replicas = [.. Replicas],
        Isr = [.. Isr],
        Elr = [.. Elr],
        AddingReplicas = [.. AddingReplicas],
        RemovingReplicas = [.. RemovingReplicas],
    };
}

/// <summary>A topic as the metadata knows it.</summary>
/// <param name="TopicId">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Kind">What it is for.</param>
/// <param name="CreatedAtMs">When it was created, Unix milliseconds.</param>
/// <param name="PartitionerSeed">Seed of its partitioner.</param>
/// <param name="Settings">Its settings.</param>
/// <param name="Partitions">Its partitions by index.</param>
public sealed record TopicImage(
    Guid TopicId, string Name, TopicKind Kind, long CreatedAtMs, long PartitionerSeed, TopicSettings Settings,
    ImmutableArray<PartitionImage> Partitions)
{
    /// <summary>Replicas of each partition, those that a reassignment adds left out.</summary>
    public int ReplicationFactor => Partitions[0].Replicas.Length - Partitions[0].AddingReplicas.Length;

    /// <summary>Keys are spread over the first so many partitions.</summary>
    public int KeyPartitions => Math.Min(Settings.KeyPartitions ?? Partitions.Length, Partitions.Length);

    internal TopicCreated ToRecord() => new()
    {
        TopicId = TopicId,
        Name = Name,
        TopicKind = Kind,
        CreatedAtMs = CreatedAtMs,
        PartitionerSeed = PartitionerSeed,
        Configs = Settings.ChangesFrom(TopicSettings.Default),
        Partitions = [.. Partitions.Select(static partition => partition.ToAssignment())],
    };
}
