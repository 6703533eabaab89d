using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Clusters;

/// <summary>Names of what belongs to a cluster. They are part of what users and charts rely on.</summary>
/// <param name="Cluster">The cluster.</param>
internal sealed record ClusterNames(ObjectKey Cluster)
{
    public const int Port = 9650;
    public const int HttpPort = 9651;

    public static ClusterNames Of(V1Alpha1WeirCluster cluster) => new(ObjectKey.Of(cluster));

    public ObjectKey StatefulSet => Key($"{Cluster.Name}-broker");

    public ObjectKey HeadlessService => Key($"{Cluster.Name}-brokers");

    public ObjectKey ClientService => Cluster;

    public ObjectKey ConfigMap => Key($"{Cluster.Name}-config");

    public ObjectKey Secret => Key($"{Cluster.Name}-secret");

    public ObjectKey DisruptionBudget => Cluster;

    /// <summary>Selects everything of the cluster.</summary>
    public string Selector => $"{Labels.Cluster}={Cluster.Name},{Labels.Component}=broker";

    public string PodName(int ordinal) => $"{StatefulSet.Name}-{ordinal}";

    public string VolumeName(int ordinal) => $"data-{PodName(ordinal)}";

    /// <summary>The host name of a pod, as its broker tells it to clients and as it stands in the cluster's description.</summary>
    public string HostOf(string pod) => $"{pod}.{HeadlessService.Name}.{Cluster.Namespace}.svc";

    /// <summary>The ordinal of a pod, or of the pod with a host name; null if it is none of this cluster.</summary>
    public int? OrdinalOf(string podOrAddress)
    {
        var prefix = $"{StatefulSet.Name}-";
        var colon = podOrAddress.LastIndexOf(':');
        var host = colon < 0 ? podOrAddress : podOrAddress[..colon];
        var dot = host.IndexOf('.', StringComparison.Ordinal);
        var pod = dot < 0 ? host : host[..dot];
        return pod.StartsWith(prefix, StringComparison.Ordinal)
            && (dot < 0 || host == HostOf(pod))
            && int.TryParse(
                pod.AsSpan(prefix.Length), System.Globalization.NumberStyles.None,
                System.Globalization.CultureInfo.InvariantCulture, out var ordinal)
            ? ordinal
            : null;
    }

    /// <summary>Where the operator connects to: the first brokers, which are the last to go.</summary>
    public string Servers(int brokers) => string.Join(
        ',', Enumerable.Range(0, Math.Clamp(brokers, 1, 3)).Select(ordinal => $"{HostOf(PodName(ordinal))}:{Port}"));

    /// <summary>
    /// The voters of the metadata quorum, as the brokers' setting: an odd number, at most five. Brokers beyond them join without a
    /// vote.
    /// </summary>
    public string Peers(int brokers)
    {
        var voters = brokers switch { >= 5 => 5, >= 3 => 3, _ => 1 };
        return string.Join(
            ',', Enumerable.Range(0, voters).Select(ordinal => $"{ordinal}@{HostOf(PodName(ordinal))}:{Port}"));
    }

    private ObjectKey Key(string name) => Cluster with { Name = name };
}

/// <summary>Labels of what belongs to a cluster.</summary>
internal static class Labels
{
    public const string Cluster = "weir.dev/cluster";
    public const string Name = "app.kubernetes.io/name";
    public const string Instance = "app.kubernetes.io/instance";
    public const string Component = "app.kubernetes.io/component";
    public const string ManagedBy = "app.kubernetes.io/managed-by";
    public const string Operator = "weir-operator";
}
