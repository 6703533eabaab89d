using Weir.Operator.Entities;

namespace Weir.Operator.Clusters;

/// <summary>A broker's pod.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Ordinal">Its place in the StatefulSet.</param>
/// <param name="Uid">Which pod of that name.</param>
/// <param name="IsReady">Whether it is ready.</param>
/// <param name="IsTerminating">Whether it is being deleted.</param>
/// <param name="TemplateHash">From which specification it was made.</param>
/// <param name="Problem">What keeps it from running, as CrashLoopBackOff or Unschedulable; null if nothing is known.</param>
internal sealed record PodView(
    string Name, int Ordinal, string Uid, bool IsReady, bool IsTerminating, string? TemplateHash, string? Problem);

/// <summary>A broker as the controller of the cluster sees it.</summary>
/// <param name="Id">Its node id.</param>
/// <param name="Ordinal">The place of its pod, from its address; null if it is no pod of this cluster.</param>
/// <param name="IsFenced">Whether it is down, or has not caught up with the metadata.</param>
/// <param name="IsDraining">Whether it gives up its leaderships.</param>
/// <param name="IsCordoned">Whether it gets no new replicas.</param>
/// <param name="IsDecommissioning">Whether its replicas are moved away.</param>
/// <param name="Replicas">Replicas that it holds.</param>
/// <param name="OutOfSync">Those that are not in sync.</param>
/// <param name="IsController">Whether it leads the metadata quorum.</param>
/// <param name="IsVoter">Whether it votes in it.</param>
internal sealed record BrokerView(
    int Id, int? Ordinal, bool IsFenced, bool IsDraining, bool IsCordoned, bool IsDecommissioning, int Replicas, int OutOfSync,
    bool IsController, bool IsVoter)
{
    public bool IsWell => !IsFenced && !IsDraining && OutOfSync == 0;
}

/// <summary>A cluster as its controller sees it.</summary>
/// <param name="Brokers">Brokers.</param>
/// <param name="OfflinePartitions">Partitions without a leader.</param>
/// <param name="UnderMinIsr">Partitions that take no records with acks=all.</param>
internal sealed record ClusterView(IReadOnlyList<BrokerView> Brokers, int OfflinePartitions, int UnderMinIsr);

/// <summary>A volume claim.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Requested">Bytes that it asks for.</param>
internal sealed record VolumeView(string Name, decimal Requested);

/// <summary>All that a decision about a cluster goes by.</summary>
internal sealed record Observation
{
    /// <summary>Names of what belongs to it.</summary>
    public required ClusterNames Names { get; init; }

    /// <summary>Brokers that are wanted.</summary>
    public required int Desired { get; init; }

    /// <summary>Brokers that the StatefulSet shall run.</summary>
    public required int Replicas { get; init; }

    /// <summary>What pods are made from now.</summary>
    public required string TemplateHash { get; init; }

    /// <summary>Bytes that each volume shall have.</summary>
    public required decimal StorageSize { get; init; }

    /// <summary>Bytes that the StatefulSet asks for with a new volume.</summary>
    public required decimal TemplateStorageSize { get; init; }

    /// <summary>The pods.</summary>
    public required IReadOnlyList<PodView> Pods { get; init; }

    /// <summary>The volume claims.</summary>
    public required IReadOnlyList<VolumeView> Volumes { get; init; }

    /// <summary>What the brokers say; null if none answers.</summary>
    public required ClusterView? Cluster { get; init; }

    /// <summary>What was going on after the last pass.</summary>
    public OperationStatus? Previous { get; init; }

    public PodView? PodAt(int ordinal) => Pods.FirstOrDefault(pod => pod.Ordinal == ordinal);

    public BrokerView? BrokerAt(int ordinal) => Cluster?.Brokers.FirstOrDefault(broker => broker.Ordinal == ordinal);
}

/// <summary>What one pass does to a cluster.</summary>
internal enum ActionKind
{
    /// <summary>Nothing yet: something must come about first.</summary>
    Wait,

    /// <summary>A pod is deleted and comes back with the present specification.</summary>
    RestartPod,

    /// <summary>The StatefulSet runs another number of pods.</summary>
    SetReplicas,

    /// <summary>A broker gets no new replicas.</summary>
    Cordon,

    /// <summary>A broker gets new replicas again.</summary>
    Uncordon,

    /// <summary>The replicas of a broker move away.</summary>
    Decommission,

    /// <summary>They stay after all.</summary>
    AbortDecommission,

    /// <summary>The cluster forgets a broker.</summary>
    RemoveBroker,

    /// <summary>A volume grows.</summary>
    GrowVolume,

    /// <summary>The StatefulSet is deleted without its pods, and made again.</summary>
    RecreateStatefulSet,
}

/// <summary>The decision about a cluster.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Operation">Of which operation it is a step: Restart, ScaleOut, ScaleIn, ExpandStorage.</param>
/// <param name="Message">Why, for people. It must not change from pass to pass while nothing else does.</param>
internal sealed record ClusterAction(ActionKind Kind, string Operation, string Message)
{
    /// <summary>The pod, or the volume, that it concerns.</summary>
    public string? Target { get; init; }

    /// <summary>Uid of the pod.</summary>
    public string? Uid { get; init; }

    /// <summary>The broker that it concerns.</summary>
    public int? Broker { get; init; }

    /// <summary>With SetReplicas: how many.</summary>
    public int Replicas { get; init; }

    /// <summary>With RestartPod: whether the brokers must agree first. Not for one that is down anyway.</summary>
    public bool NeedsCheck { get; init; }

    /// <summary>How often in a row a broker was seen to hold nothing.</summary>
    public int? Confirmations { get; init; }

    /// <summary>The step, as it stands in the status.</summary>
    public string Step { get; init; } = Kind.ToString();
}
