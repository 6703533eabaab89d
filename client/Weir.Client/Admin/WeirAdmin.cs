using Weir.Client.Admin;
using Weir.Client.Connections;
using Weir.Client.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client;

/// <summary>
/// Administration of topics, groups and brokers. Thread-safe; lives as long as its client. Calls that may be repeated are, after
/// retriable errors, within the request timeout; creating and deleting are not, once they may have reached the broker.
/// Every call throws <see cref="WeirException"/> with the broker's error, or with
/// <see cref="ErrorCode.RequestTimedOut"/> or <see cref="ErrorCode.ConnectionLost"/>.
/// </summary>
public sealed class WeirAdmin
{
    private readonly ClusterConnections _cluster;
    private readonly TopicCatalog _catalog;

    internal WeirAdmin(ClusterConnections cluster, TopicCatalog catalog)
    {
        _cluster = cluster;
        _catalog = catalog;
        Cluster = new ClusterAdmin(cluster);
    }

    /// <summary>Brokers, replicas and leaders of the whole cluster.</summary>
    public ClusterAdmin Cluster { get; }

    /// <summary>Creates a topic; completes when it can be used.</summary>
    /// <param name="name">1 to 249 of <c>[a-zA-Z0-9._-]</c>.</param>
    /// <param name="spec">What it shall be; null for one partition and all defaults.</param>
    /// <param name="ct">Ends the waiting; the topic may be created nevertheless.</param>
    public async Task<CreatedTopic> CreateTopicAsync(string name, TopicSpec? spec = null, CancellationToken ct = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        spec ??= new TopicSpec();
        var request = new CreateTopicRequest
        {
            Name = name,
            Kind = spec.Kind,
            Partitions = spec.Partitions,
            ReplicationFactor = spec.ReplicationFactor,
            Configs = AdminMapping.ToEntries(spec.Configs),
            ValidateOnly = spec.ValidateOnly,
        };
        var reply = await _cluster.RequestAnyAsync<CreateTopicRequest, CreateTopicResponse>(
            request, isRepeatable: spec.ValidateOnly, ct).ConfigureAwait(false);
        return new CreatedTopic(name, reply.TopicId, reply.Partitions, reply.ReplicationFactor);
    }

    /// <summary>Deletes a topic and its data.</summary>
    /// <param name="name">The topic.</param>
    /// <param name="ct">Ends the waiting; the topic may be deleted nevertheless.</param>
    public Task DeleteTopicAsync(string name, CancellationToken ct = default) => DeleteAsync(name, null, ct);

    /// <summary>Deletes a topic and its data, unless another one has its name by now: that is <see cref="ErrorCode.UnknownTopic"/>.</summary>
    /// <param name="name">The topic.</param>
    /// <param name="topicId">Its id, as it was described or created.</param>
    /// <param name="ct">Ends the waiting; the topic may be deleted nevertheless.</param>
    public Task DeleteTopicAsync(string name, Guid topicId, CancellationToken ct = default) => DeleteAsync(name, topicId, ct);

    /// <summary>Changes settings or adds partitions; all of it or nothing.</summary>
    /// <param name="name">The topic.</param>
    /// <param name="partitions">New number of partitions, never fewer than now; null leaves it. Keys stay where they are, unless <c>key.partitions</c> says otherwise.</param>
    /// <param name="configs">Settings to change; a null value goes back to the default.</param>
    /// <param name="ct">Ends the waiting.</param>
    public async Task AlterTopicAsync(
        string name, int? partitions = null, IReadOnlyDictionary<string, string?>? configs = null,
        CancellationToken ct = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var request = new AlterTopicRequest
        {
            Name = name,
            Partitions = partitions ?? 0,
            Configs = AdminMapping.ToEntries(configs),
        };
        await _cluster.RequestAnyAsync<AlterTopicRequest, EmptyMessage>(request, isRepeatable: true, ct).ConfigureAwait(false);
        _catalog.Forget(name);
    }

    /// <summary>All topics, by name.</summary>
    /// <param name="ct">Ends the waiting.</param>
    public async Task<IReadOnlyList<TopicSummary>> ListTopicsAsync(CancellationToken ct = default)
    {
        var metadata = await GetMetadataAsync(topics: null, ct).ConfigureAwait(false);
        return [.. metadata.Topics.OrderBy(static topic => topic.Name, StringComparer.Ordinal)];
    }

    /// <summary>A topic's settings, and the offsets and sizes of its partitions.</summary>
    /// <param name="name">The topic.</param>
    /// <param name="ct">Ends the waiting.</param>
    public async Task<TopicDescription> DescribeTopicAsync(string name, CancellationToken ct = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return AdminMapping.ToDescription(
            await _cluster.RequestAnyAsync<DescribeTopicRequest, DescribeTopicResponse>(
                new DescribeTopicRequest { Name = name }, isRepeatable: true, ct).ConfigureAwait(false));
    }

