using k8s.Models;
using Weir.Operator.Framework;

namespace Weir.Operator.Entities;

/// <summary>A topic of a cluster.</summary>
[KubernetesEntity(Group = "weir.dev", ApiVersion = "v1alpha1", Kind = "Topic", PluralName = "topics")]
[KubernetesEntityShortNames("wtopic")]
[KubernetesEntityCategories("weir")]
[GenericAdditionalPrinterColumn(".spec.clusterRef.name", "Cluster", "string")]
[GenericAdditionalPrinterColumn(".status.kind", "Kind", "string")]
[GenericAdditionalPrinterColumn(".status.partitions", "Partitions", "integer")]
[GenericAdditionalPrinterColumn(".status.replicas", "Replicas", "integer")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Ready\")].status", "Ready", "string")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Ready\")].reason", "Reason", "string")]
[GenericAdditionalPrinterColumn(".metadata.creationTimestamp", "Age", "date")]
[GenericAdditionalPrinterColumn(".status.conditions[?(@.type==\"Ready\")].message", "Message", "string", Priority = 1)]
public sealed class V1Alpha1Topic : CustomKubernetesEntity<TopicSpec, TopicStatus>;

/// <summary>What a topic shall be.</summary>
[ValidationRule("!has(oldSelf.topicName) || has(self.topicName)", "topicName cannot be taken away")]
[ValidationRule("has(oldSelf.topicName) || !has(self.topicName)", "topicName cannot be added later")]
[ValidationRule("!has(oldSelf.kind) || has(self.kind)", "kind cannot be taken away")]
public sealed class TopicSpec
{
    /// <summary>The cluster.</summary>
    [Required]
    [ValidationRule("self == oldSelf", "a topic cannot move to another cluster")]
    public ClusterRef ClusterRef { get; set; } = new();

    /// <summary>The topic's name in the cluster; by default that of this resource.</summary>
    [Length(249, MinLength = 1)]
    [Pattern("^[a-zA-Z0-9._-]+$")]
    [ValidationRule("self == oldSelf", "a topic cannot be renamed")]
    public string? TopicName { get; set; }

    /// <summary>event (the default) or entity, in which every record has a key whose last record is its state.</summary>
    [Pattern("^(event|entity)$")]
    [ValidationRule("self == oldSelf", "a topic's kind cannot be changed")]
    public string? Kind { get; set; }

    /// <summary>Number of partitions, by default 1. It can be raised, never lowered.</summary>
    [RangeMinimum(1)]
    [RangeMaximum(10000)]
    [ValidationRule("self >= oldSelf", "partitions cannot be taken away")]
    public int? Partitions { get; set; }

    /// <summary>Replicas of each partition; by default the cluster's own default. A change moves data.</summary>
    [RangeMinimum(1)]
    [RangeMaximum(15)]
    public int? Replicas { get; set; }

    /// <summary>What an acknowledgement stands for: fsync (the default), replicated, leader or memory.</summary>
    [Pattern("^(fsync|replicated|leader|memory)$")]
    public string? Durability { get; set; }

    /// <summary>How long records are kept.</summary>
    public RetentionSpec? Retention { get; set; }

    /// <summary>Further settings by name, as docs/cli.md lists them. What is not named here is left alone.</summary>
    [Items(64)]
    public Dictionary<string, string>? Config { get; set; }

    /// <summary>The schema of the records. Nothing reads it yet.</summary>
    public SchemaRef? SchemaRef { get; set; }

    /// <summary>
    /// What to do about a topic of this name that is there already: AdoptIfMatching (the default), Adopt, which changes it as
    /// specified, or Never.
    /// </summary>
    [Pattern("^(AdoptIfMatching|Adopt|Never)$")]
    public string? AdoptionPolicy { get; set; }

    /// <summary>What becomes of the topic with this resource: Retain (the default) or Delete, with its data.</summary>
    [Pattern("^(Retain|Delete)$")]
    public string? DeletionPolicy { get; set; }

    /// <summary>With deletionPolicy Delete: only if the topic holds no record. Until then the deletion waits.</summary>
    public bool DeleteOnlyIfEmpty { get; set; }

    /// <summary>
    /// What to do when somebody else deleted the topic: Recreate it, empty (the default), or Report it and leave it.
    /// </summary>
    [Pattern("^(Recreate|Report)$")]
    public string? MissingPolicy { get; set; }
}

/// <summary>How long records are kept. What is not given is left alone.</summary>
public sealed class RetentionSpec
{
    /// <summary>Milliseconds, or -1 for ever.</summary>
    [RangeMinimum(-1)]
    public long? Ms { get; set; }

    /// <summary>Bytes of each partition, or -1 for no bound.</summary>
    [RangeMinimum(-1)]
    public long? Bytes { get; set; }
}

/// <summary>A schema.</summary>
public sealed class SchemaRef
{
    /// <summary>Its name.</summary>
    [Required]
    [Length(253, MinLength = 1)]
    public string Name { get; set; } = string.Empty;

    /// <summary>Its version.</summary>
    [Length(63)]
    public string? Version { get; set; }
}

/// <summary>What a topic is.</summary>
public sealed class TopicStatus : ResourceStatus
{
    /// <summary>Its name in the cluster.</summary>
    public string? TopicName { get; set; }

    /// <summary>Its id. Only the topic with this id is ever deleted.</summary>
    public string? TopicId { get; set; }

    /// <summary>event or entity.</summary>
    public string? Kind { get; set; }

    /// <summary>Partitions.</summary>
    public int? Partitions { get; set; }

    /// <summary>Replicas of each partition; the fewest, if they differ.</summary>
    public int? Replicas { get; set; }

    /// <summary>What an acknowledgement stands for.</summary>
    public string? Durability { get; set; }

    /// <summary>Partitions without a leader.</summary>
    public int? OfflinePartitions { get; set; }

    /// <summary>Partitions with fewer in-sync replicas than replicas.</summary>
    public int? UnderReplicatedPartitions { get; set; }

    /// <summary>Bytes on disk, of one replica of each partition, as of the last time they were asked for.</summary>
    public long? SizeBytes { get; set; }

    /// <summary>Offsets that are kept, as of the last time they were asked for: about the number of records.</summary>
    public long? Records { get; set; }

    /// <summary>A change of the number of replicas that is going on.</summary>
    public ReplicasChange? ReplicasChange { get; set; }

    /// <summary>Settings that the specification set, and which go back to their default with it.</summary>
    [Items(64)]
    [XListType("atomic")]
    public List<string>? ManagedConfig { get; set; }
}

/// <summary>A change of the number of replicas.</summary>
public sealed class ReplicasChange
{
    /// <summary>Wanted replicas of each partition.</summary>
    public int? Target { get; set; }

    /// <summary>Partitions that do not have them yet.</summary>
    public int? PendingPartitions { get; set; }
}
