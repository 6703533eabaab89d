using k8s;
using k8s.Models;

namespace Weir.Operator.Kubernetes;

/// <summary>Names an object of a kind.</summary>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Name">Its name.</param>
internal readonly record struct ObjectKey(string Namespace, string Name)
{
    public static ObjectKey Of(IKubernetesObject<V1ObjectMeta> entity) =>
        new(entity.Metadata.NamespaceProperty ?? string.Empty, entity.Metadata.Name);

    /// <inheritdoc/>
    public override string ToString() => $"{Namespace}/{Name}";
}
