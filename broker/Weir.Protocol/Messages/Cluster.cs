// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>What is wanted of a broker.</summary>
public enum BrokerAction : byte
{
    /// <summary>Hand over its leaderships; it keeps following.</summary>
    Drain = 1,

    /// <summary>Take a drain back.</summary>
    Undrain = 2,

    /// <summary>Place no new replicas on it.</summary>
    Cordon = 3,

    /// <summary>Take a cordon back.</summary>
    Uncordon = 4,

    /// <summary>Move all its replicas away, so that it can be removed.</summary>
    Decommission = 5,

    /// <summary>Stop moving replicas away.</summary>
    AbortDecommission = 6,

    /// <summary>Forget a broker that holds nothing and is stopped.</summary>
    Remove = 7,
}

/// <summary>What a check is for.</summary>
public enum BrokerCheck : byte
{
    /// <summary>Whether the broker may be stopped now without harm.</summary>
    PreRestart = 1,

    /// <summary>Whether it has come back in full.</summary>
    PostRestart = 2,
}

/// <summary>Which leader is wanted.</summary>
public enum ElectionKind : byte
{
    /// <summary>The first of the replicas, where it is in sync.</summary>
    Preferred = 1,

    /// <summary>The given one, even if it lacks acknowledged records. They are lost then.</summary>
    Unclean = 2,
}

/// <summary>Asks for the state of the whole cluster.</summary>
public sealed class DescribeClusterRequest : IRequest<DescribeClusterResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.DescribeCluster;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>A voter of the metadata quorum.</summary>
public sealed class VoterInfo : IMessage
{
    public int NodeId { get; set; } = -1;

    public Guid DirectoryId { get; set; }

    public long LogEndOffset { get; set; }

    public long LastFetchMsAgo { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Node id.");
        DirectoryId = c.Uuid("directoryId", DirectoryId, "Identity of its data directory.");
        LogEndOffset = c.Int64(
            "logEndOffset", LogEndOffset, "How far its metadata log goes; -1 if the leader does not know.");
        LastFetchMsAgo = c.Int64("lastFetchMsAgo", LastFetchMsAgo, "When it fetched last; -1 for never.");
    }
}

/// <summary>A broker as the controller sees it.</summary>
public sealed class BrokerStatus : IMessage
{
    public int NodeId { get; set; } = -1;

    public string Host { get; set; } = string.Empty;

    public int Port { get; set; }

    public string? Rack { get; set; }

    public string Version { get; set; } = string.Empty;

    public long BrokerEpoch { get; set; }

    public bool IsFenced { get; set; }

    public bool IsDraining { get; set; }

    public bool IsCordoned { get; set; }

    public bool IsDecommissioning { get; set; }

    public int Leaders { get; set; }

    public int Replicas { get; set; }

    public int OutOfSync { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Node id.");
        Host = c.String("host", Host, ProtocolLimits.ShortStringBytes, "Host name or address.");
        Port = c.Int32("port", Port, "TCP port.");
        Rack = c.NullableString("rack", Rack, ProtocolLimits.ShortStringBytes, "Its rack.");
        Version = c.String("version", Version, ProtocolLimits.ShortStringBytes, "Its version of Weir.");
        BrokerEpoch = c.Int64("brokerEpoch", BrokerEpoch, "Epoch of its registration.");
        IsFenced = c.Boolean("isFenced", IsFenced, "It is down, or has not caught up yet.");
        IsDraining = c.Boolean("isDraining", IsDraining, "It gives up its leaderships.");
        IsCordoned = c.Boolean("isCordoned", IsCordoned, "It gets no new replicas.");
        IsDecommissioning = c.Boolean("isDecommissioning", IsDecommissioning, "Its replicas are moved away.");
        Leaders = c.Int32("leaders", Leaders, "Partitions that it leads.");
        Replicas = c.Int32("replicas", Replicas, "Replicas that it holds.");
        OutOfSync = c.Int32("outOfSync", OutOfSync, "Those of them that are not in sync.");
    }
}

/// <summary>The state of the whole cluster.</summary>
public sealed class DescribeClusterResponse : IMessage
{
    public string ClusterId { get; set; } = string.Empty;

    public int ControllerId { get; set; } = -1;

    public int ControllerEpoch { get; set; }

    public short FeatureLevel { get; set; }

    public long MetadataOffset { get; set; }

    public int Topics { get; set; }

    public int Partitions { get; set; }

    public int OfflinePartitions { get; set; }

    public int UnderReplicated { get; set; }

    public int UnderMinIsr { get; set; }

    public int Reassigning { get; set; }

    public VoterInfo[] Voters { get; set; } = [];

    public BrokerStatus[] Brokers { get; set; } = [];

    public ConfigEntry[] Configs { get; set; } = [];

