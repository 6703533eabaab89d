using k8s.Models;
using Weir.Operator.Framework;

namespace Weir.Operator.Entities;

/// <summary>A cluster of brokers.</summary>
[KubernetesEntity(Group = "weir.dev", ApiVersion = "v1alpha1", Kind = "WeirCluster", PluralName = "weirclusters")]
[KubernetesEntityShortNames("wc")]
[KubernetesEntityCategories("weir")]
[ScaleSubresource(".spec.brokers", ".status.replicas", LabelSelectorPath = ".status.selector")]
[GenericAdditionalPrinterColumn(".spec.brokers", "Brokers", "integer")]
[GenericAdditionalPrinterColumn(".status.readyBrokers", "Up", "integer")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Ready\")].status", "Ready", "string")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Progressing\")].reason", "Doing", "string")]
[GenericAdditionalPrinterColumn(".status.version", "Version", "string")]
[GenericAdditionalPrinterColumn(".metadata.creationTimestamp", "Age", "date")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Ready\")].message", "Message", "string", Priority = 1)]
[ValidationRule(
    "self.metadata.name.size() <= 50 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "the name must be a DNS label of at most 50 characters that begins with a letter: pods and services are named after it")]
public sealed class V1Alpha1WeirCluster : CustomKubernetesEntity<WeirClusterSpec, WeirClusterStatus>;

/// <summary>What a cluster of brokers shall be.</summary>
public sealed class WeirClusterSpec
{
    /// <summary>Number of brokers. Brokers are taken away one at a time, after their replicas were moved.</summary>
    [Required]
    [RangeMinimum(1)]
    [RangeMaximum(99)]
    public int Brokers { get; set; }

    /// <summary>Version of Weir: the tag of the operator's broker image. By default the one the cluster was made with.</summary>
    [Length(128)]
    [Pattern("^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$")]
    public string? Version { get; set; }

    /// <summary>Image of the brokers in full, instead of the version.</summary>
    [Length(512, MinLength = 1)]
    public string? Image { get; set; }

    /// <summary>When the image is pulled: Always, IfNotPresent or Never.</summary>
    [Pattern("^(Always|IfNotPresent|Never)$")]
    public string? ImagePullPolicy { get; set; }

    /// <summary>The volume of each broker.</summary>
    public StorageSpec Storage { get; set; } = new();

    /// <summary>What each broker's container may use.</summary>
    [PreserveUnknownFields]
    public V1ResourceRequirements? Resources { get; set; }

    /// <summary>How clients reach the brokers. By default one listener of type Internal on port 9650.</summary>
    [Items(1)]
    [XListType("atomic")]
    public List<ListenerSpec>? Listeners { get; set; }

    /// <summary>Settings of the brokers by name, as docs/operations.md lists them. A change restarts the brokers one by one.</summary>
    [Items(64)]
    public Dictionary<string, string>? Config { get; set; }

    /// <summary>Settings of the cluster by name, as docs/cli.md lists them. They change without a restart.</summary>
    [Items(64)]
    public Dictionary<string, string>? ClusterConfig { get; set; }

    /// <summary>Spreads replicas over failure domains.</summary>
    public RackSpec? Rack { get; set; }

    /// <summary>What the pods shall have beyond what the operator gives them.</summary>
    public PodTemplateSpec? PodTemplate { get; set; }

    /// <summary>How many brokers others may take down at once.</summary>
    public DisruptionBudgetSpec? DisruptionBudget { get; set; }

    /// <summary>While true, the deletion of this resource waits, and nothing is taken down.</summary>
    public bool DeletionProtection { get; set; }

    /// <summary>Other namespaces whose topics and groups may refer to this cluster; <c>*</c> for all. Default: none.</summary>
    [Items(256)]
    [XListType("atomic")]
    public List<string>? AllowedNamespaces { get; set; }
}

/// <summary>A broker's volume.</summary>
public sealed class StorageSpec
{
    /// <summary>Its size. It can grow later; a volume that is larger already stays as it is.</summary>
    [Pattern("^[1-9][0-9]*(\\.[0-9]+)?(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")]
    [Length(32)]
    public string Size { get; set; } = "10Gi";

    /// <summary>Its storage class; by default that of the Kubernetes cluster.</summary>
    [Length(253)]
    [ValidationRule("self == oldSelf", "the storage class cannot be changed")]
    public string? StorageClassName { get; set; }

    /// <summary>Whether the volumes are deleted with the cluster. Default: they stay.</summary>
    public bool DeleteClaim { get; set; }
}

/// <summary>An address for clients.</summary>
public sealed class ListenerSpec
{
    /// <summary>Its name.</summary>
    [Required]
    [Pattern("^[a-z]([-a-z0-9]*[a-z0-9])?$")]
    [Length(15)]
    public string Name { get; set; } = "weir";

    /// <summary>Internal, NodePort or LoadBalancer: the type of the Service. Clients outside reach all brokers through it.</summary>
    [Pattern("^(Internal|NodePort|LoadBalancer)$")]
    public string? Type { get; set; }

    /// <summary>Annotations of the Service.</summary>
    [Items(64)]
    public Dictionary<string, string>? Annotations { get; set; }

    /// <summary>Where its certificate is. The brokers of this version have no TLS: it is refused.</summary>
    public TlsSpec? Tls { get; set; }
}

/// <summary>A certificate.</summary>
public sealed class TlsSpec
{
    /// <summary>Secret with <c>tls.crt</c>, <c>tls.key</c> and <c>ca.crt</c>.</summary>
    [Required]
    [Length(253, MinLength = 1)]
    public string SecretName { get; set; } = string.Empty;
}

/// <summary>Failure domains.</summary>
public sealed class RackSpec
{
    /// <summary>
    /// The label of a pod that names its failure domain. Kubernetes 1.35 and later copy <c>topology.kubernetes.io/zone</c> from the
    /// node; before that something else must set it.
    /// </summary>
    [Required]
    [Length(316, MinLength = 1)]
    public string TopologyKey { get; set; } = "topology.kubernetes.io/zone";
}

/// <summary>Parts of the pods.</summary>
public sealed class PodTemplateSpec
{
    /// <summary>Further labels.</summary>
    [Items(64)]
    public Dictionary<string, string>? Labels { get; set; }

    /// <summary>Further annotations.</summary>
    [Items(64)]
    public Dictionary<string, string>? Annotations { get; set; }

    /// <summary>Affinity.</summary>
    [PreserveUnknownFields]
    public V1Affinity? Affinity { get; set; }

    /// <summary>Tolerations.</summary>
    [PreserveUnknownFields]
    [Items(64)]
    public List<V1Toleration>? Tolerations { get; set; }

    /// <summary>Node selector.</summary>
    [Items(64)]
    public Dictionary<string, string>? NodeSelector { get; set; }

    /// <summary>How the pods are spread; by default over nodes and zones, where that is possible.</summary>
    [PreserveUnknownFields]
    [Items(16)]
    public List<V1TopologySpreadConstraint>? TopologySpreadConstraints { get; set; }

    /// <summary>Priority class.</summary>
    [Length(253)]
    public string? PriorityClassName { get; set; }

    /// <summary>Service account; by default that of the namespace. The brokers do not use it.</summary>
    [Length(253)]
    public string? ServiceAccountName { get; set; }

    /// <summary>Secrets to pull the image with.</summary>
    [Items(16)]
    public List<string>? ImagePullSecrets { get; set; }

    /// <summary>How long a broker may take to stop, in seconds. Default 60.</summary>
    [RangeMinimum(15)]
    [RangeMaximum(3600)]
    public int? TerminationGracePeriodSeconds { get; set; }

    /// <summary>User and group of the pods; by default 1654, which the image has.</summary>
    [RangeMinimum(1)]
    [RangeMaximum(2147483647)]
    public long? RunAsUser { get; set; }

    /// <summary>Further variables of the container's environment.</summary>
    [PreserveUnknownFields]
    [Items(64)]
    public List<V1EnvVar>? Env { get; set; }
}

/// <summary>A disruption budget.</summary>
public sealed class DisruptionBudgetSpec
{
    /// <summary>Whether there is one. Default: with three brokers or more.</summary>
    public bool? Enabled { get; set; }

    /// <summary>How many brokers may be down. Default 1.</summary>
    [RangeMinimum(0)]
    [RangeMaximum(99)]
    public int? MaxUnavailable { get; set; }
}
