// Field meanings stand in Code(), from which docs/protocol.md is made; a second text on each property would drift.
#pragma warning disable CS1591
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Protocol.Messages;

/// <summary>What a topic is for.</summary>
public enum TopicKind : byte
{
    /// <summary>A durable stream, keyed or unkeyed.</summary>
    Event = 1,

    /// <summary>The states of keyed entities: the last record of a key is its state, one without a value deletes it.</summary>
    Entity = 2,
}

/// <summary>What an acknowledgement with <c>acks=all</c> stands for.</summary>
public enum Durability : byte
{
    /// <summary>On stable storage (fsync) of <c>min.insync.replicas</c> replicas.</summary>
    Fsync = 1,

    /// <summary>Handed to the operating system on <c>min.insync.replicas</c> replicas; synced in the background.</summary>
    Replicated = 2,

    /// <summary>Handed to the operating system on the leader; synced in the background.</summary>
    Leader = 3,

    /// <summary>In the leader's memory.</summary>
    Memory = 4,
}

/// <summary>How a key chooses its partition.</summary>
public enum Partitioner : byte
{
    /// <summary>XXH3-64 of the key with the topic's seed, modulo the number of partitions that take keys.</summary>
    XxHash3 = 1,
}

/// <summary>One configuration entry.</summary>
public sealed class ConfigEntry : IMessage
{
    public string Name { get; set; } = string.Empty;

    public string? Value { get; set; }

    public bool IsDefault { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.ShortStringBytes, "Configuration key.");
        Value = c.NullableString("value", Value, ProtocolLimits.ConfigValueBytes, "Value; null stands for the default.");
        IsDefault = c.Boolean("isDefault", IsDefault, "In replies: whether it was never set.");
    }
}

