using k8s.Models;
using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Clusters;

/// <summary>Finds what is wrong with a specification, whatever the API server has checked.</summary>
internal static class ClusterSpecCheck
{
    /// <summary>Settings of the brokers that follow from the rest of the specification.</summary>
    private static readonly string[] Reserved =
        ["Data", "Listen", "Advertise", "Http", "NodeId", "ClusterPeers", "Rack", "ClusterSecret", "UnsafeAllowAnonymous"];

    /// <summary>Every fault; empty if it can be carried out.</summary>
    public static IReadOnlyList<string> FindFaults(V1Alpha1WeirCluster cluster)
    {
        var spec = cluster.Spec;
        var faults = new List<string>();
        if (cluster.Metadata.Name.Length > 50 || cluster.Metadata.Name.Contains('.', StringComparison.Ordinal)
            || char.IsAsciiDigit(cluster.Metadata.Name[0]))
        {
            faults.Add("the name must be a DNS label of at most 50 characters that begins with a letter");
        }

        if (spec.Brokers is < 1 or > 99)
        {
            faults.Add($"brokers: {spec.Brokers} is not from 1 to 99");
        }

        if (!TryParse(spec.Storage.Size, out _))
        {
            faults.Add($"storage.size: '{spec.Storage.Size}' is no quantity such as 10Gi");
        }

        foreach (var key in (spec.Config ?? []).Keys.Where(static key => Reserved.Contains(key, StringComparer.OrdinalIgnoreCase)))
        {
            faults.Add($"config: {key} follows from the rest of the specification");
        }

        if (spec.Listeners is { Count: > 1 })
        {
            faults.Add("listeners: the brokers of this version have one");
        }

        if (spec.Listeners?.Any(static listener => listener.Tls is not null) == true)
        {
            faults.Add("listeners.tls: the brokers of this version have no TLS");
        }

        var labels = spec.PodTemplate?.Labels?.Keys ?? Enumerable.Empty<string>();
        if (labels.Any(static key => key is Labels.Cluster or Labels.Name or Labels.Instance or Labels.Component or Labels.ManagedBy))
        {
            faults.Add("podTemplate.labels: the operator's own labels cannot be set");
        }

        return faults;
    }

    /// <summary>Reads a quantity.</summary>
    public static bool TryParse(string? text, out decimal value)
    {
        value = 0;
        try
        {
            value = string.IsNullOrEmpty(text) ? 0 : new ResourceQuantity(text).ToDecimal();
            return value > 0;
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            return false;
        }
    }

    /// <summary>The condition for faults.</summary>
    public static Condition ToCondition(IReadOnlyList<string> faults) =>
        StatusConditions.Create(ConditionTypes.Ready, false, "InvalidSpec", string.Join("; ", faults));
}
