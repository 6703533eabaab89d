using k8s;
using k8s.Models;

namespace Weir.Operator.Brokers;

/// <summary>Of several resources that stand for one object of a cluster, the oldest one has it.</summary>
internal static class ClaimIndex
{
    public const string Name = "claim";

    /// <summary>What resources of one claim share.</summary>
    public static string Of(Kubernetes.ObjectKey cluster, string name) => $"{cluster}:{name}";

    /// <summary>The resource that has what others claim too.</summary>
    public static T OwnerOf<T>(IEnumerable<T> claimants)
        where T : class, IKubernetesObject<V1ObjectMeta> => claimants
        .OrderBy(static entity => entity.Metadata.CreationTimestamp ?? DateTime.MaxValue)
        .ThenBy(static entity => entity.Metadata.NamespaceProperty, StringComparer.Ordinal)
        .ThenBy(static entity => entity.Metadata.Name, StringComparer.Ordinal)
        .First();
}
