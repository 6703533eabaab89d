using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using k8s;
using Weir.Operator.Entities;
using Weir.Operator.Framework;

namespace Weir.Operator.Kubernetes;

/// <summary>
/// Writes the status of entities, and only where it became another one. It remembers what it wrote until the cache has it too, so
/// that no pass acts on a status that it has replaced itself. Thread-safe.
/// </summary>
internal sealed class StatusWriter<T, TSpec, TStatus>(KubeResource<T> resource, TimeProvider time)
    where T : CustomKubernetesEntity<TSpec, TStatus>
    where TSpec : class, new()
    where TStatus : ResourceStatus, new()
{
    private readonly ConcurrentDictionary<string, Written> _written = new();

    /// <summary>The latest status that is known: the entity's own, or what was written since it was read. Never to be changed.</summary>
    public TStatus? Known(T entity) =>
        _written.TryGetValue(entity.Metadata.Uid ?? string.Empty, out var written) && IsOlder(entity, written)
            ? written.Status
            : entity.Status;

    /// <summary>The entity is gone.</summary>
    public void Forget(T entity) => _written.TryRemove(entity.Metadata.Uid ?? string.Empty, out _);

    /// <summary>Applies a status if it differs from what is known.</summary>
    /// <param name="entity">The entity as it is known.</param>
    /// <param name="status">The whole status as it shall be; what is null in it goes.</param>
    /// <param name="conditions">All conditions.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>Whether anything was written.</returns>
    public async Task<bool> WriteAsync(
        T entity, TStatus status, IEnumerable<Condition> conditions, CancellationToken cancellationToken)
    {
        var before = Known(entity);
        status.ObservedGeneration = entity.Metadata.Generation;
        status.Conditions = StatusConditions.Merge(
            before?.Conditions, conditions, entity.Metadata.Generation, time.GetUtcNow());
        var after = KubernetesJson.Serialize(status);
        if (before is not null && KubernetesJson.Serialize(before) == after)
        {
            return false;
        }

        var body = new JsonObject
        {
            ["metadata"] = new JsonObject { ["uid"] = entity.Metadata.Uid }, ["status"] = JsonNode.Parse(after),
        };
        try
        {
            var applied = await resource.ApplyAsync(
                ObjectKey.Of(entity), body, FieldManagers.Status, "status", cancellationToken);
            _written[entity.Metadata.Uid ?? string.Empty] =
                new Written(Copy(status), entity.Metadata.ResourceVersion, applied.Metadata.ResourceVersion);
        }
        catch (KubeApiException e) when (e.IsNotFound)
        {
            // Gone meanwhile: there is nobody to tell.
        }

        return true;
    }

    /// <summary>A copy that may be changed.</summary>
    public static TStatus Copy(TStatus? status) =>
        status is null ? new TStatus() : KubernetesJson.Deserialize<TStatus>(KubernetesJson.Serialize(status));

    private static bool IsOlder(T entity, Written written)
    {
        var version = entity.Metadata.ResourceVersion;
        return version == written.From
            || (ulong.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var present)
                && ulong.TryParse(written.To, NumberStyles.None, CultureInfo.InvariantCulture, out var applied)
                && present < applied);
    }

    private sealed record Written(TStatus Status, string? From, string? To);
}
