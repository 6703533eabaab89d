using Weir.Protocol.Wire;

namespace Weir.Metadata.Records;

/// <summary>A broker joined, or came back with a new epoch. It is fenced until it has caught up.</summary>
public sealed class BrokerRegistered : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.BrokerRegistered;

    /// <summary>Node id.</summary>
    public int NodeId { get; set; }

    /// <summary>Epoch of this registration.</summary>
    public long BrokerEpoch { get; set; }

    /// <summary>Of the process.</summary>
    public Guid IncarnationId { get; set; }

    /// <summary>Identity of its data directory.</summary>
    public Guid DirectoryId { get; set; }

    /// <summary>Where it is reached.</summary>
    public string Host { get; set; } = string.Empty;

    /// <summary>TCP port.</summary>
    public int Port { get; set; }

    /// <summary>Its rack; null if it has none.</summary>
    public string? Rack { get; set; }

    /// <summary>Its version of Weir.</summary>
    public string Version { get; set; } = string.Empty;

    /// <summary>Whether it wants a vote.</summary>
    public bool IsVoter { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Node id.");
        BrokerEpoch = c.Int64("brokerEpoch", BrokerEpoch, "Epoch of this registration.");
        IncarnationId = c.Uuid("incarnationId", IncarnationId, "Of the process.");
        DirectoryId = c.Uuid("directoryId", DirectoryId, "Identity of its data directory.");
        Host = c.String("host", Host, ProtocolLimits.ShortStringBytes, "Where it is reached.");
        Port = c.Int32("port", Port, "TCP port.");
        Rack = c.NullableString("rack", Rack, ProtocolLimits.ShortStringBytes, "Its rack; null if it has none.");
        Version = c.String("version", Version, ProtocolLimits.ShortStringBytes, "Its version of Weir.");
        IsVoter = c.Boolean("isVoter", IsVoter, "Whether it wants a vote.");
    }
}

/// <summary>What a broker is used for, all of it.</summary>
public sealed class BrokerStateChanged : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.BrokerStateChanged;

    /// <summary>Node id.</summary>
    public int NodeId { get; set; }

    /// <summary>Epoch of its registration.</summary>
    public long BrokerEpoch { get; set; }

    /// <summary>It neither leads nor is in sync.</summary>
    public bool Fenced { get; set; }

    /// <summary>It gives up its leaderships.</summary>
    public bool Draining { get; set; }

    /// <summary>It gets no new replicas.</summary>
    public bool Cordoned { get; set; }

    /// <summary>Its replicas are moved away.</summary>
    public bool Decommissioning { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Node id.");
        BrokerEpoch = c.Int64("brokerEpoch", BrokerEpoch, "Epoch of its registration.");
        Fenced = c.Boolean("fenced", Fenced, "It neither leads nor is in sync.");
        Draining = c.Boolean("draining", Draining, "It gives up its leaderships.");
        Cordoned = c.Boolean("cordoned", Cordoned, "It gets no new replicas.");
        Decommissioning = c.Boolean("decommissioning", Decommissioning, "Its replicas are moved away.");
    }
}

/// <summary>A broker that held nothing is forgotten.</summary>
public sealed class BrokerRemoved : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.BrokerRemoved;

    /// <summary>Node id.</summary>
    public int NodeId { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Node id.");
    }
}

/// <summary>New states of some partitions of a topic.</summary>
public sealed class PartitionsChanged : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.PartitionsChanged;

    /// <summary>The topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Their states.</summary>
    public PartitionAssignment[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "The topic.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerTopic, "Their states.");
    }
}

/// <summary>Who votes in the metadata quorum from here on. It counts from when it is appended.</summary>
public sealed class VotersChanged : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.VotersChanged;

    /// <summary>The voters.</summary>
    public VoterRecord[] Voters { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Voters = c.Array("voters", Voters, ProtocolLimits.Voters, "The voters.");
    }
}

/// <summary>The first record of each leader of the metadata quorum.</summary>
public sealed class EpochStarted : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.EpochStarted;

    /// <summary>Node id of the leader.</summary>
    public int LeaderId { get; set; }

    /// <summary>Its epoch.</summary>
    public int LeaderEpoch { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        LeaderId = c.Int32("leaderId", LeaderId, "Node id of the leader.");
        LeaderEpoch = c.Int32("leaderEpoch", LeaderEpoch, "Its epoch.");
    }
}
