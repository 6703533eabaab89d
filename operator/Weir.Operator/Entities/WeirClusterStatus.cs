using Weir.Operator.Framework;

namespace Weir.Operator.Entities;

/// <summary>What a cluster of brokers is.</summary>
public sealed class WeirClusterStatus : ResourceStatus
{
    /// <summary>Brokers that the StatefulSet shall run now.</summary>
    public int? Replicas { get; set; }

    /// <summary>Brokers whose pods are ready and which the controller counts on.</summary>
    public int? ReadyBrokers { get; set; }

    /// <summary>Selector of the brokers' pods.</summary>
    public string? Selector { get; set; }

    /// <summary>The cluster's id.</summary>
    public string? ClusterId { get; set; }

    /// <summary>Where clients connect to within Kubernetes, HOST:PORT.</summary>
    public string? Servers { get; set; }

    /// <summary>Image of the brokers.</summary>
    public string? Image { get; set; }

    /// <summary>Oldest version of Weir among the brokers that are up.</summary>
    public string? Version { get; set; }

    /// <summary>Node id of the controller.</summary>
    public int? ControllerId { get; set; }

    /// <summary>Topics.</summary>
    public int? Topics { get; set; }

    /// <summary>Partitions.</summary>
    public int? Partitions { get; set; }

    /// <summary>Partitions without a leader.</summary>
    public int? OfflinePartitions { get; set; }

    /// <summary>Partitions with fewer in-sync replicas than replicas.</summary>
    public int? UnderReplicatedPartitions { get; set; }

    /// <summary>Groups.</summary>
    public int? Groups { get; set; }

    /// <summary>What the operator is doing to the cluster now.</summary>
    public OperationStatus? Operation { get; set; }

    /// <summary>Settings of the cluster that the specification set, and which go back to their default with it.</summary>
    [Items(64)]
    [XListType("atomic")]
    public List<string>? ManagedClusterConfig { get; set; }

    /// <summary>The brokers.</summary>
    [Items(128)]
    [XListType("atomic")]
    public List<BrokerStatus>? Brokers { get; set; }
}

/// <summary>Something that takes several passes.</summary>
public sealed class OperationStatus
{
    /// <summary>Restart, ScaleOut, ScaleIn, ExpandStorage or Remove.</summary>
    [Required]
    public string Type { get; set; } = string.Empty;

    /// <summary>Which step of it.</summary>
    public string? Step { get; set; }

    /// <summary>The broker that it concerns.</summary>
    public int? Broker { get; set; }

    /// <summary>The pod that it concerns.</summary>
    public string? Pod { get; set; }

    /// <summary>What is done, or what it waits for.</summary>
    public string? Message { get; set; }

    /// <summary>
    /// How often in a row the broker was seen to hold nothing. It is stopped, or forgotten, after two times only.
    /// </summary>
    public int? Confirmations { get; set; }

    /// <summary>Brokers that were cordoned for it, and get new replicas again if it is called off.</summary>
    [Items(128)]
    [XListType("atomic")]
    public List<int>? Cordoned { get; set; }
}

/// <summary>A broker.</summary>
public sealed class BrokerStatus
{
    /// <summary>Its node id.</summary>
    [Required]
    public int Id { get; set; }

    /// <summary>Its pod; none if there is none.</summary>
    public string? Pod { get; set; }

    /// <summary>HOST:PORT.</summary>
    public string? Address { get; set; }

    /// <summary>Its rack.</summary>
    public string? Rack { get; set; }

    /// <summary>Its version of Weir.</summary>
    public string? Version { get; set; }

    /// <summary>Up, Down, Draining, Leaving or Unknown.</summary>
    public string? State { get; set; }

    /// <summary>Whether it has the present specification.</summary>
    public bool? UpToDate { get; set; }

    /// <summary>Partitions that it leads.</summary>
    public int? Leaders { get; set; }

    /// <summary>Replicas that it holds.</summary>
    public int? Replicas { get; set; }

    /// <summary>Those that are not in sync.</summary>
    public int? OutOfSync { get; set; }
}
