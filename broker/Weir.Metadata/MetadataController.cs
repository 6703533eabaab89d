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
public sealed class MetadataController(int nodeId, int maxPartitions = MetadataController.DefaultMaxPartitions)
{
    /// <summary>Most partitions of a cluster where nothing else is said.</summary>
    public const int DefaultMaxPartitions = 20_000;

    /// <summary>Most producer ids that may be reserved at once.</summary>
    public const int MaxProducerIdBlock = 1_000_000;

    private const int Brokers = 1;

    /// <summary>Decides a creation. Names are case-sensitive, and '.' and '_' are different characters.</summary>
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

        if (request.ReplicationFactor is not -1 and (< 1 or > Brokers))
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest,
                $"replication factor must be from 1 to the number of brokers, {Brokers}, not {request.ReplicationFactor}");
        }

        RequirePartitions(image, request.Partitions, request.Partitions);
        return new TopicCreated
        {
            TopicId = topicId,
            Name = request.Name,
            TopicKind = request.Kind,
            CreatedAtMs = nowMs,
            PartitionerSeed = seed,
            Configs = RequireChanges(TopicSettings.Default, request.Configs, Brokers),
            Partitions = NewPartitions(0, request.Partitions),
        };
    }

    /// <summary>Decides an alteration: all of it or nothing, and no record where nothing changes.</summary>
    /// <exception cref="ProtocolException">The request is refused; its code says why.</exception>
    public IReadOnlyList<IMetadataRecord> AlterTopic(MetadataImage image, AlterTopicRequest request)
    {
        var topic = RequireTopic(image, request.Name);
        var records = new List<IMetadataRecord>();
        var changes = RequireChanges(topic.Settings, request.Configs, topic.ReplicationFactor);
        if (changes.Length > 0)
        {
            records.Add(new TopicConfigChanged { TopicId = topic.TopicId, Configs = changes });
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

    /// <summary>Reserves the next producer ids: those from the image's to the record's next one.</summary>
    /// <exception cref="ProtocolException">So many cannot be reserved.</exception>
    public static ProducerIdsReserved ReserveProducerIds(MetadataImage image, int count)
    {
        if (count is < 1 or > MaxProducerIdBlock)
        {
            throw new ProtocolException(
                ErrorCode.InvalidRequest, $"1 to {MaxProducerIdBlock} producer ids can be reserved, not {count}");
        }

        return image.NextProducerId <= long.MaxValue - count
            ? new ProducerIdsReserved { NextProducerId = image.NextProducerId + count }
            : throw new ProtocolException(ErrorCode.LimitReached, "there are no producer ids left");
    }

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

    private static ConfigSetting[] RequireChanges(TopicSettings before, ConfigEntry[] entries, int replicas)
    {
        var faults = new List<string>();
        var after = before.With(
            entries.Select(static entry => new ConfigSetting { Name = entry.Name, Value = entry.Value }), replicas, faults);
        return faults.Count == 0
            ? after.ChangesFrom(before)
            : throw new ProtocolException(ErrorCode.InvalidConfig, string.Join("; ", faults));
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
                ErrorCode.LimitReached,
                $"the cluster has {image.PartitionCount} of at most {maxPartitions} partitions: {added} more do not fit");
        }
    }

    private PartitionAssignment[] NewPartitions(int from, int to) =>
    [
        .. Enumerable.Range(from, to - from).Select(index => new PartitionAssignment
        {
            Index = index,
            Leader = nodeId,
            LeaderEpoch = 0,
            Replicas = [nodeId],
            Isr = [nodeId],
        }),
    ];
}
