using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Framework;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Clusters;

/// <summary>
/// Holds a cluster that is protected, and goes on keeping it, unless its namespace goes with everything in it. Deletes the volumes
/// if the specification says so.
/// </summary>
internal sealed class ClusterFinalizer(
    ClusterController controller, ClusterObjects objects, EventRecorder events) : IEntityFinalizer<V1Alpha1WeirCluster>
{
    /// <summary>Its name in the metadata.</summary>
    public const string Name = "weir.dev/cluster";

    /// <inheritdoc/>
    public string Identifier => Name;

    /// <inheritdoc/>
    public async Task<ReconciliationResult<V1Alpha1WeirCluster>> FinalizeAsync(
        V1Alpha1WeirCluster entity, CancellationToken cancellationToken)
    {
        var ns = entity.Metadata.NamespaceProperty;
        if (entity.Spec.DeletionProtection && !await objects.IsNamespaceTerminatingAsync(ns, cancellationToken))
        {
            const string Message = "deletionProtection is set: the cluster stays until that is taken back";
            await events.PublishAsync(entity, EventType.Warning, "DeletionProtected", Message, cancellationToken);
            var kept = await controller.ReconcileAsync(entity, cancellationToken);
            return ReconciliationResult<V1Alpha1WeirCluster>.Failure(
                entity, Message, requeueAfter: kept.RequeueAfter ?? TimeSpan.FromSeconds(30));
        }

        if (entity.Spec.Storage.DeleteClaim && !Annotations.IsPaused(entity))
        {
            await objects.DeleteVolumesAsync(ClusterNames.Of(entity), cancellationToken);
        }

        return ReconciliationResult<V1Alpha1WeirCluster>.Success(entity);
    }
}
