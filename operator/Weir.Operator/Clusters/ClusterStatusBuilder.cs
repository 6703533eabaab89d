using Weir.Client.Admin;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Clusters;

/// <summary>What a pass over a cluster found and did.</summary>
/// <param name="Seen">What it went by.</param>
/// <param name="Action">What it did; null if nothing is left to do.</param>
/// <param name="Snapshot">What the brokers said; null if none answered.</param>
/// <param name="Warnings">What could not be done, for people.</param>
internal sealed record ClusterPass(
    Observation Seen, ClusterAction? Action, ClusterSnapshot? Snapshot, IReadOnlyList<string> Warnings);

/// <summary>Writes a cluster's status from what a pass found. Pure.</summary>
internal static class ClusterStatusBuilder
{
    /// <summary>Puts figures, brokers and the operation into a status.</summary>
    public static void Show(WeirClusterStatus status, ClusterPass pass)
    {
        var seen = pass.Seen;
        status.Replicas = seen.Replicas;
        status.Selector = seen.Names.Selector;
        status.Servers = $"{seen.Names.ClientService.Name}.{seen.Names.Cluster.Namespace}.svc:{ClusterNames.Port}";
        status.ReadyBrokers = seen.Pods.Count(pod => IsUp(seen, pod));
        status.Operation = ToOperation(pass.Action, seen.Previous);
        if (pass.Snapshot?.Status is not { } cluster)
        {
            // The last known figures stay; who is up is known from the pods alone.
            foreach (var broker in status.Brokers ?? [])
            {
                broker.State = "Unknown";
            }

            return;
        }

        status.ClusterId = cluster.ClusterId;
        status.ControllerId = cluster.ControllerId;
        status.Topics = cluster.Topics;
        status.Partitions = cluster.Partitions;
        status.OfflinePartitions = cluster.OfflinePartitions;
        status.UnderReplicatedPartitions = cluster.UnderReplicated;
        status.Groups = cluster.Groups;
        status.Version = cluster.Brokers.Where(static broker => !broker.IsFenced).Select(static broker => broker.Version)
            .MinBy(static version => Version.TryParse(version.Split('-', '+')[0], out var parsed) ? parsed : new Version());
        status.Brokers = [.. cluster.Brokers.OrderBy(static broker => broker.NodeId).Select(broker => ToStatus(seen, broker))];
    }

    /// <summary>All conditions.</summary>
    public static IEnumerable<Condition> Judge(WeirClusterStatus status, ClusterPass pass)
    {
        var ready = JudgeReady(status, pass);
        yield return ready;
        yield return pass.Action is { } action
            ? StatusConditions.Create(ConditionTypes.Progressing, true, action.Operation, action.Message)
            : StatusConditions.Create(ConditionTypes.Progressing, false, "Idle", "nothing is to be done");
        var faults = Faults(pass);
        yield return faults.Count > 0
            ? StatusConditions.Create(ConditionTypes.Degraded, true, "Faults", string.Join("; ", faults))
            : StatusConditions.Create(ConditionTypes.Degraded, false, "Well", "nothing is wrong");
        yield return pass.Action is null && ready.Status == "True" && faults.Count == 0
            ? StatusConditions.Create(ConditionTypes.Stable, true, "Stable", "the cluster is as specified and well")
            : StatusConditions.Create(ConditionTypes.Stable, false, "NotStable", "see the other conditions");
    }

