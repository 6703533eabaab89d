using k8s.Models;
using Weir.Operator.Framework;

namespace Weir.Operator.Entities;

/// <summary>A consumer group of a cluster.</summary>
[KubernetesEntity(Group = "weir.dev", ApiVersion = "v1alpha1", Kind = "ConsumerGroup", PluralName = "consumergroups")]
[KubernetesEntityShortNames("wgroup")]
[KubernetesEntityCategories("weir")]
[ScaleSubresource(".spec.replicas", ".status.replicas", LabelSelectorPath = ".status.selector")]
[GenericAdditionalPrinterColumn(".spec.clusterRef.name", "Cluster", "string")]
[GenericAdditionalPrinterColumn(".status.mode", "Mode", "string")]
[GenericAdditionalPrinterColumn(".status.state", "State", "string")]
[GenericAdditionalPrinterColumn(".status.members", "Members", "integer")]
[GenericAdditionalPrinterColumn(".status.lag.records", "Lag", "integer")]
[GenericAdditionalPrinterColumn(".status.lag.ageSeconds", "LagAge", "integer")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Ready\")].status", "Ready", "string")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Ready\")].reason", "Reason", "string")]
[GenericAdditionalPrinterColumn(".metadata.creationTimestamp", "Age", "date")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Ready\")].message", "Message", "string", Priority = 1)]
public sealed class V1Alpha1ConsumerGroup : CustomKubernetesEntity<ConsumerGroupSpec, ConsumerGroupStatus>;

/// <summary>What a consumer group shall be.</summary>
[ValidationRule("!has(oldSelf.groupName) || has(self.groupName)", "groupName cannot be taken away")]
[ValidationRule("has(oldSelf.groupName) || !has(self.groupName)", "groupName cannot be added later")]
[ValidationRule("!has(oldSelf.mode) || has(self.mode)", "mode cannot be taken away")]
public sealed class ConsumerGroupSpec
{
    /// <summary>The cluster.</summary>
    [Required]
    [ValidationRule("self == oldSelf", "a group cannot move to another cluster")]
    public ClusterRef ClusterRef { get; set; } = new();

    /// <summary>The group's name in the cluster; by default that of this resource.</summary>
    [Length(249, MinLength = 1)]
    [Pattern("^[a-zA-Z0-9._-]+$")]
    [ValidationRule("self == oldSelf", "a group cannot be renamed")]
    public string? GroupName { get; set; }

    /// <summary>stream (the default), queue or keyed.</summary>
    [Pattern("^(stream|queue|keyed)$")]
    [ValidationRule("self == oldSelf", "a group's mode cannot be changed")]
    public string? Mode { get; set; }

    /// <summary>Topics that it reads, and patterns in which * stands for anything. Topics must exist.</summary>
    [Required]
    [Items(256, MinItems = 1)]
    [XListType("set")]
    public List<string> Topics { get; set; } = [];

    /// <summary>Where it starts in what is there when it is declared. Used once: a ConsumerGroupReset moves it later.</summary>
    public StartSpec? Start { get; set; }

    /// <summary>Queue and keyed: how records that failed are tried again.</summary>
    public RetrySpec? Retry { get; set; }

    /// <summary>Queue and keyed: the event topic that takes records that cannot be processed.</summary>
    [Length(249)]
    public string? DeadLetterTopic { get; set; }

    /// <summary>Whether nothing is delivered.</summary>
    public bool Paused { get; set; }

    /// <summary>Further settings by name, as docs/cli.md lists them. What is not named here is left alone.</summary>
    [Items(64)]
    public Dictionary<string, string>? Config { get; set; }

    /// <summary>Who answers for it, for people.</summary>
    [Length(255)]
    public string? Owner { get; set; }

    /// <summary>From when on its lag is not healthy.</summary>
    public LagSpec? Lag { get; set; }

    /// <summary>
    /// How many consumers are wanted: what an autoscaler writes. The operator starts none; whatever runs the consumers reads it.
    /// </summary>
    [RangeMinimum(0)]
    [RangeMaximum(10000)]
    public int? Replicas { get; set; }

    /// <summary>Labels of the pods that consume, for an autoscaler.</summary>
    [Items(16)]
    public Dictionary<string, string>? ConsumerSelector { get; set; }

    /// <summary>
    /// What to do about a group of this name that is there already: AdoptIfMatching (the default), Adopt, which changes it as
    /// specified, or Never.
    /// </summary>
    [Pattern("^(AdoptIfMatching|Adopt|Never)$")]
    public string? AdoptionPolicy { get; set; }

