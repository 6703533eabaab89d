using Weir.Operator.Framework;

namespace Weir.Operator.Entities;

/// <summary>One aspect of a resource's state.</summary>
public sealed class Condition
{
    /// <summary>Which aspect.</summary>
    [Required]
    [Length(316)]
    public string Type { get; set; } = string.Empty;

    /// <summary>True, False or Unknown.</summary>
    [Required]
    [Pattern("^(True|False|Unknown)$")]
    public string Status { get; set; } = "Unknown";

    /// <summary>Why, in one word for programs.</summary>
    [Required]
    [Length(1024)]
    public string Reason { get; set; } = string.Empty;

    /// <summary>Why, for people.</summary>
    [Required]
    [Length(32768)]
    public string Message { get; set; } = string.Empty;

    /// <summary>When the status last became another one.</summary>
    [Required]
    public DateTime? LastTransitionTime { get; set; }

    /// <summary>The generation of the specification that it was found for.</summary>
    public long? ObservedGeneration { get; set; }
}

/// <summary>What every status has.</summary>
public abstract class ResourceStatus
{
    /// <summary>The generation of the specification that the status was found for.</summary>
    public long? ObservedGeneration { get; set; }

    /// <summary>The aspects of the state.</summary>
    [Items(32)]
    [XListType("map")]
    [XListMapKeys("type")]
    public List<Condition> Conditions { get; set; } = [];
}
