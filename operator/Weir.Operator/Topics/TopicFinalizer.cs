using Weir.Client;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Framework;
using Weir.Operator.Kubernetes;
using Weir.Protocol.Errors;
using TopicSpec = Weir.Operator.Entities.TopicSpec;

namespace Weir.Operator.Topics;

/// <summary>
/// Deletes the topic of a resource that goes and says so. Only the topic that the resource was known to have is deleted, and a
/// cluster that is gone holds nobody up.
/// </summary>
internal sealed class TopicFinalizer(
    BrokerAccess access, ResourceStore<V1Alpha1Topic> topics,
    StatusWriter<V1Alpha1Topic, TopicSpec, TopicStatus> statuses) : IEntityFinalizer<V1Alpha1Topic>
{
    /// <summary>Its name in the metadata.</summary>
    public const string Name = "weir.dev/topic";

    /// <inheritdoc/>
    public string Identifier => Name;

    /// <inheritdoc/>
    public async Task<ReconciliationResult<V1Alpha1Topic>> FinalizeAsync(
        V1Alpha1Topic entity, CancellationToken cancellationToken)
    {
        var status = statuses.Known(entity);
        var clusterKey = ClusterLookup.KeyOf(entity.Spec.ClusterRef, entity.Metadata.NamespaceProperty);
        var cluster = access.Clusters.Find(clusterKey);
        if (entity.Spec.DeletionPolicy != "Delete" || status?.TopicId is null || HasOtherOwner(entity))
        {
            return ReconciliationResult<V1Alpha1Topic>.Success(entity);
        }

        if (ClusterLookup.Check(cluster, entity.Metadata.NamespaceProperty) != ClusterAccess.Allowed)
        {
            await access.Events.PublishAsync(
                entity, EventType.Warning, "NotDeleted", $"the cluster {clusterKey} cannot be used any more: the topic is left",
                cancellationToken);
            return ReconciliationResult<V1Alpha1Topic>.Success(entity);
        }

        try
        {
            return await DeleteAsync(entity, status.TopicId, access.Pool.Of(cluster!), cancellationToken);
        }
        catch (WeirException e) when (e.Code == ErrorCode.UnknownTopic)
        {
            return ReconciliationResult<V1Alpha1Topic>.Success(entity);
        }
        catch (Exception e) when (e is WeirException or BrokersUnreachableException)
        {
            // It stays until it is sure that the topic is gone, also when the brokers forbid it.
            return await WaitAsync(entity, BrokerFaults.ToCondition(e), cancellationToken);
        }
    }

    private bool HasOtherOwner(V1Alpha1Topic entity)
    {
        var others = topics.Find(ClaimIndex.Name, TopicController.ClaimsOf(entity).First());
        return others.Count > 0 && ClaimIndex.OwnerOf(others).Metadata.Uid != entity.Metadata.Uid;
    }

    private async Task<ReconciliationResult<V1Alpha1Topic>> DeleteAsync(
        V1Alpha1Topic entity, string topicId, ClusterConnection connection, CancellationToken cancellationToken)
    {
        var name = TopicIntent.NameOf(entity);
        var admin = await connection.GetAdminAsync(cancellationToken);
        var live = await admin.DescribeTopicAsync(name, cancellationToken);
        if (live.TopicId.ToString() != topicId)
        {
            return ReconciliationResult<V1Alpha1Topic>.Success(entity);
        }

        if (entity.Spec.DeleteOnlyIfEmpty
            && live.Partitions.Any(static partition => partition.Error != ErrorCode.None || partition.HighWatermark > partition.LogStartOffset))
        {
            return await WaitAsync(
                entity,
                StatusConditions.Create(
                    ConditionTypes.Ready, false, "NotEmpty", "the topic holds records, or a partition does not answer, and "
                        + "deleteOnlyIfEmpty is set: it is deleted once it is empty"),
                cancellationToken);
        }

        await admin.DeleteTopicAsync(name, live.TopicId, cancellationToken);
        connection.Invalidate();
        await access.Events.PublishAsync(entity, EventType.Normal, "Deleted", $"deleted topic {name}", cancellationToken);
        return ReconciliationResult<V1Alpha1Topic>.Success(entity);
    }

    private async Task<ReconciliationResult<V1Alpha1Topic>> WaitAsync(
        V1Alpha1Topic entity, Condition condition, CancellationToken cancellationToken)
    {
        var status = StatusWriter<V1Alpha1Topic, TopicSpec, TopicStatus>.Copy(statuses.Known(entity));
        if (await statuses.WriteAsync(entity, status, [condition], cancellationToken))
        {
            await access.Events.PublishAsync(entity, EventType.Warning, condition.Reason, condition.Message, cancellationToken);
        }

        return ReconciliationResult<V1Alpha1Topic>.Failure(entity, condition.Message, requeueAfter: access.RetryAfter);
    }
}