    public int Groups { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String("clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster.");
        ControllerId = c.Int32("controllerId", ControllerId, "Node id of the controller.");
        ControllerEpoch = c.Int32("controllerEpoch", ControllerEpoch, "Epoch of the metadata quorum.");
        FeatureLevel = c.Int16("featureLevel", FeatureLevel, "Features in use.");
        MetadataOffset = c.Int64("metadataOffset", MetadataOffset, "First metadata offset that is not committed.");
        Topics = c.Int32("topics", Topics, "Topics.");
        Partitions = c.Int32("partitions", Partitions, "Partitions.");
        OfflinePartitions = c.Int32("offlinePartitions", OfflinePartitions, "Partitions without a leader.");
        UnderReplicated = c.Int32(
            "underReplicated", UnderReplicated, "Partitions with fewer in-sync replicas than replicas.");
        UnderMinIsr = c.Int32(
            "underMinIsr", UnderMinIsr, "Partitions with fewer in-sync replicas than min.insync.replicas: they take no acks=all.");
        Reassigning = c.Int32("reassigning", Reassigning, "Partitions whose replicas are being moved.");
        Voters = c.Array("voters", Voters, ProtocolLimits.Voters, "Voters of the metadata quorum.");
        Brokers = c.Array("brokers", Brokers, ProtocolLimits.Brokers, "Brokers by node id.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Every setting of the cluster.");
        Groups = c.Int32("groups", Groups, "Declared groups.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Changes what a broker is used for.</summary>
public sealed class ChangeBrokerRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.ChangeBroker;

    public int NodeId { get; set; } = -1;

    public BrokerAction Action { get; set; }

    public bool ValidateOnly { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "The broker.");
        Action = (BrokerAction)c.UInt8(
            "action", (byte)Action, "1 drain, 2 undrain, 3 cordon, 4 uncordon, 5 decommission, 6 abort decommission, 7 remove.");
        ValidateOnly = c.Boolean("validateOnly", ValidateOnly, "Check everything, change nothing.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Asks whether a broker may be stopped, or is back.</summary>
public sealed class CheckBrokerRequest : IRequest<CheckBrokerResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.CheckBroker;

    public int NodeId { get; set; } = -1;

    public BrokerCheck Check { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "The broker.");
        Check = (BrokerCheck)c.UInt8("check", (byte)Check, "1 pre-restart, 2 post-restart.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The outcome of a check; anything but an ok means no.</summary>
public sealed class CheckBrokerResponse : IMessage
{
    public bool IsOk { get; set; }

    public int CaughtUpPercent { get; set; }

    public string[] Reasons { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        IsOk = c.Boolean("isOk", IsOk, "Whether there is no reason against it.");
        CaughtUpPercent = c.Int32("caughtUpPercent", CaughtUpPercent, "Share of its replicas that are in sync.");
        Reasons = c.StringArray(
            "reasons", Reasons, ProtocolLimits.CheckReasons, ProtocolLimits.ErrorTextBytes, "What speaks against it.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Where the replicas of a partition shall be.</summary>
public sealed class ReplicaAssignment : IMessage
{
    public int Partition { get; set; }

    public int[] Replicas { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Partition = c.Int32("partition", Partition, "Partition.");
        Replicas = c.Int32Array(
            "replicas", Replicas, ProtocolLimits.ReplicasPerPartition, "Node ids, the preferred leader first.");
    }
}

/// <summary>Moves the replicas of a topic.</summary>
public sealed class ReassignPartitionsRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.ReassignPartitions;

    public string Topic { get; set; } = string.Empty;

    public bool Cancel { get; set; }

    public short ReplicationFactor { get; set; }

    public ReplicaAssignment[] Partitions { get; set; } = [];

    public bool ValidateOnly { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Topic = c.String("topic", Topic, ProtocolLimits.TopicNameBytes, "Topic name.");
        Cancel = c.Boolean("cancel", Cancel, "Go back to where the replicas were.");
        ReplicationFactor = c.Int16(
            "replicationFactor", ReplicationFactor, "Replicas of every partition, placed by the controller; 0 for `partitions` as given.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerReassignment, "Partitions to move.");
        ValidateOnly = c.Boolean("validateOnly", ValidateOnly, "Check everything, change nothing.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Chooses leaders anew.</summary>
public sealed class ElectLeadersRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.ElectLeaders;

    public ElectionKind Kind { get; set; }

    public string Topic { get; set; } = string.Empty;

    public int Partition { get; set; }

    public int NodeId { get; set; } = -1;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Kind = (ElectionKind)c.UInt8("kind", (byte)Kind, "1 preferred, 2 unclean.");
        Topic = c.String(
            "topic", Topic, ProtocolLimits.TopicNameBytes, "Topic name; empty for all of them, which only `preferred` takes.");
        Partition = c.Int32("partition", Partition, "Partition; -1 for all of them.");
        NodeId = c.Int32("nodeId", NodeId, "The wanted leader for `unclean`; else -1.");
        c.BeginTags();
        c.EndTags();
    }
}
