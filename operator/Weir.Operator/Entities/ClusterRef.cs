using Weir.Operator.Framework;

namespace Weir.Operator.Entities;

/// <summary>Which cluster.</summary>
public sealed class ClusterRef
{
    /// <summary>Name of the WeirCluster.</summary>
    [Required]
    [Length(63, MinLength = 1)]
    public string Name { get; set; } = string.Empty;

    /// <summary>Its namespace; by default that of this resource. Another one must be allowed by the cluster.</summary>
    [Length(63)]
    public string? Namespace { get; set; }
}
