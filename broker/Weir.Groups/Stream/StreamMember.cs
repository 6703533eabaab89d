namespace Weir.Groups.Stream;

/// <summary>A member of a stream group. Its epoch is in the log; session, clock and progress are not.</summary>
internal sealed class StreamMember(Guid id, string? instanceId, string name, long joinedAtMs)
{
    public Guid Id => id;

    public string? InstanceId => instanceId;

    public string Name => name;

    public long JoinedAtMs => joinedAtMs;

    /// <summary>One more with every change of what it may consume.</summary>
    public int Epoch { get; set; }

    /// <summary>Its connection; null while it has none.</summary>
    public IGroupSession? Session { get; set; }

    /// <summary>When it was last heard of, as of <see cref="IGroupContext.ListeningMs"/>.</summary>
    public long HeardAtMs { get; set; }

    /// <summary>How long its oldest record was being handled when it was last heard of.</summary>
    public long StuckForMs { get; set; }

    /// <summary>Since when it is to give something up; null if it is not.</summary>
    public long? GivingUpSinceMs { get; set; }
}
