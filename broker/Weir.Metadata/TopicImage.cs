using System.Collections.Immutable;
using Weir.Metadata.Records;
using Weir.Protocol.Messages;

namespace Weir.Metadata;

/// <summary>A partition as the metadata knows it.</summary>
/// <param name="Index">Its index, from 0.</param>
/// <param name="Leader">Node id of its leader; -1 if there is none.</param>
/// <param name="LeaderEpoch">Epoch of this leadership.</param>
/// <param name="Replicas">Node ids of its replicas.</param>
/// <param name="Isr">Those of them that are in sync.</param>
public sealed record PartitionImage(
    int Index, int Leader, int LeaderEpoch, ImmutableArray<int> Replicas, ImmutableArray<int> Isr)
{
    internal static PartitionImage From(PartitionAssignment assignment) => new(
        assignment.Index, assignment.Leader, assignment.LeaderEpoch, [.. assignment.Replicas], [.. assignment.Isr]);

    internal PartitionAssignment ToAssignment() => new()
    {
        Index = Index,
        Leader = Leader,
        LeaderEpoch = LeaderEpoch,
        Replicas = [.. Replicas],
        Isr = [.. Isr],
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
    /// <summary>Replicas of each partition when it was created.</summary>
    public int ReplicationFactor => Partitions[0].Replicas.Length;

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
