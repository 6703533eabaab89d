using k8s.Models;
using Weir.Client.Admin;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;

namespace Weir.Operator.Clusters;

/// <summary>Turns what Kubernetes and the brokers say into what is decided by. Pure.</summary>
internal static class ClusterObserver
{
    /// <summary>The brokers as the controller sees them.</summary>
    public static ClusterView ToView(ClusterNames names, ClusterStatus status) => new(
        [
            .. status.Brokers.Select(broker => new BrokerView(
                broker.NodeId, names.OrdinalOf(broker.Address), broker.IsFenced, broker.IsDraining, broker.IsCordoned,
                broker.IsDecommissioning, broker.Replicas, broker.OutOfSync, broker.NodeId == status.ControllerId,
                status.Voters.Any(voter => voter.NodeId == broker.NodeId))),
        ],
        status.OfflinePartitions, status.UnderMinIsr);

    public static PodView ToView(ClusterNames names, V1Pod pod)
    {
        var isReady = pod.Status?.Conditions?.Any(static condition => condition is { Type: "Ready", Status: "True" }) == true;
        return new PodView(
            pod.Metadata.Name, names.OrdinalOf(pod.Metadata.Name) ?? -1, pod.Metadata.Uid, isReady,
            pod.Metadata.DeletionTimestamp is not null, Annotations.Find(pod, Annotations.TemplateHash),
            isReady ? null : FindProblem(pod));
    }

    /// <summary>Brokers that the StatefulSet shall run; if there is none, as many as there were, never fewer.</summary>
    public static int ReplicasOf(V1Alpha1WeirCluster cluster, ClusterNames names, V1StatefulSet? statefulSet, IEnumerable<V1Pod> pods)
    {
        if (statefulSet?.Spec?.Replicas is { } replicas)
        {
            return replicas;
        }

        var pod = pods.Select(pod => names.OrdinalOf(pod.Metadata.Name) ?? -1).DefaultIfEmpty(-1).Max();
        return Math.Max(Math.Max(cluster.Spec.Brokers, cluster.Status?.Replicas ?? 0), pod + 1);
    }

    public static decimal StorageOf(IDictionary<string, ResourceQuantity>? requests) =>
        requests is not null && requests.TryGetValue("storage", out var quantity) ? quantity.ToDecimal() : 0;

    private static string? FindProblem(V1Pod pod)
    {
        var waiting = pod.Status?.ContainerStatuses?.Select(static container => container.State?.Waiting?.Reason)
            .FirstOrDefault(static reason => reason is not null and not ("ContainerCreating" or "PodInitializing"));
        if (waiting is not null)
        {
            return waiting;
        }

        var scheduled = pod.Status?.Conditions?.FirstOrDefault(static condition => condition.Type == "PodScheduled");
        return scheduled is { Status: "False" } ? scheduled.Reason ?? "Unschedulable" : null;
    }
}