    /// <summary>Finds an offset of a partition: earliest, latest or by timestamp.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="partition">The partition.</param>
    /// <param name="start">What to find; an offset is given back as it is, without asking.</param>
    /// <param name="ct">Ends the waiting.</param>
    public async Task<FoundOffset> ListOffsetAsync(
        string topic, int partition, ConsumerStart start, CancellationToken ct = default)
    {
        if (start.Position == StartPosition.Offset)
        {
            return new FoundOffset(start.Value, -1);
        }

        var reply = await AskLeaderAsync<ListOffsetsRequest, ListOffsetsResponse>(
            topic,
            partition,
            id => new ListOffsetsRequest
            {
                TopicId = id,
                Partition = partition,
                Position = start.Position,
                TimestampMs = start.Value,
            },
            ct).ConfigureAwait(false);
        return new FoundOffset(reply.Offset, reply.LeaderEpoch);
    }

    /// <summary>Deletes the records of a partition before an offset, for every reader.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="partition">The partition.</param>
    /// <param name="beforeOffset">First offset to keep, at most the high watermark; -1 for that.</param>
    /// <param name="ct">Ends the waiting.</param>
    /// <returns>The first offset that is kept now.</returns>
    public async Task<long> DeleteRecordsAsync(
        string topic, int partition, long beforeOffset, CancellationToken ct = default)
    {
        var reply = await AskLeaderAsync<DeleteRecordsRequest, DeleteRecordsResponse>(
            topic,
            partition,
            id => new DeleteRecordsRequest { TopicId = id, Partition = partition, BeforeOffset = beforeOffset },
            ct).ConfigureAwait(false);
        return reply.LogStartOffset;
    }

    /// <summary>Declares a group; completes when it can be used.</summary>
    /// <param name="name">1 to 249 of <c>[a-zA-Z0-9._-]</c>.</param>
    /// <param name="spec">What it shall be.</param>
    /// <param name="ct">Ends the waiting; the group may be declared nevertheless.</param>
    public async Task<CreatedGroup> CreateGroupAsync(string name, GroupSpec spec, CancellationToken ct = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(spec);
        var request = new CreateGroupRequest
        {
            Name = name,
            Mode = spec.Mode,
            Topics = [.. spec.Topics],
            Start = spec.Start.Position,
            StartValue = spec.Start.Value,
            Configs = AdminMapping.ToEntries(spec.Configs),
            DeadLetterTopic = spec.DeadLetterTopic,
            Owner = spec.Owner,
            OnUse = spec.OnUse,
            ValidateOnly = spec.ValidateOnly,
        };
        var reply = await _cluster.RequestAnyAsync<CreateGroupRequest, CreateGroupResponse>(
            request, isRepeatable: spec.ValidateOnly, ct).ConfigureAwait(false);
        return new CreatedGroup(name, reply.GroupId);
    }

    /// <summary>Changes a group's declaration; all of it or nothing.</summary>
    /// <param name="name">The group.</param>
    /// <param name="change">What changes.</param>
    /// <param name="ct">Ends the waiting; the change may be made nevertheless.</param>
    public Task AlterGroupAsync(string name, GroupChange change, CancellationToken ct = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(change);
        var request = new AlterGroupRequest
        {
            Name = name,
            Topics = [.. change.Topics],
            Configs = AdminMapping.ToEntries(change.Configs),
            DeadLetterTopic = change.DeadLetterTopic,
            Owner = change.Owner,
            ValidateOnly = change.ValidateOnly,
        };
        return _cluster.RequestAnyAsync<AlterGroupRequest, EmptyMessage>(request, isRepeatable: true, ct);
    }

    /// <summary>Deletes a group with what it has consumed. Its members end; the records stay.</summary>
    /// <param name="name">The group.</param>
    /// <param name="ct">Ends the waiting; the group may be deleted nevertheless.</param>
    public Task DeleteGroupAsync(string name, CancellationToken ct = default) => DeleteGroupAsync(name, null, ct);

    /// <summary>As <see cref="DeleteGroupAsync(string, CancellationToken)"/>, unless another one has its name by now: that is
    /// <see cref="ErrorCode.UnknownGroup"/>.</summary>
    /// <param name="name">The group.</param>
    /// <param name="groupId">Its id, as it was described or declared.</param>
    /// <param name="ct">Ends the waiting; the group may be deleted nevertheless.</param>
    public Task DeleteGroupAsync(string name, Guid groupId, CancellationToken ct = default) =>
        DeleteGroupAsync(name, (Guid?)groupId, ct);

    /// <summary>All groups as they are declared, by name.</summary>
    /// <param name="ct">Ends the waiting.</param>
    public async Task<IReadOnlyList<GroupSummary>> ListGroupsAsync(CancellationToken ct = default)
    {
        var reply = await _cluster.RequestAnyAsync<ListGroupsRequest, ListGroupsResponse>(
            new ListGroupsRequest(), isRepeatable: true, ct).ConfigureAwait(false);
        return [.. reply.Groups.Select(GroupMapping.ToSummary)];
    }

