using Weir.Metadata.Records;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Metadata;

/// <summary>
/// Decides what a request changes: the records to append, or a typed refusal. Pure: the image, the time and everything random
/// are passed in, so that a request decided twice on the same image gives the same records.
/// </summary>
/// <param name="nodeId">The only broker, which leads and keeps every partition.</param>
/// <param name="maxPartitions">Most partitions of the cluster.</param>
public sealed class MetadataController(int nodeId, int maxPartitions)
{
    /// <summary>Decides a creation.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public TopicCreated CreateTopic(MetadataImage image, CreateTopicRequest request, Guid topicId, long seed, long nowMs)
    {
        RequireName(request.Name);
        if (image.Find(request.Name) is not null)
        {
            throw new ProtocolException(ErrorCode.TopicExists, $"topic '{request.Name}' exists");
        }

        if (request.Kind != TopicKind.Event)
        {
            throw new ProtocolException(ErrorCode.InvalidRequest, $"topic kind {(byte)request.Kind} is not known here");
        }

        if (request.ReplicationFactor is not (-1 or 1))
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest, $"replication factor {request.ReplicationFactor} needs more brokers than the one there is");
        }

        RequirePartitions(image, request.Partitions, request.Partitions);
        RequireConfigs(TopicSettings.Default, request.Configs, replicas: 1);
        return new TopicCreated
        {
            TopicId = topicId,
            Name = request.Name,
            TopicKind = request.Kind,
            CreatedAtMs = nowMs,
            PartitionerSeed = seed,
            Configs = [.. request.Configs.Where(static entry => entry.Value is not null)],
            Partitions = NewPartitions(0, request.Partitions),
        };
    }

    /// <summary>Decides an alteration: all of it or nothing.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public IReadOnlyList<IMetadataRecord> AlterTopic(MetadataImage image, AlterTopicRequest request)
    {
        var topic = RequireTopic(image, request.Name);
        var records = new List<IMetadataRecord>();
        if (request.Configs.Length > 0)
        {
            RequireConfigs(topic.Settings, request.Configs, replicas: 1);
            records.Add(new TopicConfigChanged { TopicId = topic.TopicId, Configs = request.Configs });
        }

        var present = topic.Partitions.Length;
        if (request.Partitions != 0 && request.Partitions != present)
        {
            if (request.Partitions < present)
            {
                throw new ProtocolException(
                    ErrorCode.InvalidRequest, $"topic '{topic.Name}' has {present} partitions; they can only become more");
            }

            RequirePartitions(image, request.Partitions, request.Partitions - present);
            records.Add(new PartitionsAdded
            {
                TopicId = topic.TopicId,
                Partitions = NewPartitions(present, request.Partitions),
            });
        }

        return records;
    }

    /// <summary>Decides a deletion.</summary>
    /// <exception cref="ProtocolException">There is no such topic.</exception>
    public static TopicDeleted DeleteTopic(MetadataImage image, DeleteTopicRequest request) =>
        new() { TopicId = RequireTopic(image, request.Name).TopicId };

    /// <summary>Reserves producer ids.</summary>
    public static ProducerIdsReserved ReserveProducerIds(MetadataImage image, int count) =>
        new() { NextProducerId = image.NextProducerId + count };

    private static TopicImage RequireTopic(MetadataImage image, string name)
    {
        RequireName(name);
        return image.Find(name)
            ?? throw new ProtocolException(ErrorCode.UnknownTopic, $"topic '{name}' does not exist");
    }

    private static void RequireName(string name)
    {
        if (!TopicName.IsValid(name))
        {
            throw new ProtocolException(
                ErrorCode.InvalidTopicName, $"'{name}' is no topic name: use 1 to 249 of a-z A-Z 0-9 . _ -");
        }
    }

    private static void RequireConfigs(TopicSettings before, ConfigEntry[] configs, int replicas)
    {
        var faults = TopicConfigCatalog.FindFaults(configs);
        if (faults.Count > 0)
        {
            throw new ProtocolException(ErrorCode.InvalidConfig, string.Join("; ", faults));
        }

        var after = before.With(configs);
        if (after.MinInsyncReplicas > replicas)
        {
            throw new ProtocolException(
                ErrorCode.InvalidConfig, $"min.insync.replicas={after.MinInsyncReplicas} is over the topic's {replicas} replicas");
        }
    }

    private void RequirePartitions(MetadataImage image, int wanted, int added)
    {
        if (wanted is < 1 or > ProtocolLimits.PartitionsPerTopic)
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest, $"partitions must be from 1 to {ProtocolLimits.PartitionsPerTopic}, not {wanted}");
        }

        if (image.PartitionCount + added > maxPartitions)
        {
            throw new ProtocolException(
                ErrorCode.LimitReached, $"the cluster has {image.PartitionCount} of at most {maxPartitions} partitions");
        }
    }

    private PartitionInfo[] NewPartitions(int from, int to) =>
    [
        .. Enumerable.Range(from, to - from).Select(index => new PartitionInfo
        {
            Partition = index,
            Leader = nodeId,
            LeaderEpoch = 0,
            Replicas = [nodeId],
            Isr = [nodeId],
        }),
    ];
}
