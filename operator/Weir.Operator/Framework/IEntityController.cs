using k8s;
using k8s.Models;

namespace Weir.Operator.Framework;

/// <summary>Brings the world to what an entity asks for. Called by one worker at a time for one entity.</summary>
/// <typeparam name="TEntity">Its kind.</typeparam>
internal interface IEntityController<TEntity>
    where TEntity : IKubernetesObject<V1ObjectMeta>
{
    /// <summary>Called after every change and at every resync, with the latest state that is known.</summary>
    /// <param name="entity">Shared with the cache: never change it.</param>
    /// <param name="cancellationToken">Ends with leadership, and after the time that a pass may take.</param>
    Task<ReconciliationResult<TEntity>> ReconcileAsync(TEntity entity, CancellationToken cancellationToken);

    /// <summary>Called once an entity is gone, with its last state. Nothing outside may be deleted here: finalizers do that.</summary>
    /// <param name="entity">Its last known state.</param>
    /// <param name="cancellationToken">Ends with leadership.</param>
    Task<ReconciliationResult<TEntity>> DeletedAsync(TEntity entity, CancellationToken cancellationToken);
}

/// <summary>Gives back what an entity holds outside of Kubernetes, before it goes.</summary>
/// <typeparam name="TEntity">Its kind.</typeparam>
internal interface IEntityFinalizer<TEntity>
    where TEntity : IKubernetesObject<V1ObjectMeta>
{
    /// <summary>The name that stands in the entity's metadata while it must be called.</summary>
    string Identifier { get; }

    /// <summary>Called while the entity is being deleted. On success the finalizer is taken off.</summary>
    /// <param name="entity">Shared with the cache: never change it.</param>
    /// <param name="cancellationToken">Ends with leadership, and after the time that a pass may take.</param>
    Task<ReconciliationResult<TEntity>> FinalizeAsync(TEntity entity, CancellationToken cancellationToken);
}
