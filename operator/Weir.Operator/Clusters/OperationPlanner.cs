namespace Weir.Operator.Clusters;

/// <summary>Decides the one thing that a pass does to a cluster: operations never overlap. Pure.</summary>
internal static class OperationPlanner
{
    /// <summary>The next step; null if the cluster is as it shall be.</summary>
    public static ClusterAction? Plan(Observation seen)
    {
        if (StoragePlanner.Plan(seen) is { } storage)
        {
            return storage;
        }

        if (RollPlanner.PlanDown(seen) is { } down)
        {
            return down;
        }

        // What has begun is ended, or called off, before anything else begins.
        return seen.Previous?.Type == "ScaleIn"
            ? ScalePlanner.Plan(seen) ?? RollPlanner.Plan(seen)
            : RollPlanner.Plan(seen) ?? ScalePlanner.Plan(seen);
    }
}