    /// <summary>What goes on, as the next pass needs to know it.</summary>
    public static OperationStatus? ToOperation(ClusterAction? action, OperationStatus? previous)
    {
        if (action is null)
        {
            return null;
        }

        var same = previous?.Type == action.Operation ? previous : null;
        var cordoned = same?.Cordoned ?? [];
        cordoned = action.Kind switch
        {
            ActionKind.Cordon => [.. cordoned.Append(action.Broker!.Value).Distinct().Order()],
            ActionKind.Uncordon or ActionKind.AbortDecommission => [.. cordoned.Where(id => id != action.Broker)],
            _ => cordoned,
        };

        // Of a rolling restart the broker that was restarted last is kept: it must be back in full before the next one.
        var broker = action.Operation == "Restart" && action.Kind != ActionKind.RestartPod ? same?.Broker : action.Broker;
        return new OperationStatus
        {
            Type = action.Operation,
            Step = action.Step,
            Broker = broker,
            Pod = action.Target,
            Message = action.Message,
            Confirmations = action.Confirmations,
            Cordoned = cordoned.Count > 0 ? cordoned : null,
        };
    }

    private static bool IsUp(Observation seen, PodView pod) =>
        pod is { IsReady: true, IsTerminating: false } && pod.Ordinal < seen.Replicas
            && (seen.Cluster is null || seen.BrokerAt(pod.Ordinal) is { IsFenced: false });

    private static Condition JudgeReady(WeirClusterStatus status, ClusterPass pass)
    {
        var seen = pass.Seen;

        // One broker is down on purpose at a time.
        var wanted = pass.Action?.Operation == "Restart" ? Math.Max(1, seen.Replicas - 1) : Math.Min(seen.Replicas, seen.Desired);
        if (pass.Snapshot is null)
        {
            return StatusConditions.Create(
                ConditionTypes.Ready, false, status.ReadyBrokers == 0 ? "Starting" : "BrokersUnreachable",
                $"{status.ReadyBrokers} of {seen.Replicas} pods are ready, and no broker answers the operator");
        }

        if (status.ReadyBrokers < wanted)
        {
            return StatusConditions.Create(
                ConditionTypes.Ready, false, "BrokersDown", $"{status.ReadyBrokers} of {seen.Replicas} brokers are up");
        }

        return seen.Cluster is { OfflinePartitions: > 0 }
            ? StatusConditions.Create(
                ConditionTypes.Ready, false, "PartitionsOffline", $"{seen.Cluster.OfflinePartitions} partitions have no leader")
            : StatusConditions.Create(ConditionTypes.Ready, true, "Serving", $"{status.ReadyBrokers} brokers are up");
    }

    private static List<string> Faults(ClusterPass pass)
    {
        var seen = pass.Seen;
        var faults = new List<string>(pass.Warnings);
        faults.AddRange(seen.Pods.Where(static pod => pod.Problem is not null).OrderBy(static pod => pod.Ordinal)
            .Select(static pod => $"{pod.Name}: {pod.Problem}"));
        if (seen.Cluster is null)
        {
            faults.Add("no broker answers");
            return faults;
        }

        faults.AddRange(seen.Cluster.Brokers.Where(broker => broker.IsFenced && broker.Ordinal < seen.Replicas)
            .Select(static broker => $"broker {broker.Id} is down"));
        if (seen.Cluster.OfflinePartitions > 0)
        {
            faults.Add($"{seen.Cluster.OfflinePartitions} partitions are offline");
        }

        if (seen.Cluster.UnderMinIsr > 0)
        {
            faults.Add($"{seen.Cluster.UnderMinIsr} partitions are below min.insync.replicas");
        }

        return faults;
    }

    private static BrokerStatus ToStatus(Observation seen, ClusterBroker broker)
    {
        var pod = seen.Names.OrdinalOf(broker.Address) is { } ordinal ? seen.PodAt(ordinal) : null;
        return new BrokerStatus
        {
            Id = broker.NodeId,
            Pod = pod?.Name,
            Address = broker.Address,
            Rack = broker.Rack,
            Version = broker.Version,
            State = broker switch
            {
                { IsFenced: true } => "Down",
                { IsDecommissioning: true } => "Leaving",
                { IsDraining: true } => "Draining",
                _ => "Up",
            },
            UpToDate = pod is null ? null : pod.TemplateHash == seen.TemplateHash,
            Leaders = broker.Leaders,
            Replicas = broker.Replicas,
            OutOfSync = broker.OutOfSync,
        };
    }
}
