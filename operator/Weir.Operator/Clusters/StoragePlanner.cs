namespace Weir.Operator.Clusters;

/// <summary>Decides how volumes grow. Pure. A volume that is larger than it must be is right; none ever shrinks.</summary>
internal static class StoragePlanner
{
    private const string Operation = "ExpandStorage";

    /// <summary>The next step; null if every volume is large enough and new ones will be.</summary>
    public static ClusterAction? Plan(Observation seen)
    {
        var small = seen.Volumes.Where(volume => volume.Requested < seen.StorageSize)
            .MinBy(static volume => volume.Name, StringComparer.Ordinal);
        if (small is not null)
        {
            return new ClusterAction(ActionKind.GrowVolume, Operation, $"{small.Name} grows") { Target = small.Name };
        }

        // What a StatefulSet asks for cannot be changed, but it can be made again around its pods.
        return seen.TemplateStorageSize > 0 && seen.TemplateStorageSize < seen.StorageSize
            ? new ClusterAction(ActionKind.RecreateStatefulSet, Operation, "new volumes shall have the new size")
            : null;
    }
}
