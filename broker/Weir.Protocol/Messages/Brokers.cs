// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>What a broker wants of the controller.</summary>
public enum BrokerIntent : byte
{
    /// <summary>To be led to and to follow.</summary>
    Serve = 0,

    /// <summary>To hand over its leaderships and stop.</summary>
    Stop = 1,
}

/// <summary>A broker joins its cluster, each time it starts or is told that its epoch is stale.</summary>
public sealed class RegisterBrokerRequest : IRequest<RegisterBrokerResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.RegisterBroker;

    public string ClusterId { get; set; } = string.Empty;

    public int NodeId { get; set; } = -1;

    public Guid IncarnationId { get; set; }

    public Guid DirectoryId { get; set; }

    public string Host { get; set; } = string.Empty;

    public int Port { get; set; }

    public string? Rack { get; set; }

    public string Version { get; set; } = string.Empty;

    public bool IsLossyRestart { get; set; }

    public bool IsVoter { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String("clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster.");
        NodeId = c.Int32("nodeId", NodeId, "Its node id.");
        IncarnationId = c.Uuid("incarnationId", IncarnationId, "Made at each start of the process.");
        DirectoryId = c.Uuid("directoryId", DirectoryId, "Identity of its data directory.");
        Host = c.String("host", Host, ProtocolLimits.ShortStringBytes, "Where clients and brokers reach it.");
        Port = c.Int32("port", Port, "TCP port.");
        Rack = c.NullableString("rack", Rack, ProtocolLimits.ShortStringBytes, "Its rack; null if it has none.");
        Version = c.String("version", Version, ProtocolLimits.ShortStringBytes, "Its version of Weir.");
        IsLossyRestart = c.Boolean(
            "isLossyRestart", IsLossyRestart, "The machine stopped without a clean end of the broker: what was not synced may be lost.");
        IsVoter = c.Boolean("isVoter", IsVoter, "Whether it wants a vote in the metadata quorum.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The broker is registered, fenced until it has caught up with the metadata.</summary>
public sealed class RegisterBrokerResponse : IMessage
{
    public long BrokerEpoch { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        BrokerEpoch = c.Int64("brokerEpoch", BrokerEpoch, "Epoch of this registration.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A broker shows that it lives.</summary>
public sealed class BrokerHeartbeatRequest : IRequest<BrokerHeartbeatResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.BrokerHeartbeat;

    public int NodeId { get; set; } = -1;

    public long BrokerEpoch { get; set; }

    public long MetadataOffset { get; set; }

    public BrokerIntent Intent { get; set; }

    public bool IsRecovering { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Its node id.");
        BrokerEpoch = c.Int64("brokerEpoch", BrokerEpoch, "Epoch of its registration.");
        MetadataOffset = c.Int64("metadataOffset", MetadataOffset, "First metadata offset that it has not applied.");
        Intent = (BrokerIntent)c.UInt8("intent", (byte)Intent, "0 serve, 1 stop.");
        IsRecovering = c.Boolean("isRecovering", IsRecovering, "Some of its partitions are not open yet.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>How the controller sees the broker.</summary>
public sealed class BrokerHeartbeatResponse : IMessage
{
    public bool IsFenced { get; set; }

    public bool MayStop { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        IsFenced = c.Boolean("isFenced", IsFenced, "It is not let lead or follow in sync yet, or no more.");
        MayStop = c.Boolean("mayStop", MayStop, "It leads nothing any more and is fenced: it may stop.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>An in-sync replica with the epoch of the broker that showed it.</summary>
public sealed class ReplicaState : IMessage
{
    public int NodeId { get; set; } = -1;

    public long BrokerEpoch { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Node id.");
        BrokerEpoch = c.Int64("brokerEpoch", BrokerEpoch, "Epoch of its registration when it caught up.");
    }
}

/// <summary>What a leader wants its in-sync replicas to be.</summary>
public sealed class PartitionAlteration : IMessage
{
    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public int LeaderEpoch { get; set; }

    public int PartitionEpoch { get; set; }

    public ReplicaState[] Isr { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        LeaderEpoch = c.Int32("leaderEpoch", LeaderEpoch, "Epoch of the leadership that asks.");
        PartitionEpoch = c.Int32("partitionEpoch", PartitionEpoch, "The state that the change starts from.");
        Isr = c.Array("isr", Isr, ProtocolLimits.ReplicasPerPartition, "The new in-sync replicas.");
    }
}

/// <summary>A leader asks the controller to change in-sync replicas, by compare and set.</summary>
public sealed class AlterPartitionsRequest : IRequest<AlterPartitionsResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.AlterPartitions;

    public int NodeId { get; set; } = -1;

    public long BrokerEpoch { get; set; }

    public PartitionAlteration[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "The asking leader.");
        BrokerEpoch = c.Int64("brokerEpoch", BrokerEpoch, "Epoch of its registration.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerRequest, "Partitions.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A partition after the request.</summary>
public sealed class AlteredPartition : IMessage
{
    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public ErrorCode Error { get; set; }

    public int LeaderEpoch { get; set; }

    public int PartitionEpoch { get; set; }

    public int[] Isr { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "Why it is refused, or 0.");
        LeaderEpoch = c.Int32("leaderEpoch", LeaderEpoch, "Leader epoch now.");
        PartitionEpoch = c.Int32("partitionEpoch", PartitionEpoch, "Partition epoch now.");
        Isr = c.Int32Array("isr", Isr, ProtocolLimits.ReplicasPerPartition, "In-sync replicas now.");
    }
}

/// <summary>The partitions as they are committed.</summary>
public sealed class AlterPartitionsResponse : IMessage
{
    public AlteredPartition[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerRequest, "In the order of the request.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A partition.</summary>
public sealed class PartitionKey : IMessage
{
    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
    }
}

/// <summary>A broker gives up its place among the in-sync replicas of partitions whose data it finds damaged.</summary>
public sealed class ReportDamageRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.ReportDamage;

    public int NodeId { get; set; } = -1;

    public long BrokerEpoch { get; set; }

    public PartitionKey[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Its node id.");
        BrokerEpoch = c.Int64("brokerEpoch", BrokerEpoch, "Epoch of its registration.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerRequest, "Partitions.");
        c.BeginTags();
        c.EndTags();
    }
}