    /// <summary>What becomes of the group with this resource: Retain (the default) or Delete, with what it has consumed.</summary>
    [Pattern("^(Retain|Delete)$")]
    public string? DeletionPolicy { get; set; }
}

/// <summary>A place to start.</summary>
[ValidationRule("self.position != 'offset' || has(self.offset)", "position offset needs an offset")]
[ValidationRule("self.position != 'timestamp' || has(self.timestamp)", "position timestamp needs a timestamp")]
public sealed class StartSpec
{
    /// <summary>earliest, latest, offset or timestamp.</summary>
    [Required]
    [Pattern("^(earliest|latest|offset|timestamp)$")]
    public string Position { get; set; } = "earliest";

    /// <summary>With offset.</summary>
    [RangeMinimum(0)]
    public long? Offset { get; set; }

    /// <summary>With timestamp.</summary>
    public DateTime? Timestamp { get; set; }
}

/// <summary>How records that failed are tried again. What is not given is left alone.</summary>
public sealed class RetrySpec
{
    /// <summary>Failed deliveries before a record goes to the dead-letter topic.</summary>
    [RangeMinimum(1)]
    [RangeMaximum(10000)]
    public int? MaxDeliveries { get; set; }

    /// <summary>Delay before the second delivery, in milliseconds; it doubles with each one.</summary>
    [RangeMinimum(0)]
    public long? BackoffMs { get; set; }

    /// <summary>Largest delay, in milliseconds.</summary>
    [RangeMinimum(0)]
    public long? MaxBackoffMs { get; set; }
}

/// <summary>Bounds of the lag.</summary>
public sealed class LagSpec
{
    /// <summary>Most records that may wait.</summary>
    [RangeMinimum(0)]
    public long? MaxRecords { get; set; }

    /// <summary>Oldest age that a record which waits may have, in seconds.</summary>
    [RangeMinimum(0)]
    public long? MaxAgeSeconds { get; set; }
}

/// <summary>What a consumer group is.</summary>
public sealed class ConsumerGroupStatus : ResourceStatus
{
    /// <summary>Its name in the cluster.</summary>
    public string? GroupName { get; set; }

    /// <summary>Its id. Only the group with this id is ever deleted.</summary>
    public string? GroupId { get; set; }

    /// <summary>stream, queue or keyed.</summary>
    public string? Mode { get; set; }

    /// <summary>Empty, Stable, Moving or Paused.</summary>
    public string? State { get; set; }

    /// <summary>Members.</summary>
    public int? Members { get; set; }

    /// <summary>Members that have been handling a record for too long.</summary>
    public int? StuckMembers { get; set; }

    /// <summary>Members, for the scale subresource.</summary>
    public int? Replicas { get; set; }

    /// <summary>Selector of the pods that consume, for the scale subresource.</summary>
    public string? Selector { get; set; }

    /// <summary>What waits, of all partitions.</summary>
    public LagStatus? Lag { get; set; }

    /// <summary>What waits, by topic; the 64 with the largest lag.</summary>
    [Items(64)]
    [XListType("atomic")]
    public List<TopicLag>? Topics { get; set; }

    /// <summary>Records that went to the dead-letter topic.</summary>
    public long? DeadLettered { get; set; }

    /// <summary>Keyed: keys that wait for a record to be tried again.</summary>
    public int? BlockedKeys { get; set; }

    /// <summary>Settings that the specification set, and which go back to their default with it.</summary>
    [Items(64)]
    [XListType("atomic")]
    public List<string>? ManagedConfig { get; set; }
}

/// <summary>What waits.</summary>
public sealed class LagStatus
{
    /// <summary>Records that can be read and are not done; not given while that is not known of every partition.</summary>
    public long? Records { get; set; }

    /// <summary>Age of the oldest of them, in whole seconds; not given while that is not known of every partition.</summary>
    public long? AgeSeconds { get; set; }
}

/// <summary>What waits in a topic.</summary>
public sealed class TopicLag
{
    /// <summary>The topic.</summary>
    [Required]
    public string Topic { get; set; } = string.Empty;

    /// <summary>Its partitions.</summary>
    public int? Partitions { get; set; }

    /// <summary>Records that are not done.</summary>
    public long? Records { get; set; }

    /// <summary>The most of one partition.</summary>
    public long? MaxPartitionRecords { get; set; }

    /// <summary>Age of the oldest of them, in whole seconds.</summary>
    public long? AgeSeconds { get; set; }
}
