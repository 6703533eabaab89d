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

/// <summary>Who leads and keeps a partition, in a metadata record.</summary>
public sealed class PartitionAssignment : IMessage
{
    /// <summary>Its index, from 0.</summary>
    public int Index { get; set; }

    /// <summary>Node id of its leader; -1 if there is none.</summary>
    public int Leader { get; set; }

    /// <summary>Epoch of this leadership.</summary>
    public int LeaderEpoch { get; set; }

    /// <summary>Node ids of its replicas.</summary>
    public int[] Replicas { get; set; } = [];

    /// <summary>Those of them that are in sync.</summary>
    public int[] Isr { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Index = c.Int32("index", Index, "Index, from 0.");
        Leader = c.Int32("leader", Leader, "Node id of the leader; -1 if there is none.");
        LeaderEpoch = c.Int32("leaderEpoch", LeaderEpoch, "Epoch of this leadership.");
        Replicas = c.Int32Array("replicas", Replicas, ProtocolLimits.ReplicasPerPartition, "Node ids of the replicas.");
        Isr = c.Int32Array("isr", Isr, ProtocolLimits.ReplicasPerPartition, "Those of them that are in sync.");
    }
}
