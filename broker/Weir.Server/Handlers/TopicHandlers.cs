using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Server.Hosting;
using Weir.Server.Partitions;
using Weir.Server.Transport;

namespace Weir.Server.Handlers;

/// <summary>Tells clients of brokers and topics.</summary>
internal sealed class MetadataHandler(TopicCatalog topics, BrokerDescription description)
    : RequestHandler<MetadataRequest, MetadataResponse>
{
    protected override ValueTask<MetadataResponse> HandleAsync(Connection connection, MetadataRequest request)
    {
        var image = topics.Image;
        var found = request.AllTopics
            ? image.Topics.OrderBy(static topic => topic.Name, StringComparer.Ordinal).Select(ToInfo)
            : request.Topics.Select(name => image.Find(name) is { } topic
                ? ToInfo(topic)
                : new TopicInfo
                {
                    Name = name,
                    Error = Protocol.TopicName.IsValid(name) ? ErrorCode.UnknownTopic : ErrorCode.InvalidTopicName,
                });
        return ValueTask.FromResult(new MetadataResponse
        {
            ClusterId = image.ClusterId,
            ControllerId = description.NodeId,
            Brokers = [description.ToBrokerInfo()],
            Topics = [.. found],
        });
    }

    internal static PartitionInfo ToInfo(PartitionImage partition) => new()
    {
        Partition = partition.Index,
        Leader = partition.Leader,
        LeaderEpoch = partition.LeaderEpoch,
        Replicas = [.. partition.Replicas],
        Isr = [.. partition.Isr],
    };

    private static TopicInfo ToInfo(TopicImage topic) => new()
    {
        Name = topic.Name,
        TopicId = topic.TopicId,
        Kind = topic.Kind,
        Durability = topic.Settings.Durability,
        Partitioner = Partitioner.XxHash3,
        PartitionerSeed = topic.PartitionerSeed,
        MaxBatchBytes = topic.Settings.MaxBatchBytes,
        Partitions = [.. topic.Partitions.Select(ToInfo)],
    };
}

/// <summary>Creates topics.</summary>
internal sealed class CreateTopicHandler(TopicCatalog topics) : RequestHandler<CreateTopicRequest, CreateTopicResponse>
{
    protected override async ValueTask<CreateTopicResponse> HandleAsync(Connection connection, CreateTopicRequest request) =>
        await topics.CreateAsync(request).ConfigureAwait(false);
}

/// <summary>Deletes topics.</summary>
internal sealed class DeleteTopicHandler(TopicCatalog topics) : RequestHandler<DeleteTopicRequest, EmptyMessage>
{
    protected override async ValueTask<EmptyMessage> HandleAsync(Connection connection, DeleteTopicRequest request) =>
        await topics.DeleteAsync(request).ConfigureAwait(false);
}

/// <summary>Alters topics.</summary>
internal sealed class AlterTopicHandler(TopicCatalog topics) : RequestHandler<AlterTopicRequest, EmptyMessage>
{
    protected override async ValueTask<EmptyMessage> HandleAsync(Connection connection, AlterTopicRequest request) =>
        await topics.AlterAsync(request).ConfigureAwait(false);
}

/// <summary>Describes one topic in full.</summary>
internal sealed class DescribeTopicHandler(TopicCatalog topics, PartitionTable partitions)
    : RequestHandler<DescribeTopicRequest, DescribeTopicResponse>
{
    protected override ValueTask<DescribeTopicResponse> HandleAsync(Connection connection, DescribeTopicRequest request)
    {
        var topic = topics.Image.Find(request.Name)
            ?? throw new ProtocolException(ErrorCode.UnknownTopic, $"topic '{request.Name}' does not exist");
        return ValueTask.FromResult(new DescribeTopicResponse
        {
            Name = topic.Name,
            TopicId = topic.TopicId,
            Kind = topic.Kind,
            Durability = topic.Settings.Durability,
            CreatedAtMs = topic.CreatedAtMs,
            Configs = topic.Settings.Describe(),
            Partitions = [.. topic.Partitions.Select(partition => Describe(topic, partition))],
        });
    }

    private PartitionDescription Describe(TopicImage topic, PartitionImage image)
    {
        var partition = partitions.Get(topic.TopicId, image.Index);
        return new PartitionDescription
        {
            Info = MetadataHandler.ToInfo(image),
            Error = partition.Error,
            LogStartOffset = partition.Log.LogStartOffset,
            HighWatermark = partition.HighWatermark,
            LogEndOffset = partition.Log.LogEndOffset,
            SizeBytes = partition.Log.SizeBytes,
        };
    }
}

/// <summary>Moves a log start offset forward.</summary>
internal sealed class DeleteRecordsHandler(PartitionTable partitions) : RequestHandler<DeleteRecordsRequest, DeleteRecordsResponse>
{
    protected override async ValueTask<DeleteRecordsResponse> HandleAsync(Connection connection, DeleteRecordsRequest request)
    {
        var partition = partitions.Get(request.TopicId, request.Partition);
        var limit = Math.Min(partition.HighWatermark, partition.Log.DurableOffset);
        var offset = request.BeforeOffset == -1 ? limit : request.BeforeOffset;
        if (offset < 0 || offset > limit)
        {
            throw new ProtocolException(ErrorCode.OffsetOutOfRange, $"offset {offset} is not in 0 to {limit}");
        }

        await Task.Run(() => partition.Log.DeleteRecords(offset)).ConfigureAwait(false);
        return new DeleteRecordsResponse { LogStartOffset = partition.Log.LogStartOffset };
    }
}

/// <summary>Gives out producer ids.</summary>
internal sealed class InitProducerHandler(MetadataLog metadata) : RequestHandler<InitProducerRequest, InitProducerResponse>
{
    protected override async ValueTask<InitProducerResponse> HandleAsync(Connection connection, InitProducerRequest request)
    {
        var producerId = await Task.Run(metadata.NextProducerId).ConfigureAwait(false);
        return new InitProducerResponse { ProducerId = producerId, ProducerEpoch = 0 };
    }
}

/// <summary>Describes this broker.</summary>
internal sealed class DescribeBrokerHandler(BrokerDescription description)
    : RequestHandler<DescribeBrokerRequest, DescribeBrokerResponse>
{
    protected override ValueTask<DescribeBrokerResponse> HandleAsync(Connection connection, DescribeBrokerRequest request) =>
        ValueTask.FromResult(description.Describe());
}
