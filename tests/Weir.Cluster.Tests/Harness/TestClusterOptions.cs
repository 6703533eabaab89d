namespace Weir.Cluster.Tests.Harness;

/// <summary>What a <see cref="TestCluster"/> is made of.</summary>
public sealed record TestClusterOptions
{
    /// <summary>Number of brokers; their ids begin with 1. Default 3.</summary>
    public int Brokers { get; init; } = 3;

    /// <summary>Whether the brokers know nothing of each other: each is a cluster of one.</summary>
    public bool AreIndependent { get; init; }

    /// <summary>Whether each broker has a network namespace, between which <see cref="TestCluster.Network"/> makes faults.</summary>
    public bool OwnNetworks { get; init; }

    /// <summary>Whether all connections to a broker, of clients and of other brokers, pass its <see cref="FaultProxy"/>.</summary>
    public bool BehindProxies { get; init; }

    /// <summary>Size of each broker's own file system, which can lose power; null for a directory.</summary>
    public int? DiskMegabytes { get; init; }

    /// <summary>The rack of a broker; null for none.</summary>
    public Func<int, string?> Rack { get; init; } = static _ => null;

    /// <summary>Settings of all brokers, as of <c>--set</c>.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();
}
