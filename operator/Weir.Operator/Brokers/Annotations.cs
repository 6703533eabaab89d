using k8s;
using k8s.Models;

namespace Weir.Operator.Brokers;

/// <summary>Annotations that people and the operator write.</summary>
internal static class Annotations
{
    /// <summary>By people, on any resource: with <c>true</c>, nothing is changed but the status.</summary>
    public const string Pause = "weir.dev/pause";

    /// <summary>By people, on a cluster: each new value restarts its brokers one by one.</summary>
    public const string Restart = "weir.dev/restart";

    /// <summary>Of a StatefulSet and its pods: from which specification they were made.</summary>
    public const string TemplateHash = "weir.dev/template-hash";

    /// <summary>Of other objects: from what they were applied.</summary>
    public const string AppliedHash = "weir.dev/applied-hash";

    public static bool IsPaused(IKubernetesObject<V1ObjectMeta> entity) =>
        Find(entity, Pause) is { } value && !string.Equals(value, "false", StringComparison.OrdinalIgnoreCase);

    public static string? Find(IKubernetesObject<V1ObjectMeta> entity, string name) =>
        entity.Metadata.Annotations is { } annotations && annotations.TryGetValue(name, out var value) ? value : null;
}