/// <summary>Asks for brokers and topics.</summary>
public sealed class MetadataRequest : IRequest<MetadataResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.Metadata;

    public bool AllTopics { get; set; }

    public string[] Topics { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        AllTopics = c.Boolean("allTopics", AllTopics, "All topics; then `topics` is empty.");
        Topics = c.StringArray(
            "topics", Topics, ProtocolLimits.TopicsPerRequest, ProtocolLimits.TopicNameBytes, "Names.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Where a broker listens.</summary>
public sealed class BrokerInfo : IMessage
{
    public int NodeId { get; set; }

    public string Host { get; set; } = string.Empty;

    public int Port { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        NodeId = c.Int32("nodeId", NodeId, "Node id.");
        Host = c.String("host", Host, ProtocolLimits.ShortStringBytes, "Host name or address for clients.");
        Port = c.Int32("port", Port, "TCP port.");
    }
}

/// <summary>Who leads and keeps a partition.</summary>
public sealed class PartitionInfo : IMessage
{
    public int Partition { get; set; }

    public int Leader { get; set; }

    public int LeaderEpoch { get; set; }

    public int[] Replicas { get; set; } = [];

    public int[] Isr { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Partition = c.Int32("partition", Partition, "Index, from 0.");
        Leader = c.Int32("leader", Leader, "Node id of the leader; -1 if there is none.");
        LeaderEpoch = c.Int32("leaderEpoch", LeaderEpoch, "Epoch of this leadership.");
        Replicas = c.Int32Array("replicas", Replicas, ProtocolLimits.ReplicasPerPartition, "Node ids of the replicas.");
        Isr = c.Int32Array("isr", Isr, ProtocolLimits.ReplicasPerPartition, "Those of them that are in sync.");
        if (Isr.AsSpan().ContainsAnyExcept(Replicas))
        {
            throw new ProtocolException(ErrorCode.MalformedFrame, $"isr of partition {Partition} names a node that is no replica");
        }
    }
}

/// <summary>What a client needs to use a topic.</summary>
public sealed class TopicInfo : IMessage
{
    public ErrorCode Error { get; set; }

    public string Name { get; set; } = string.Empty;

    public Guid TopicId { get; set; }

    public TopicKind Kind { get; set; }

    public Durability Durability { get; set; }

    public Partitioner Partitioner { get; set; }

    public long PartitionerSeed { get; set; }

    public int KeyPartitions { get; set; }

    public int MaxBatchBytes { get; set; }

    public PartitionInfo[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "Why the rest is empty, or 0.");
        Name = c.String("name", Name, ProtocolLimits.TopicNameBytes, "Topic name.");
        TopicId = c.Uuid("topicId", TopicId, "Id, never used again after a delete.");
        Kind = (TopicKind)c.UInt8("kind", (byte)Kind, "1 event, 2 entity.");
        Durability = (Durability)c.UInt8(
            "durability", (byte)Durability, "What acks=all stands for: 1 fsync, 2 replicated, 3 leader, 4 memory.");
        Partitioner = (Partitioner)c.UInt8("partitioner", (byte)Partitioner, "1: XXH3-64(key, seed) mod keyPartitions.");
        PartitionerSeed = c.Int64("partitionerSeed", PartitionerSeed, "Seed of the partitioner.");
        KeyPartitions = c.Int32("keyPartitions", KeyPartitions, "Keys are spread over the first so many partitions.");
        MaxBatchBytes = c.Int32("maxBatchBytes", MaxBatchBytes, "Largest batch, before and after compression.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerTopic, "Partitions by index.");
    }
}

/// <summary>Brokers and topics.</summary>
public sealed class MetadataResponse : IMessage
{
    public string ClusterId { get; set; } = string.Empty;

    public int ControllerId { get; set; }

    public BrokerInfo[] Brokers { get; set; } = [];

    public TopicInfo[] Topics { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String("clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster's id.");
        ControllerId = c.Int32("controllerId", ControllerId, "Node id of the controller; -1 if there is none.");
        Brokers = c.Array("brokers", Brokers, ProtocolLimits.Brokers, "Live brokers.");
        Topics = c.Array("topics", Topics, ProtocolLimits.TopicsPerReply, "The topics asked for.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Creates a topic.</summary>
public sealed class CreateTopicRequest : IRequest<CreateTopicResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.CreateTopic;

    public string Name { get; set; } = string.Empty;

    public TopicKind Kind { get; set; } = TopicKind.Event;

    public int Partitions { get; set; } = 1;

    public short ReplicationFactor { get; set; } = -1;

    public ConfigEntry[] Configs { get; set; } = [];

    public bool ValidateOnly { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.TopicNameBytes, "1 to 249 of [a-zA-Z0-9._-], not `.` or `..`.");
        Kind = (TopicKind)c.UInt8("kind", (byte)Kind, "1 event, 2 entity.");
        Partitions = c.Int32("partitions", Partitions, "Number of partitions, from 1.");
        ReplicationFactor = c.Int16("replicationFactor", ReplicationFactor, "Replicas per partition; -1 for the default.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Settings that differ from the defaults.");
        ValidateOnly = c.Boolean("validateOnly", ValidateOnly, "Check everything, create nothing.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>The topic that was created.</summary>
public sealed class CreateTopicResponse : IMessage
{
    public Guid TopicId { get; set; }

    public int Partitions { get; set; }

    public short ReplicationFactor { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Its id; zero when only validated.");
        Partitions = c.Int32("partitions", Partitions, "Its number of partitions.");
        ReplicationFactor = c.Int16("replicationFactor", ReplicationFactor, "Its replicas per partition.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Deletes a topic and its data.</summary>
public sealed class DeleteTopicRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.DeleteTopic;

    public string Name { get; set; } = string.Empty;

    public Guid? TopicId { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.TopicNameBytes, "Topic name.");
        c.BeginTags();
        TopicId = c.TaggedUuid(1, "topicId", TopicId, "Only the topic with this id: another one of that name stays, as UnknownTopic.");
        c.EndTags();
    }
}

/// <summary>Changes settings or adds partitions; all of it or nothing.</summary>
public sealed class AlterTopicRequest : IRequest<EmptyMessage>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.AlterTopic;

    public string Name { get; set; } = string.Empty;

    public int Partitions { get; set; }

    public ConfigEntry[] Configs { get; set; } = [];

    public bool ValidateOnly { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.TopicNameBytes, "Topic name.");
        Partitions = c.Int32("partitions", Partitions, "New number of partitions, never fewer; 0 leaves it.");
        Configs = c.Array(
            "configs", Configs, ProtocolLimits.ConfigEntries, "Settings to change; a null value goes back to the default.");
        ValidateOnly = c.Boolean("validateOnly", ValidateOnly, "Check everything, change nothing.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Asks for one topic in full.</summary>
public sealed class DescribeTopicRequest : IRequest<DescribeTopicResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.DescribeTopic;

    public string Name { get; set; } = string.Empty;

    public long? ReplicasOf { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.TopicNameBytes, "Topic name.");
        c.BeginTags();
        ReplicasOf = c.TaggedInt64(
            1, "replicasOf", ReplicasOf, "A node: offsets and sizes are those of its own replicas, not of the leaders.");
        c.EndTags();
    }
}

/// <summary>One partition's replicas, offsets and size.</summary>
public sealed class PartitionDescription : IMessage
{
    public PartitionInfo Info { get; set; } = new();

    public ErrorCode Error { get; set; }

    public long LogStartOffset { get; set; }

    public long HighWatermark { get; set; }

    public long LogEndOffset { get; set; }

    public long SizeBytes { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Info.Code(ref c);
        Error = (ErrorCode)c.UInt16("error", (ushort)Error, "LogStopped or CorruptLog if the partition is offline, or 0.");
        LogStartOffset = c.Int64("logStartOffset", LogStartOffset, "First offset that is kept.");
        HighWatermark = c.Int64("highWatermark", HighWatermark, "First offset that consumers cannot read yet.");
        LogEndOffset = c.Int64("logEndOffset", LogEndOffset, "Next offset to be given out.");
        SizeBytes = c.Int64("sizeBytes", SizeBytes, "Bytes of its batches on disk.");
    }
}

/// <summary>One topic in full.</summary>
public sealed class DescribeTopicResponse : IMessage
{
    public string Name { get; set; } = string.Empty;

    public Guid TopicId { get; set; }

    public TopicKind Kind { get; set; }

    public Durability Durability { get; set; }

    public long CreatedAtMs { get; set; }

    public ConfigEntry[] Configs { get; set; } = [];

    public PartitionDescription[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        Name = c.String("name", Name, ProtocolLimits.TopicNameBytes, "Topic name.");
        TopicId = c.Uuid("topicId", TopicId, "Its id.");
        Kind = (TopicKind)c.UInt8("kind", (byte)Kind, "1 event, 2 entity.");
        Durability = (Durability)c.UInt8("durability", (byte)Durability, "1 fsync, 2 replicated, 3 leader, 4 memory.");
        CreatedAtMs = c.Int64("createdAtMs", CreatedAtMs, "When it was created, Unix milliseconds.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Every setting with its present value.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerTopic, "Partitions by index.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Moves the log start offset of a partition forward; the records before it are gone for every reader.</summary>
public sealed class DeleteRecordsRequest : IRequest<DeleteRecordsResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.DeleteRecords;

    public Guid TopicId { get; set; }

    public int Partition { get; set; }

    public long BeforeOffset { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic.");
        Partition = c.Int32("partition", Partition, "Partition.");
        BeforeOffset = c.Int64("beforeOffset", BeforeOffset, "First offset to keep, at most the high watermark; -1 for that.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Where the log starts now.</summary>
public sealed class DeleteRecordsResponse : IMessage
{
    public long LogStartOffset { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        LogStartOffset = c.Int64("logStartOffset", LogStartOffset, "First offset that is kept.");
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>Asks what this broker is.</summary>
public sealed class DescribeBrokerRequest : IRequest<DescribeBrokerResponse>
{
    /// <inheritdoc/>
    public static ApiKey Key => ApiKey.DescribeBroker;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        c.BeginTags();
        c.EndTags();
    }
}

/// <summary>What this broker is and how it is set up.</summary>
public sealed class DescribeBrokerResponse : IMessage
{
    public string ClusterId { get; set; } = string.Empty;

    public int NodeId { get; set; }

    public string BrokerVersion { get; set; } = string.Empty;

    public long StartedAtMs { get; set; }

    public int Connections { get; set; }

    public int Topics { get; set; }

    public int Partitions { get; set; }

    public int OfflinePartitions { get; set; }

    public long LogBytes { get; set; }

    public long FreeBytes { get; set; }

    public ConfigEntry[] Configs { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String("clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "The cluster's id.");
        NodeId = c.Int32("nodeId", NodeId, "This broker's id.");
        BrokerVersion = c.String("brokerVersion", BrokerVersion, ProtocolLimits.ShortStringBytes, "Its version.");
        StartedAtMs = c.Int64("startedAtMs", StartedAtMs, "When it started, Unix milliseconds.");
        Connections = c.Int32("connections", Connections, "Open connections.");
        Topics = c.Int32("topics", Topics, "Topics.");
        Partitions = c.Int32("partitions", Partitions, "Partitions that it keeps.");
        OfflinePartitions = c.Int32("offlinePartitions", OfflinePartitions, "Those of them that are stopped.");
        LogBytes = c.Int64("logBytes", LogBytes, "Bytes of all batches on disk.");
        FreeBytes = c.Int64("freeBytes", FreeBytes, "Bytes that are free in the data directory's file system.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Its settings, secrets left out.");
        c.BeginTags();
        c.EndTags();
    }
}
