using Weir.Metadata;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Metadata.Quorum;
using Weir.Replication;
using Weir.Server.Hosting;
using Weir.Server.Partitions;
using Weir.Server.Peers;
using Weir.Server.Transport;

namespace Weir.Server.Handlers;

/// <summary>Tells clients of brokers and topics.</summary>
internal sealed class MetadataHandler(Func<MetadataImage> image, BrokerNode node)
    : RequestHandler<MetadataRequest, MetadataResponse>
{
    protected override ValueTask<MetadataResponse> HandleAsync(Connection connection, MetadataRequest request)
    {
        var known = node.Replicas.RequireMetadata(image());
        var found = request.AllTopics
            ? known.Topics.OrderBy(static topic => topic.Name, StringComparer.Ordinal).Select(ToInfo)
            : request.Topics.Select(name => known.Find(name) is { } topic
                ? ToInfo(topic)
                : new TopicInfo
                {
                    Name = name,
                    Error = Protocol.TopicName.IsValid(name) ? ErrorCode.UnknownTopic : ErrorCode.InvalidTopicName,
                });
        return ValueTask.FromResult(new MetadataResponse
        {
            ClusterId = known.ClusterId,
            ControllerId = node.Quorum.LeaderId,
            Brokers =
            [
                .. known.Brokers.Select(static broker => new BrokerInfo
                {
                    NodeId = broker.NodeId, Host = broker.Host, Port = broker.Port,
                }),
            ],
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
        KeyPartitions = topic.KeyPartitions,
        MaxBatchBytes = topic.Settings.MaxBatchBytes,
        Partitions = [.. topic.Partitions.Select(ToInfo)],
    };
}

/// <summary>Creates topics; answers once this broker knows of it, so that the client's next request does too.</summary>
internal sealed class CreateTopicHandler(ControllerClient controller, MetadataLoop loop, ImageFollower follower)
    : ControllerHandler<CreateTopicRequest, CreateTopicResponse>(controller, loop)
{
    protected override async ValueTask<CreateTopicResponse> HandleAsync(Connection connection, CreateTopicRequest request)
    {
        var response = await base.HandleAsync(connection, request).ConfigureAwait(false);
        if (response.TopicId != Guid.Empty && connection.PeerNodeId is null)
        {
            await follower.WaitAsync(image => image.Find(response.TopicId) is not null).ConfigureAwait(false);
        }

        return response;
    }
}

/// <summary>Deletes topics; answers once this broker has forgotten it.</summary>
internal sealed class DeleteTopicHandler(ControllerClient controller, MetadataLoop loop, ImageFollower follower)
    : ControllerHandler<DeleteTopicRequest, EmptyMessage>(controller, loop)
{
    protected override async ValueTask<EmptyMessage> HandleAsync(Connection connection, DeleteTopicRequest request)
    {
        var topicId = follower.Image.Find(request.Name)?.TopicId;
        var response = await base.HandleAsync(connection, request).ConfigureAwait(false);
        if (topicId is { } id && connection.PeerNodeId is null)
        {
            await follower.WaitAsync(image => image.Find(id) is null).ConfigureAwait(false);
        }

        return response;
    }
}

/// <summary>Alters topics; answers once this broker follows.</summary>
internal sealed class AlterTopicHandler(ControllerClient controller, MetadataLoop loop, ImageFollower follower)
    : ControllerHandler<AlterTopicRequest, EmptyMessage>(controller, loop)
{
    protected override async ValueTask<EmptyMessage> HandleAsync(Connection connection, AlterTopicRequest request)
    {
        var response = await base.HandleAsync(connection, request).ConfigureAwait(false);
        if (connection.PeerNodeId is null && !request.ValidateOnly)
        {
            await follower.WaitAsync(image => image.Find(request.Name) is not { } topic || IsAltered(topic, request))
                .ConfigureAwait(false);
        }

        return response;
    }

    private static bool IsAltered(TopicImage topic, AlterTopicRequest request)
    {
        var asked = request.Configs.Select(static entry => new ConfigSetting { Name = entry.Name, Value = entry.Value });
        return topic.Partitions.Length >= request.Partitions
            && topic.Settings.With(asked, topic.ReplicationFactor, []).ChangesFrom(topic.Settings).Length == 0;
    }
}

/// <summary>Describes one topic in full: offsets and sizes come from the leaders.</summary>
internal sealed class DescribeTopicHandler(
    Func<MetadataImage> image, BrokerReplicas replicas, PartitionTable partitions, IPeerNetwork peers, int self)
    : RequestHandler<DescribeTopicRequest, DescribeTopicResponse>
{
    private const int PeerTimeoutMs = 2000;

    protected override async ValueTask<DescribeTopicResponse> HandleAsync(Connection connection, DescribeTopicRequest request)
    {
        var topic = replicas.RequireMetadata(image()).Find(request.Name)
            ?? throw new ProtocolException(ErrorCode.UnknownTopic, $"topic '{request.Name}' does not exist");
        if (request.ReplicasOf is { } node && node != self)
        {
            return await AskAsync((int)node, topic).ConfigureAwait(false)
                ?? throw new ProtocolException(ErrorCode.ConnectionLost, $"node {node} cannot be asked from here");
        }

        var described = topic.Partitions.Select(partition => Describe(topic, partition)).ToArray();
        if (connection.PeerNodeId is null && request.ReplicasOf is null)
        {
            await AskLeadersAsync(topic, described).ConfigureAwait(false);
        }

        return new DescribeTopicResponse
        {
            Name = topic.Name,
            TopicId = topic.TopicId,
            Kind = topic.Kind,
            Durability = topic.Settings.Durability,
            CreatedAtMs = topic.CreatedAtMs,
            Configs = topic.Settings.Describe(),
            Partitions = described,
        };
    }

    private PartitionDescription Describe(TopicImage topic, PartitionImage state)
    {
        var description = new PartitionDescription { Info = MetadataHandler.ToInfo(state) };
        if (partitions.Find(topic.TopicId, state.Index) is { } partition)
        {
            description.Error = state.Leader == self ? partition.Error : ErrorCode.None;
            description.LogStartOffset = partition.Log.LogStartOffset;
            description.HighWatermark = partition.HighWatermark;
            description.LogEndOffset = partition.Log.LogEndOffset;
            description.SizeBytes = partition.Log.SizeBytes;
        }

        if (state.Leader < 0)
        {
            description.Error = description.Error == ErrorCode.None ? ErrorCode.LeaderNotAvailable : description.Error;
        }

        return description;
    }

    private async Task AskLeadersAsync(TopicImage topic, PartitionDescription[] described)
    {
        var leaders = topic.Partitions.Select(static partition => partition.Leader).Where(id => id >= 0 && id != self).Distinct();
        var answers = await Task.WhenAll(leaders.Select(async leader => (Leader: leader, Answer: await AskAsync(leader, topic).ConfigureAwait(false))))
            .ConfigureAwait(false);
        foreach (var (leader, answer) in answers)
        {
            foreach (var partition in topic.Partitions.Where(partition => partition.Leader == leader))
            {
                if (answer?.Partitions.FirstOrDefault(one => one.Info.Partition == partition.Index) is { } found)
                {
                    described[partition.Index] = found;
                }
            }
        }
    }

    private Task<DescribeTopicResponse?> AskAsync(int leader, TopicImage topic)
    {
        var done = new TaskCompletionSource<DescribeTopicResponse?>(TaskCreationOptions.RunContinuationsAsynchronously);
        peers.Send<DescribeTopicRequest, DescribeTopicResponse>(
            leader, new DescribeTopicRequest { Name = topic.Name }, PeerTimeoutMs, reply => done.SetResult(reply.Response));
        return done.Task;
    }
}

/// <summary>Moves a log start offset forward.</summary>
internal sealed class DeleteRecordsHandler(PartitionTable partitions) : RequestHandler<DeleteRecordsRequest, DeleteRecordsResponse>
{
    protected override async ValueTask<DeleteRecordsResponse> HandleAsync(Connection connection, DeleteRecordsRequest request)
    {
        var partition = partitions.GetLed(request.TopicId, request.Partition);
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

/// <summary>Describes this broker.</summary>
internal sealed class DescribeBrokerHandler(BrokerDescription description)
    : RequestHandler<DescribeBrokerRequest, DescribeBrokerResponse>
{
    protected override ValueTask<DescribeBrokerResponse> HandleAsync(Connection connection, DescribeBrokerRequest request) =>
        ValueTask.FromResult(description.Describe());
}
