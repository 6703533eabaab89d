using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Metadata.Records;

/// <summary>One change of what the cluster knows, as it stands in the metadata log.</summary>
public interface IMetadataRecord : IMessage
{
    /// <summary>The kind's frozen number.</summary>
    MetadataRecordKind Kind { get; }
}

/// <summary>Numbers of the record kinds, frozen.</summary>
public enum MetadataRecordKind : byte
{
    /// <summary><see cref="ClusterCreated"/>.</summary>
    ClusterCreated = 1,

    /// <summary><see cref="TopicCreated"/>.</summary>
    TopicCreated = 2,

    /// <summary><see cref="TopicConfigChanged"/>.</summary>
    TopicConfigChanged = 3,

    /// <summary><see cref="PartitionsAdded"/>.</summary>
    PartitionsAdded = 4,

    /// <summary><see cref="TopicDeleted"/>.</summary>
    TopicDeleted = 5,

    /// <summary><see cref="ProducerIdsReserved"/>.</summary>
    ProducerIdsReserved = 6,

    /// <summary><see cref="BrokerRegistered"/>.</summary>
    BrokerRegistered = 7,

    /// <summary><see cref="BrokerStateChanged"/>.</summary>
    BrokerStateChanged = 8,

    /// <summary><see cref="BrokerRemoved"/>.</summary>
    BrokerRemoved = 9,

    /// <summary><see cref="PartitionsChanged"/>.</summary>
    PartitionsChanged = 10,

    /// <summary><see cref="VotersChanged"/>.</summary>
    VotersChanged = 11,

    /// <summary><see cref="EpochStarted"/>.</summary>
    EpochStarted = 12,

    /// <summary><see cref="GroupCreated"/>.</summary>
    GroupCreated = 13,

    /// <summary><see cref="GroupChanged"/>.</summary>
    GroupChanged = 14,

    /// <summary><see cref="GroupDeleted"/>.</summary>
    GroupDeleted = 15,

    /// <summary><see cref="ClusterConfigChanged"/>.</summary>
    ClusterConfigChanged = 16,
}

/// <summary>The first record of every metadata log.</summary>
public sealed class ClusterCreated : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.ClusterCreated;

    /// <summary>The cluster's id, random.</summary>
    public string ClusterId { get; set; } = string.Empty;

    /// <summary>When, Unix milliseconds.</summary>
    public long CreatedAtMs { get; set; }

    /// <summary>Which features the records after it may use.</summary>
    public short FeatureLevel { get; set; } = MetadataRecordCodec.FeatureLevel;

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        ClusterId = c.String("clusterId", ClusterId, ProtocolLimits.ShortStringBytes, "Random id.");
        CreatedAtMs = c.Int64("createdAtMs", CreatedAtMs, "Unix milliseconds.");
        FeatureLevel = c.Int16("featureLevel", FeatureLevel, "Features in use.");
    }
}

/// <summary>A topic and its first partitions.</summary>
public sealed class TopicCreated : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.TopicCreated;

    /// <summary>Its id, never used again.</summary>
    public Guid TopicId { get; set; }

    /// <summary>Its name, unique among living topics.</summary>
    public string Name { get; set; } = string.Empty;

    /// <summary>What it is for.</summary>
    public TopicKind TopicKind { get; set; } = TopicKind.Event;

    /// <summary>When, Unix milliseconds.</summary>
    public long CreatedAtMs { get; set; }

    /// <summary>Seed of its partitioner.</summary>
    public long PartitionerSeed { get; set; }

    /// <summary>Settings that differ from the defaults.</summary>
    public ConfigSetting[] Configs { get; set; } = [];

    /// <summary>Its partitions, by index from 0.</summary>
    public PartitionAssignment[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic id.");
        Name = c.String("name", Name, ProtocolLimits.TopicNameBytes, "Topic name.");
        TopicKind = (TopicKind)c.UInt8("kind", (byte)TopicKind, "Topic kind.");
        CreatedAtMs = c.Int64("createdAtMs", CreatedAtMs, "Unix milliseconds.");
        PartitionerSeed = c.Int64("partitionerSeed", PartitionerSeed, "Seed.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Settings.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerTopic, "Partitions.");
    }
}

/// <summary>Settings of a topic that changed; a null value goes back to the default.</summary>
public sealed class TopicConfigChanged : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.TopicConfigChanged;

    /// <summary>The topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>What changed.</summary>
    public ConfigSetting[] Configs { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic id.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Settings.");
    }
}

/// <summary>Partitions that a topic got after its creation.</summary>
public sealed class PartitionsAdded : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.PartitionsAdded;

    /// <summary>The topic.</summary>
    public Guid TopicId { get; set; }

    /// <summary>The new partitions, following the last one there is.</summary>
    public PartitionAssignment[] Partitions { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        TopicId = c.Uuid("topicId", TopicId, "Topic id.");
        Partitions = c.Array("partitions", Partitions, ProtocolLimits.PartitionsPerTopic, "Partitions.");
    }
}

/// <summary>The end of a topic. Its id stays known, so that its data may go and nothing else does.</summary>
public sealed class TopicDeleted : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.TopicDeleted;

    /// <summary>The topic.</summary>
    public Guid TopicId { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct =>
        TopicId = c.Uuid("topicId", TopicId, "Topic id.");
}

/// <summary>Producer ids below a number are given out, or may be.</summary>
public sealed class ProducerIdsReserved : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.ProducerIdsReserved;

    /// <summary>First id that is not reserved.</summary>
    public long NextProducerId { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct =>
        NextProducerId = c.Int64("nextProducerId", NextProducerId, "First free id.");
}
