using System.Globalization;

namespace Weir.Operator.Clusters;

/// <summary>
/// Decides how the number of brokers changes. Pure. A broker leaves in steps that can be called off until it is stopped: those
/// that go get no new replicas, the last one's replicas move away, it is seen twice to hold nothing, it is stopped, it is
/// forgotten. Everything goes by the broker's id in the cluster, never by the ordinal of a pod alone.
/// </summary>
internal static class ScalePlanner
{
    private const string In = "ScaleIn";
    private const string Out = "ScaleOut";

    /// <summary>How often in a row a broker must be seen to hold nothing before it is stopped or forgotten.</summary>
    public const int Confirmations = 2;

    /// <summary>The next step; null if the number is right and nothing is left over.</summary>
    public static ClusterAction? Plan(Observation seen)
    {
        if (PlanAbort(seen) is { } abort)
        {
            return abort;
        }

        if (PlanLeftOver(seen) is { } leftOver)
        {
            return leftOver;
        }

        if (seen.Desired < seen.Replicas)
        {
            return PlanIn(seen);
        }

        if (seen.Desired == seen.Replicas)
        {
            return null;
        }

        return seen.Cluster is null
            ? new ClusterAction(ActionKind.Wait, Out, "no broker answers: new ones could not join")
            : new ClusterAction(ActionKind.SetReplicas, Out, Text($"from {seen.Replicas} to {seen.Desired} brokers"))
            {
                Replicas = seen.Desired,
            };
    }

    /// <summary>Brokers that were on their way out and shall stay.</summary>
    private static ClusterAction? PlanAbort(Observation seen)
    {
        if (seen.Previous is not { Type: In } previous || seen.Cluster is null)
        {
            return null;
        }

        var concerned = (previous.Cordoned ?? []).Append(previous.Broker ?? -1).ToHashSet();
        foreach (var broker in seen.Cluster.Brokers.Where(broker =>
            concerned.Contains(broker.Id) && broker.Ordinal < Math.Min(seen.Desired, seen.Replicas)))
        {
            if (broker.IsDecommissioning)
            {
                return Act(ActionKind.AbortDecommission, broker.Id, $"broker {broker.Id} stays after all");
            }

            if (broker.IsCordoned)
            {
                return Act(ActionKind.Uncordon, broker.Id, $"broker {broker.Id} stays after all");
            }
        }

        return null;
    }

    /// <summary>A broker that was stopped after it had given up everything.</summary>
    private static ClusterAction? PlanLeftOver(Observation seen)
    {
        var ghost = seen.Cluster?.Brokers
            .Where(broker => broker.Ordinal >= seen.Replicas && broker is { IsDecommissioning: true, Replicas: 0 })
            .MaxBy(static broker => broker.Ordinal);
        if (ghost is null)
        {
            return null;
        }

        if (seen.PodAt(ghost.Ordinal!.Value) is not null || !ghost.IsFenced)
        {
            return Act(ActionKind.Wait, ghost.Id, $"broker {ghost.Id} stops");
        }

        return Confirm(seen, ghost.Id, "gone") ?? Act(ActionKind.RemoveBroker, ghost.Id, $"broker {ghost.Id} is gone and holds nothing");
    }

    private static ClusterAction PlanIn(Observation seen)
    {
        var ordinal = seen.Replicas - 1;
        var pod = seen.Names.PodName(ordinal);
        if (seen.Cluster is not { } cluster)
        {
            return Act(ActionKind.Wait, null, "no broker answers: it is not known what the last one holds") with { Target = pod };
        }

        if (seen.BrokerAt(ordinal) is not { } broker)
        {
            return PlanUnknown(seen, pod, ordinal);
        }

        if (cluster.Brokers.FirstOrDefault(other => other.IsFenced && other.Ordinal < seen.Desired) is { } down)
        {
            return Act(ActionKind.Wait, broker.Id, $"broker {down.Id}, which stays, is down") with { Target = pod };
        }

        if (cluster.Brokers.Where(other => other.Ordinal >= seen.Desired && other.Ordinal < seen.Replicas && !other.IsCordoned)
            .MaxBy(static other => other.Ordinal) is { } open)
        {
            return Act(ActionKind.Cordon, open.Id, $"broker {open.Id} will leave and gets no new replicas");
        }

        if (!broker.IsDecommissioning)
        {
            return Act(ActionKind.Decommission, broker.Id, $"the replicas of broker {broker.Id} move to others") with { Target = pod };
        }

        if (broker.Replicas > 0 || broker.IsVoter)
        {
            return Act(
                ActionKind.Wait, broker.Id,
                broker.Replicas > 0 ? $"replicas leave broker {broker.Id}" : $"broker {broker.Id} gives up its vote") with
            {
                Target = pod,
            };
        }

        return Confirm(seen, broker.Id, "empty")
            ?? Act(ActionKind.SetReplicas, broker.Id, $"broker {broker.Id} holds nothing and is stopped") with
            {
                Target = pod, Replicas = ordinal,
            };
    }

    /// <summary>A pod whose broker the cluster does not know: it never joined, or was forgotten already.</summary>
    private static ClusterAction PlanUnknown(Observation seen, string pod, int ordinal) =>
        seen.PodAt(ordinal) is { IsReady: true }
            ? Act(ActionKind.Wait, null, $"the cluster does not know the broker of {pod}, which is ready") with { Target = pod }
            : Confirm(seen, null, "unknown", pod)
                ?? Act(ActionKind.SetReplicas, null, $"the broker of {pod} is no member of the cluster") with
                {
                    Target = pod, Replicas = ordinal,
                };

    /// <summary>Null once it was seen often enough in a row, of the same broker.</summary>
    private static ClusterAction? Confirm(Observation seen, int? broker, string what, string? pod = null)
    {
        var isSame = seen.Previous is { Type: In } previous && previous.Broker == broker && previous.Step == $"Confirm:{what}"
            && (pod is null || previous.Pod == pod);
        var count = (isSame ? seen.Previous!.Confirmations ?? 0 : 0) + 1;
        return count >= Confirmations ? null : Act(ActionKind.Wait, broker, $"it is looked at once more whether it is {what}") with
        {
            Target = pod, Confirmations = count, Step = $"Confirm:{what}",
        };
    }

    private static ClusterAction Act(ActionKind kind, int? broker, string message) => new(kind, In, message) { Broker = broker };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
