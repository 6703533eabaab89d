using System.Security.Cryptography;
using System.Text;
using k8s;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;

namespace Weir.Operator.Clusters;

/// <summary>
/// What pods are made from, as a short text. It depends on the specification alone, never on the operator: pods are not
/// restarted because a newer operator would make them a little differently.
/// </summary>
internal static class TemplateHash
{
    public static string Of(V1Alpha1WeirCluster cluster)
    {
        var spec = cluster.Spec;
        string[] parts =
        [
            spec.Version ?? string.Empty,
            spec.Image ?? string.Empty,
            spec.ImagePullPolicy ?? string.Empty,
            Text(spec.Resources),
            Text(Sorted(spec.Config)),
            spec.Rack?.TopologyKey ?? string.Empty,
            Text(spec.PodTemplate),
            Annotations.Find(cluster, Annotations.Restart) ?? string.Empty,
        ];
        return Of(string.Join('\n', parts));
    }

    public static string Of(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];

    private static string Text(object? value) => value is null ? string.Empty : KubernetesJson.Serialize(value);

    private static SortedDictionary<string, string>? Sorted(Dictionary<string, string>? map) =>
        map is null ? null : new SortedDictionary<string, string>(map, StringComparer.Ordinal);
}
