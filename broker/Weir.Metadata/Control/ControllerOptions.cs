namespace Weir.Metadata.Control;

/// <summary>Times of the controller. Safety rests on none of them.</summary>
public sealed record ControllerOptions
{
    /// <summary>
    /// A broker that sends no heartbeat for this long is fenced: others lead its partitions. Time in which the controller itself
    /// stood still does not count. Default 1200 ms.
    /// </summary>
    public int SessionTimeoutMs { get; init; } = 1200;

    /// <summary>
    /// How long a broker has whose connections broke and could not be opened again. Default 300 ms.
    /// </summary>
    public int LostSessionMs { get; init; } = 300;

    /// <summary>How often leaderships go back to the preferred replicas; 0 for never. Default 30 s.</summary>
    public int BalanceIntervalMs { get; init; } = 30_000;
}
