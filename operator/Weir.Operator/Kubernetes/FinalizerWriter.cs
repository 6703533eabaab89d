using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Weir.Operator.Kubernetes;

/// <summary>In whose name fields are applied.</summary>
internal static class FieldManagers
{
    public const string Objects = "weir-operator";
    public const string Status = "weir-operator-status";
    public const string Finalizers = "weir-operator-finalizer";
}

/// <summary>Puts finalizers on entities and takes them off.</summary>
internal sealed class FinalizerWriter<T>(KubeResource<T> resource)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    /// <summary>Adds a finalizer if it is missing. To be awaited before anything outside is made for the entity.</summary>
    public async Task AddAsync(T entity, string identifier, CancellationToken cancellationToken)
    {
        if (entity.Metadata.Finalizers?.Contains(identifier) == true)
        {
            return;
        }

        // With the uid an entity that is gone is not made again.
        var body = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["uid"] = entity.Metadata.Uid,
                ["finalizers"] = new JsonArray(identifier),
            },
        };
        await resource.ApplyAsync(ObjectKey.Of(entity), body, FieldManagers.Finalizers, null, cancellationToken);
    }

    /// <summary>Takes a finalizer off, whoever put it there; others stay.</summary>
    /// <exception cref="KubeApiException">With IsConflict if the entity has changed meanwhile.</exception>
    public async Task RemoveAsync(T entity, string identifier, CancellationToken cancellationToken)
    {
        var left = (entity.Metadata.Finalizers ?? []).Where(other => other != identifier).ToList();
        if (left.Count == (entity.Metadata.Finalizers?.Count ?? 0))
        {
            return;
        }

        var body = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["uid"] = entity.Metadata.Uid,
                ["resourceVersion"] = entity.Metadata.ResourceVersion,
                ["finalizers"] = new JsonArray([.. left.Select(static name => (JsonNode)name)]),
            },
        };
        try
        {
            await resource.MergeAsync(ObjectKey.Of(entity), body, FieldManagers.Finalizers, cancellationToken);
        }
        catch (KubeApiException e) when (e.IsNotFound)
        {
            // Gone already.
        }
    }
}