    /// <summary>A group with its members, and how far it is in each partition.</summary>
    /// <param name="name">The group.</param>
    /// <param name="ct">Ends the waiting.</param>
    public async Task<GroupDescription> DescribeGroupAsync(string name, CancellationToken ct = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return GroupMapping.ToDescription(
            await _cluster.RequestAnyAsync<DescribeGroupRequest, DescribeGroupResponse>(
                new DescribeGroupRequest { Name = name }, isRepeatable: true, ct).ConfigureAwait(false));
    }

    /// <summary>Moves the offsets of a group; all that are asked for or none.</summary>
    /// <param name="name">The group.</param>
    /// <param name="spec">Where to, and which.</param>
    /// <param name="ct">Ends the waiting; the offsets may be moved nevertheless.</param>
    /// <returns>Each partition before and after, by topic and partition.</returns>
    public async Task<IReadOnlyList<ResetOffsets>> ResetGroupAsync(
        string name, GroupResetSpec spec, CancellationToken ct = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(spec);
        var request = new ResetGroupRequest
        {
            Name = name,
            Topic = spec.Topic,
            Partition = spec.Partition ?? -1,
            To = spec.To.Position,
            Value = spec.To.Value,
            DryRun = spec.DryRun,
            Force = spec.Force,
        };
        var reply = await _cluster.RequestAnyAsync<ResetGroupRequest, ResetGroupResponse>(
            request, isRepeatable: spec.DryRun || spec.To.Position != ResetPosition.Shift, ct).ConfigureAwait(false);
        return GroupMapping.ToOffsets(reply);
    }

    /// <summary>Changes settings of the cluster; all of them or none.</summary>
    /// <param name="configs">Settings to change; a null value goes back to the default.</param>
    /// <param name="validateOnly">Check everything, change nothing.</param>
    /// <param name="ct">Ends the waiting; the change may be made nevertheless.</param>
    public Task AlterClusterAsync(
        IReadOnlyDictionary<string, string?> configs, bool validateOnly = false, CancellationToken ct = default) =>
        _cluster.RequestAnyAsync<AlterClusterRequest, EmptyMessage>(
            new AlterClusterRequest { Configs = AdminMapping.ToEntries(configs), ValidateOnly = validateOnly },
            isRepeatable: true, ct);

    /// <summary>What a broker is and how it is set up.</summary>
    /// <param name="nodeId">Which broker; null for the one that the client is connected to.</param>
    /// <param name="ct">Ends the waiting.</param>
    public async Task<BrokerDescription> DescribeBrokerAsync(int? nodeId = null, CancellationToken ct = default) =>
        AdminMapping.ToDescription(
            await _cluster.RequestAsync<DescribeBrokerRequest, DescribeBrokerResponse>(
                token => nodeId is { } node ? _cluster.GetNodeAsync(node, token) : _cluster.GetAnyAsync(token),
                new DescribeBrokerRequest(), isRepeatable: true, ct).ConfigureAwait(false));

    /// <summary>The cluster's brokers and topics.</summary>
    /// <param name="topics">Which topics, at most 256; null for all. Those that do not exist are left out.</param>
    /// <param name="ct">Ends the waiting.</param>
    public async Task<ClusterMetadata> GetMetadataAsync(
        IReadOnlyCollection<string>? topics = null, CancellationToken ct = default)
    {
        var reply = await _cluster.RequestAnyAsync<MetadataRequest, MetadataResponse>(
            new MetadataRequest { AllTopics = topics is null, Topics = [.. topics ?? []] },
            isRepeatable: true, ct).ConfigureAwait(false);
        _cluster.Learn(reply.Brokers);
        return AdminMapping.ToMetadata(reply);
    }

    private async Task<TResponse> AskLeaderAsync<TRequest, TResponse>(
        string topic, int partition, Func<Guid, TRequest> create, CancellationToken ct)
        where TRequest : IRequest<TResponse>
        where TResponse : IMessage, new()
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        ArgumentOutOfRangeException.ThrowIfNegative(partition);
        var known = await _catalog.RefreshAsync(topic, ct).ConfigureAwait(false);
        if (partition >= known.PartitionCount)
        {
            throw WeirException.At(
                ErrorCode.UnknownPartition, $"the topic has {known.PartitionCount} partitions", topic, partition);
        }

        return await _cluster.RequestAsync<TRequest, TResponse>(
            token => _catalog.GetLeaderAsync(known, partition, token), create(known.Id), isRepeatable: true, ct)
            .ConfigureAwait(false);
    }

    private async Task DeleteAsync(string topic, Guid? topicId, CancellationToken ct)
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        _catalog.Forget(topic);
        await _cluster.RequestAnyAsync<DeleteTopicRequest, EmptyMessage>(
            new DeleteTopicRequest { Name = topic, TopicId = topicId }, isRepeatable: false, ct).ConfigureAwait(false);
        _catalog.Forget(topic);
    }

    private Task<EmptyMessage> DeleteGroupAsync(string group, Guid? groupId, CancellationToken ct)
    {
        ArgumentException.ThrowIfNullOrEmpty(group);
        return _cluster.RequestAnyAsync<DeleteGroupRequest, EmptyMessage>(
            new DeleteGroupRequest { Name = group, GroupId = groupId }, isRepeatable: false, ct);
    }
}
