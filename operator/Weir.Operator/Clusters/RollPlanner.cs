namespace Weir.Operator.Clusters;

/// <summary>
/// Decides which pod is restarted next to take the present specification. Pure. One that is up is restarted only while every
/// other broker is up and in sync; whatever is not known speaks against it. One that is down anyway is restarted at once: with
/// the old specification it may never come up.
/// </summary>
internal static class RollPlanner
{
    private const string Operation = "Restart";

    /// <summary>A restart of a pod that is down and has an old specification; null if there is none.</summary>
    public static ClusterAction? PlanDown(Observation seen)
    {
        var pod = seen.Pods.Where(pod => IsOutdated(seen, pod) && !pod.IsTerminating && IsDown(seen, pod))
            .MinBy(static pod => pod.Ordinal);
        return pod is null ? null : new ClusterAction(
            ActionKind.RestartPod, Operation, $"{pod.Name} is down ({pod.Problem ?? "not ready"}) and has an old specification")
        {
            Target = pod.Name, Uid = pod.Uid, Broker = seen.BrokerAt(pod.Ordinal)?.Id,
        };
    }

    /// <summary>The next step of a rolling restart; null if every pod has the present specification.</summary>
    public static ClusterAction? Plan(Observation seen)
    {
        var outdated = seen.Pods.Where(pod => IsOutdated(seen, pod)).ToList();
        if (outdated.Count == 0)
        {
            return null;
        }

        if (FindObstacle(seen) is { } obstacle)
        {
            return obstacle;
        }

        // The controller last, so that it changes once only; otherwise from the end, as a StatefulSet does.
        var next = outdated.OrderBy(pod => seen.BrokerAt(pod.Ordinal)!.IsController).ThenByDescending(static pod => pod.Ordinal)
            .First();
        var broker = seen.BrokerAt(next.Ordinal)!;
        return new ClusterAction(
            ActionKind.RestartPod, Operation, $"{next.Name} (broker {broker.Id}) takes the present specification")
        {
            Target = next.Name, Uid = next.Uid, Broker = broker.Id, NeedsCheck = true,
        };
    }

    private static bool IsOutdated(Observation seen, PodView pod) =>
        pod.Ordinal < seen.Replicas && pod.TemplateHash != seen.TemplateHash;

    /// <summary>A pod that is not ready, of a broker that nobody counts on.</summary>
    private static bool IsDown(Observation seen, PodView pod) => !pod.IsReady && seen.BrokerAt(pod.Ordinal) is null or { IsFenced: true };

    private static ClusterAction? FindObstacle(Observation seen)
    {
        for (var ordinal = 0; ordinal < seen.Replicas; ordinal++)
        {
            var name = seen.Names.PodName(ordinal);
            var reason = seen.PodAt(ordinal) switch
            {
                null => $"{name} is missing",
                { IsTerminating: true } => $"{name} is stopping",
                { IsReady: false } pod => $"{name} is not ready{(pod.Problem is null ? string.Empty : $": {pod.Problem}")}",
                _ => null,
            };
            if (reason is not null)
            {
                return Wait(reason) with { Target = name };
            }
        }

        if (seen.Cluster is not { } cluster)
        {
            return Wait("no broker answers: it is not known whether a restart does harm");
        }

        for (var ordinal = 0; ordinal < seen.Replicas; ordinal++)
        {
            if (seen.BrokerAt(ordinal) is null)
            {
                return Wait($"the cluster does not know the broker of {seen.Names.PodName(ordinal)}");
            }
        }

        if (cluster.Brokers.Where(static broker => !broker.IsWell).MinBy(static broker => broker.Id) is { } ill)
        {
            return Wait($"broker {ill.Id} is {(ill.IsFenced ? "down" : ill.IsDraining ? "draining" : "not in sync with all its replicas")}")
                with
            {
                Broker = ill.Id,
            };
        }

        return cluster.OfflinePartitions > 0 || cluster.UnderMinIsr > 0
            ? Wait("partitions are offline or below min.insync.replicas")
            : null;
    }

    private static ClusterAction Wait(string message) => new(ActionKind.Wait, Operation, message);
}
