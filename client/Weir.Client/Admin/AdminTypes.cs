using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client;

/// <summary>What a new topic shall be.</summary>
public sealed class TopicSpec
{
    /// <summary>Number of partitions, from 1. Default 1. It can be raised later, never lowered.</summary>
    public int Partitions { get; set; } = 1;

    /// <summary>Replicas per partition; -1, the default, for the cluster's own default.</summary>
    public short ReplicationFactor { get; set; } = -1;

    /// <summary>What the topic is for. Default: events.</summary>
    public TopicKind Kind { get; set; } = TopicKind.Event;

    /// <summary>Settings that differ from the defaults, such as <c>max.batch.bytes</c>.</summary>
    public IReadOnlyDictionary<string, string?> Configs { get; set; } = new Dictionary<string, string?>();

    /// <summary>Whether everything is checked and nothing is created. Default false.</summary>
    public bool ValidateOnly { get; set; }
}

/// <summary>A topic that was created.</summary>
/// <param name="Name">Its name.</param>
/// <param name="TopicId">Its id, never used again; empty when only validated.</param>
/// <param name="Partitions">Number of partitions.</param>
/// <param name="ReplicationFactor">Replicas per partition.</param>
public sealed record CreatedTopic(string Name, Guid TopicId, int Partitions, int ReplicationFactor);

/// <summary>A topic as clients use it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="TopicId">Its id.</param>
/// <param name="Kind">What it is for.</param>
/// <param name="Durability">What <c>acks=all</c> stands for.</param>
/// <param name="MaxBatchBytes">Largest batch.</param>
/// <param name="Partitions">Its partitions by index.</param>
/// <param name="KeyPartitions">Keys are spread over the first so many partitions.</param>
public sealed record TopicSummary(
    string Name, Guid TopicId, TopicKind Kind, Durability Durability, int MaxBatchBytes,
    IReadOnlyList<PartitionSummary> Partitions, int KeyPartitions)
{
    /// <summary>Whether it is one of the brokers' own topics, which clients may read and nothing else.</summary>
    public bool IsInternal => TopicName.IsInternal(Name);
}

/// <summary>Who leads and keeps a partition.</summary>
/// <param name="Partition">Index, from 0.</param>
/// <param name="Leader">Node id of the leader, -1 if there is none.</param>
/// <param name="LeaderEpoch">Epoch of this leadership.</param>
/// <param name="Replicas">Node ids of the replicas.</param>
/// <param name="Isr">Those that are in sync.</param>
public sealed record PartitionSummary(
    int Partition, int Leader, int LeaderEpoch, IReadOnlyList<int> Replicas, IReadOnlyList<int> Isr);

/// <summary>One setting.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value; null stands for the default.</param>
/// <param name="IsDefault">Whether it was never set.</param>
public sealed record ConfigValue(string Name, string? Value, bool IsDefault);

/// <summary>A topic in full.</summary>
/// <param name="Name">Its name.</param>
/// <param name="TopicId">Its id.</param>
/// <param name="Kind">What it is for.</param>
/// <param name="Durability">What <c>acks=all</c> stands for.</param>
/// <param name="CreatedAt">When it was created.</param>
/// <param name="Configs">Every setting with its present value.</param>
/// <param name="Partitions">Its partitions by index.</param>
public sealed record TopicDescription(
    string Name, Guid TopicId, TopicKind Kind, Durability Durability, DateTimeOffset CreatedAt,
    IReadOnlyList<ConfigValue> Configs, IReadOnlyList<PartitionStatus> Partitions);

/// <summary>A partition in full.</summary>
/// <param name="Placement">Who leads and keeps it.</param>
/// <param name="Error">Why it is offline, or <see cref="ErrorCode.None"/>.</param>
/// <param name="LogStartOffset">First offset that is kept.</param>
/// <param name="HighWatermark">First offset that consumers cannot read yet.</param>
/// <param name="LogEndOffset">Next offset to be given out.</param>
/// <param name="SizeBytes">Bytes of its batches on disk.</param>
public sealed record PartitionStatus(
    PartitionSummary Placement, ErrorCode Error, long LogStartOffset, long HighWatermark, long LogEndOffset, long SizeBytes)
{
    /// <summary>Index, from 0.</summary>
    public int Partition => Placement.Partition;
}

/// <summary>An offset that was found.</summary>
/// <param name="Offset">The offset; the high watermark if no record is that late.</param>
/// <param name="LeaderEpoch">Epoch of the leader that answered.</param>
public readonly record struct FoundOffset(long Offset, int LeaderEpoch);

/// <summary>Where a broker listens.</summary>
/// <param name="NodeId">Its node id.</param>
/// <param name="Host">Host for clients.</param>
/// <param name="Port">TCP port.</param>
public sealed record BrokerEndpoint(int NodeId, string Host, int Port);

/// <summary>A cluster's brokers and topics.</summary>
/// <param name="ClusterId">The cluster's id.</param>
/// <param name="ControllerId">Node id of the controller, -1 if there is none.</param>
/// <param name="Brokers">Live brokers.</param>
/// <param name="Topics">The topics asked for, those with an error left out.</param>
public sealed record ClusterMetadata(
    string ClusterId, int ControllerId, IReadOnlyList<BrokerEndpoint> Brokers, IReadOnlyList<TopicSummary> Topics);

/// <summary>What a broker is and how it is set up.</summary>
/// <param name="ClusterId">The cluster's id.</param>
/// <param name="NodeId">Its node id.</param>
/// <param name="BrokerVersion">Its version.</param>
/// <param name="StartedAt">When it started.</param>
/// <param name="Connections">Open connections.</param>
/// <param name="Topics">Topics.</param>
/// <param name="Partitions">Partitions that it keeps.</param>
/// <param name="OfflinePartitions">Those that are stopped.</param>
/// <param name="LogBytes">Bytes of all batches on disk.</param>
/// <param name="FreeBytes">Bytes that are free in its data directory's file system.</param>
/// <param name="Configs">Its settings, secrets left out.</param>
public sealed record BrokerDescription(
    string ClusterId, int NodeId, string BrokerVersion, DateTimeOffset StartedAt, int Connections, int Topics,
    int Partitions, int OfflinePartitions, long LogBytes, long FreeBytes, IReadOnlyList<ConfigValue> Configs);
