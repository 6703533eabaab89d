using Weir.Metadata.Records;

namespace Weir.Metadata;

/// <summary>A broker as the metadata knows it. Immutable.</summary>
/// <param name="NodeId">Node id.</param>
/// <param name="BrokerEpoch">Epoch of its registration: what comes with a lower one is from the past (KIP-903).</param>
/// <param name="IncarnationId">Made at each start of its process.</param>
/// <param name="DirectoryId">Identity of its data directory.</param>
/// <param name="Host">Where it is reached.</param>
/// <param name="Port">TCP port.</param>
/// <param name="Rack">Its rack; null if it has none.</param>
/// <param name="Version">Its version of Weir.</param>
/// <param name="IsVoter">Whether it wants a vote in the metadata quorum.</param>
/// <param name="Fenced">It neither leads nor is in sync: it is down, or has not caught up.</param>
/// <param name="Draining">It gives up its leaderships and gets none.</param>
/// <param name="Cordoned">It gets no new replicas.</param>
/// <param name="Decommissioning">Its replicas are moved away.</param>
public sealed record BrokerImage(
    int NodeId, long BrokerEpoch, Guid IncarnationId, Guid DirectoryId, string Host, int Port, string? Rack, string Version,
    bool IsVoter, bool Fenced, bool Draining, bool Cordoned, bool Decommissioning)
{
    /// <summary>Whether it may lead and be in sync.</summary>
    public bool IsUsable => !Fenced && !Draining;

    /// <summary>Whether it may get new replicas.</summary>
    public bool IsOpen => !Fenced && !Cordoned && !Decommissioning;

    internal BrokerRegistered ToRegistration() => new()
    {
        NodeId = NodeId,
        BrokerEpoch = BrokerEpoch,
        IncarnationId = IncarnationId,
        DirectoryId = DirectoryId,
        Host = Host,
        Port = Port,
        Rack = Rack,
        Version = Version,
        IsVoter = IsVoter,
    };

    internal BrokerStateChanged ToState() => new()
    {
        NodeId = NodeId,
        BrokerEpoch = BrokerEpoch,
        Fenced = Fenced,
        Draining = Draining,
        Cordoned = Cordoned,
        Decommissioning = Decommissioning,
    };
}
