using Weir.Client;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Framework;
using Weir.Operator.Kubernetes;
using Weir.Operator.Topics;
using Weir.Protocol.Errors;

namespace Weir.Operator.Groups;

/// <summary>Deletes the group of a resource that goes and says so; as <see cref="TopicFinalizer"/>.</summary>
internal sealed class GroupFinalizer(
    BrokerAccess access, ResourceStore<V1Alpha1ConsumerGroup> groups,
    StatusWriter<V1Alpha1ConsumerGroup, ConsumerGroupSpec, ConsumerGroupStatus> statuses)
    : IEntityFinalizer<V1Alpha1ConsumerGroup>
{
    /// <summary>Its name in the metadata.</summary>
    public const string Name = "weir.dev/group";

    /// <inheritdoc/>
    public string Identifier => Name;

    /// <inheritdoc/>
    public async Task<ReconciliationResult<V1Alpha1ConsumerGroup>> FinalizeAsync(
        V1Alpha1ConsumerGroup entity, CancellationToken cancellationToken)
    {
        var known = statuses.Known(entity);
        var clusterKey = ClusterLookup.KeyOf(entity.Spec.ClusterRef, entity.Metadata.NamespaceProperty);
        var cluster = access.Clusters.Find(clusterKey);
        var others = groups.Find(ClaimIndex.Name, GroupController.ClaimsOf(entity).First());
        var hasOtherOwner = others.Count > 0 && ClaimIndex.OwnerOf(others).Metadata.Uid != entity.Metadata.Uid;
        if (entity.Spec.DeletionPolicy != "Delete" || known?.GroupId is null || hasOtherOwner)
        {
            return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity);
        }

        if (ClusterLookup.Check(cluster, entity.Metadata.NamespaceProperty) != ClusterAccess.Allowed)
        {
            await access.Events.PublishAsync(
                entity, EventType.Warning, "NotDeleted", $"the cluster {clusterKey} cannot be used any more: the group is left",
                cancellationToken);
            return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity);
        }

        try
        {
            var name = GroupIntent.NameOf(entity);
            var connection = access.Pool.Of(cluster!);
            var admin = await connection.GetAdminAsync(cancellationToken);
            var live = await admin.DescribeGroupAsync(name, cancellationToken);
            if (live.Declaration.GroupId.ToString() == known.GroupId)
            {
                await admin.DeleteGroupAsync(name, live.Declaration.GroupId, cancellationToken);
                connection.Invalidate();
                await access.Events.PublishAsync(entity, EventType.Normal, "Deleted", $"deleted group {name}", cancellationToken);
            }

            return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity);
        }
        catch (WeirException e) when (e.Code == ErrorCode.UnknownGroup)
        {
            return ReconciliationResult<V1Alpha1ConsumerGroup>.Success(entity);
        }
        catch (Exception e) when (e is WeirException or BrokersUnreachableException)
        {
            var status = StatusWriter<V1Alpha1ConsumerGroup, ConsumerGroupSpec, ConsumerGroupStatus>.Copy(known);
            await statuses.WriteAsync(entity, status, [BrokerFaults.ToCondition(e)], cancellationToken);
            return ReconciliationResult<V1Alpha1ConsumerGroup>.Failure(entity, e.Message, e, access.RetryAfter);
        }
    }
}
