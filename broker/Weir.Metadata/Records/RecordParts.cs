using Weir.Protocol.Wire;

namespace Weir.Metadata.Records;

/// <summary>A setting in a metadata record. Apart from the wire's entry, so that the two may change on their own.</summary>
public sealed class ConfigSetting : IMessage
{
    /// <summary>The key.</summary>
    public string Name { get; set; } = string.Empty;

    /// <summary>The value; null goes back to the default.</summary>
    public string? Value { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.ShortStringBytes, "Key.");
        Value = c.NullableString("value", Value, ProtocolLimits.ConfigValueBytes, "Value; null goes back to the default.");
    }
}

/// <summary>Who leads and keeps a partition, in a metadata record: its whole state.</summary>
public sealed class PartitionAssignment : IMessage
{
    /// <summary>Its index, from 0.</summary>
    public int Index { get; set; }

    /// <summary>Node id of its leader; -1 if there is none.</summary>
    public int Leader { get; set; }

    /// <summary>Epoch of this leadership.</summary>
    public int LeaderEpoch { get; set; }

    /// <summary>One more with every change of the partition.</summary>
    public int PartitionEpoch { get; set; }

    /// <summary>Node ids of its replicas, the preferred leader first.</summary>
    public int[] Replicas { get; set; } = [];

    /// <summary>Those of them that are in sync.</summary>
    public int[] Isr { get; set; } = [];

    /// <summary>Those that left while too few were in sync, and so have all that was acknowledged (KIP-966).</summary>
    public int[] Elr { get; set; } = [];

    /// <summary>Replicas that a reassignment adds.</summary>
    public int[] AddingReplicas { get; set; } = [];

    /// <summary>Replicas that it takes away once the others are in sync.</summary>
    public int[] RemovingReplicas { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        const int Max = ProtocolLimits.ReplicasPerPartition;
        Index = c.Int32("index", Index, "Index, from 0.");
        Leader = c.Int32("leader", Leader, "Node id of the leader; -1 if there is none.");
        LeaderEpoch = c.Int32("leaderEpoch", LeaderEpoch, "Epoch of this leadership.");
        PartitionEpoch = c.Int32("partitionEpoch", PartitionEpoch, "One more with every change.");
        Replicas = c.Int32Array("replicas", Replicas, Max, "Node ids of the replicas.");
        Isr = c.Int32Array("isr", Isr, Max, "Those of them that are in sync.");
        Elr = c.Int32Array("elr", Elr, Max, "Those of them that may lead without being in sync.");
        AddingReplicas = c.Int32Array("addingReplicas", AddingReplicas, Max, "Those that are being added.");
        RemovingReplicas = c.Int32Array("removingReplicas", RemovingReplicas, Max, "Those that are being taken away.");
    }
}

/// <summary>A voter of the metadata quorum, in a metadata record.</summary>
public sealed class VoterRecord : IMessage
{
    /// <summary>Node id.</summary>
    public int NodeId { get; set; }

    /// <summary>Identity of its data directory.</summary>
    public Guid DirectoryId { get; set; }

    /// <summary>Where it was reached.</summary>
    public string Host { get; set; } = string.Empty;

    /// <summary>TCP port.</summary>
    public int Port { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Node id.");
        DirectoryId = c.Uuid("directoryId", DirectoryId, "Identity of the data directory.");
        Host = c.String("host", Host, ProtocolLimits.ShortStringBytes, "Host name or address.");
        Port = c.Int32("port", Port, "TCP port.");
    }
}
