using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Brokers;

/// <summary>Whether a resource may use the cluster that it names.</summary>
internal enum ClusterAccess
{
    /// <summary>It may.</summary>
    Allowed,

    /// <summary>There is no such cluster.</summary>
    Missing,

    /// <summary>The cluster is being deleted.</summary>
    Terminating,

    /// <summary>The cluster does not allow the resource's namespace.</summary>
    Forbidden,
}

/// <summary>Finds the clusters that resources name.</summary>
internal static class ClusterLookup
{
    /// <summary>The cluster that a resource in a namespace names.</summary>
    public static ObjectKey KeyOf(ClusterRef reference, string ns) =>
        new(string.IsNullOrEmpty(reference.Namespace) ? ns : reference.Namespace, reference.Name);

    /// <summary>Whether a resource in a namespace may use a cluster.</summary>
    public static ClusterAccess Check(V1Alpha1WeirCluster? cluster, string ns)
    {
        if (cluster is null)
        {
            return ClusterAccess.Missing;
        }

        if (cluster.Metadata.NamespaceProperty != ns
            && cluster.Spec.AllowedNamespaces?.Any(allowed => allowed == "*" || allowed == ns) != true)
        {
            return ClusterAccess.Forbidden;
        }

        // A deletion that is refused is none.
        return cluster.Metadata.DeletionTimestamp is not null && !cluster.Spec.DeletionProtection
            ? ClusterAccess.Terminating
            : ClusterAccess.Allowed;
    }

    /// <summary>Why a cluster cannot be used, as a condition.</summary>
    public static Condition Explain(ClusterAccess access, ObjectKey key) => access switch
    {
        ClusterAccess.Missing => StatusConditions.Create(
            ConditionTypes.Ready, false, "ClusterNotFound", $"there is no WeirCluster {key}"),
        ClusterAccess.Terminating => StatusConditions.Create(
            ConditionTypes.Ready, false, "ClusterTerminating", $"the WeirCluster {key} is being deleted"),
        _ => StatusConditions.Create(
            ConditionTypes.Ready, false, "NamespaceNotAllowed",
            $"the WeirCluster {key} does not list this namespace in allowedNamespaces"),
    };
}
