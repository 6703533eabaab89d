using k8s.Models;
using Weir.Operator.Framework;

namespace Weir.Operator.Entities;

/// <summary>Moves the offsets of a consumer group, once.</summary>
[KubernetesEntity(
    Group = "weir.dev", ApiVersion = "v1alpha1", Kind = "ConsumerGroupReset", PluralName = "consumergroupresets")]
[KubernetesEntityShortNames("wreset")]
[KubernetesEntityCategories("weir")]
[GenericAdditionalPrinterColumn(".spec.group", "Group", "string")]
[GenericAdditionalPrinterColumn(".spec.to.position", "To", "string")]
[GenericAdditionalPrinterColumn(".spec.dryRun", "DryRun", "boolean")]
[GenericAdditionalPrinterColumn(".status.phase", "Phase", "string")]
[GenericAdditionalPrinterColumn(".metadata.creationTimestamp", "Age", "date")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Ready\")].message", "Message", "string", Priority = 1)]
public sealed class V1Alpha1ConsumerGroupReset : CustomKubernetesEntity<ConsumerGroupResetSpec, ConsumerGroupResetStatus>;

/// <summary>How offsets shall be moved. It cannot be changed: another reset is another resource.</summary>
[ValidationRule("self == oldSelf", "a reset cannot be changed; create another one")]
public sealed class ConsumerGroupResetSpec
{
    /// <summary>The cluster.</summary>
    [Required]
    public ClusterRef ClusterRef { get; set; } = new();

    /// <summary>The group's name in the cluster.</summary>
    [Required]
    [Length(249, MinLength = 1)]
    [Pattern("^[a-zA-Z0-9._-]+$")]
    public string Group { get; set; } = string.Empty;

    /// <summary>Where to.</summary>
    [Required]
    public ResetTargetSpec To { get; set; } = new();

    /// <summary>One topic; by default all.</summary>
    [Length(249)]
    public string? Topic { get; set; }

    /// <summary>One partition of the topic; by default all.</summary>
    [RangeMinimum(0)]
    public int? Partition { get; set; }

    /// <summary>Whether it is only said what would change.</summary>
    public bool DryRun { get; set; }

    /// <summary>
    /// Empty (the default): it fails while the group has members. Fence: members lose what they hold.
    /// </summary>
    [Pattern("^(Empty|Fence)$")]
    public string? Precondition { get; set; }

    /// <summary>So many seconds after its end the resource is deleted; by default it stays.</summary>
    [RangeMinimum(0)]
    [RangeMaximum(31536000)]
    public int? TtlSecondsAfterFinished { get; set; }
}

/// <summary>A place to move to.</summary>
[ValidationRule("self.position != 'offset' || has(self.offset)", "position offset needs an offset")]
[ValidationRule("self.position != 'timestamp' || has(self.timestamp)", "position timestamp needs a timestamp")]
[ValidationRule("self.position != 'shift' || has(self.shift)", "position shift needs a shift")]
public sealed class ResetTargetSpec
{
    /// <summary>earliest, latest, offset, timestamp or shift.</summary>
    [Required]
    [Pattern("^(earliest|latest|offset|timestamp|shift)$")]
    public string Position { get; set; } = "earliest";

    /// <summary>With offset.</summary>
    [RangeMinimum(0)]
    public long? Offset { get; set; }

    /// <summary>With timestamp.</summary>
    public DateTime? Timestamp { get; set; }

    /// <summary>With shift: so many records forward, or back if negative.</summary>
    public long? Shift { get; set; }
}

/// <summary>What became of a reset.</summary>
public sealed class ConsumerGroupResetStatus : ResourceStatus
{
    /// <summary>Pending, Running, Succeeded or Failed. The last two are final.</summary>
    public string? Phase { get; set; }

    /// <summary>When it was sent to the cluster.</summary>
    public DateTime? StartedAt { get; set; }

    /// <summary>When it ended.</summary>
    public DateTime? CompletedAt { get; set; }

    /// <summary>Hash of the specification that was carried out.</summary>
    public string? SpecHash { get; set; }

    /// <summary>Partitions that it concerns.</summary>
    public int? PartitionCount { get; set; }

    /// <summary>The first 1,000 partitions, before and after.</summary>
    [Items(1000)]
    [XListType("atomic")]
    public List<ResetOffsetStatus>? Offsets { get; set; }
}

/// <summary>A partition before and after.</summary>
public sealed class ResetOffsetStatus
{
    /// <summary>The topic.</summary>
    [Required]
    public string Topic { get; set; } = string.Empty;

    /// <summary>The partition.</summary>
    [Required]
    public int Partition { get; set; }

    /// <summary>What was committed; not given if nothing was.</summary>
    public long? Before { get; set; }

    /// <summary>What is committed now, or would be.</summary>
    [Required]
    public long After { get; set; }
}
