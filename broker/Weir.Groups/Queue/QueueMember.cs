namespace Weir.Groups.Queue;

/// <summary>A member of a queue. It is not in the log: the next coordinator asks it to join again.</summary>
internal sealed class QueueMember(Guid id, string? instanceId, string name, long joinedAtMs)
{
    public Guid Id => id;

    public string? InstanceId => instanceId;

    public string Name => name;

    public long JoinedAtMs => joinedAtMs;

    /// <summary>Its connection; null while it has none.</summary>
    public IGroupSession? Session { get; set; }

    /// <summary>When it was last heard of, as of <see cref="IGroupContext.ListeningMs"/>.</summary>
    public long HeardAtMs { get; set; }

    /// <summary>How long its oldest record was being handled when it was last heard of.</summary>
    public long StuckForMs { get; set; }

    /// <summary>Most records that it holds.</summary>
    public int MaxInFlight { get; set; }

    /// <summary>Bytes over which it gets no more.</summary>
    public long MaxInFlightBytes { get; set; }

    /// <summary>Records that it holds.</summary>
    public int InFlight { get; set; }

    /// <summary>Their bytes.</summary>
    public long InFlightBytes { get; set; }

    /// <summary>Records that it may get now.</summary>
    public int Room => Session is not null && InFlightBytes < MaxInFlightBytes ? MaxInFlight - InFlight : 0;
}
