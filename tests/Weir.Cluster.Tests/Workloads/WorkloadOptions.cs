using Weir.Protocol.Messages;

namespace Weir.Cluster.Tests.Workloads;

/// <summary>What a <see cref="Workload"/> does.</summary>
public sealed record WorkloadOptions
{
    public string Topic { get; init; } = "history";

    public int Partitions { get; init; } = 4;

    /// <summary>-1 for the cluster's own default.</summary>
    public short ReplicationFactor { get; init; } = -1;

    /// <summary>Settings of the topic.</summary>
    public IReadOnlyDictionary<string, string?> Configs { get; init; } = new Dictionary<string, string?>();

    public int Producers { get; init; } = 2;

    public int Consumers { get; init; } = 2;

    /// <summary>Of each producer, as long as no more than <see cref="Window"/> are without an outcome.</summary>
    public int RecordsPerSecond { get; init; } = 500;

    /// <summary>Most records of a producer without an outcome.</summary>
    public int Window { get; init; } = 500;

    public int ValueBytes { get; init; } = 100;

    public Acks Acks { get; init; } = Acks.All;

    /// <summary>After this time a send without an answer counts as unknown.</summary>
    public TimeSpan DeliveryTimeout { get; init; } = TimeSpan.FromSeconds(10);
}
