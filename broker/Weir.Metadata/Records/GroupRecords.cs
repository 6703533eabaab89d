using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Metadata.Records;

/// <summary>A consumer group is declared.</summary>
public sealed class GroupCreated : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.GroupCreated;

    /// <summary>Its id, never used again.</summary>
    public Guid GroupId { get; set; }

    /// <summary>Its name, unique among living groups.</summary>
    public string Name { get; set; } = string.Empty;

    /// <summary>How its members share records.</summary>
    public GroupMode Mode { get; set; } = GroupMode.Stream;

    /// <summary>Topic names and patterns.</summary>
    public string[] Topics { get; set; } = [];

    /// <summary>Where it starts in what is there.</summary>
    public StartPosition Start { get; set; }

    /// <summary>The offset, or Unix milliseconds.</summary>
    public long StartValue { get; set; }

    /// <summary>Settings that differ from the defaults.</summary>
    public ConfigSetting[] Configs { get; set; } = [];

    /// <summary>Where records go that cannot be processed; null for nowhere.</summary>
    public string? DeadLetterTopic { get; set; }

    /// <summary>Who answers for it.</summary>
    public string? Owner { get; set; }

    /// <summary>When, Unix milliseconds.</summary>
    public long CreatedAtMs { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "Group id.");
        Name = c.String("name", Name, ProtocolLimits.GroupNameBytes, "Group name.");
        Mode = (GroupMode)c.UInt8("mode", (byte)Mode, "Mode.");
        Topics = c.StringArray("topics", Topics, ProtocolLimits.TopicsPerGroup, ProtocolLimits.TopicNameBytes, "Topics.");
        Start = (StartPosition)c.UInt8("start", (byte)Start, "Where it starts.");
        StartValue = c.Int64("startValue", StartValue, "The offset, or Unix milliseconds.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Settings.");
        DeadLetterTopic = c.NullableString("deadLetterTopic", DeadLetterTopic, ProtocolLimits.TopicNameBytes, "Dead-letter topic.");
        Owner = c.NullableString("owner", Owner, ProtocolLimits.ShortStringBytes, "Owner.");
        CreatedAtMs = c.Int64("createdAtMs", CreatedAtMs, "Unix milliseconds.");
    }
}

/// <summary>What a group's declaration says from here on, all of it that may change.</summary>
public sealed class GroupChanged : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.GroupChanged;

    /// <summary>The group.</summary>
    public Guid GroupId { get; set; }

    /// <summary>Topic names and patterns.</summary>
    public string[] Topics { get; set; } = [];

    /// <summary>Settings that differ from the defaults; the others are at theirs.</summary>
    public ConfigSetting[] Configs { get; set; } = [];

    /// <summary>Where records go that cannot be processed; null for nowhere.</summary>
    public string? DeadLetterTopic { get; set; }

    /// <summary>Who answers for it.</summary>
    public string? Owner { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct
    {
        GroupId = c.Uuid("groupId", GroupId, "Group id.");
        Topics = c.StringArray("topics", Topics, ProtocolLimits.TopicsPerGroup, ProtocolLimits.TopicNameBytes, "Topics.");
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Settings.");
        DeadLetterTopic = c.NullableString("deadLetterTopic", DeadLetterTopic, ProtocolLimits.TopicNameBytes, "Dead-letter topic.");
        Owner = c.NullableString("owner", Owner, ProtocolLimits.ShortStringBytes, "Owner.");
    }
}

/// <summary>The end of a group. What it has consumed is forgotten by its coordinator.</summary>
public sealed class GroupDeleted : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.GroupDeleted;

    /// <summary>The group.</summary>
    public Guid GroupId { get; set; }

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct =>
        GroupId = c.Uuid("groupId", GroupId, "Group id.");
}

/// <summary>Settings of the cluster that changed; a null value goes back to the default.</summary>
public sealed class ClusterConfigChanged : IMetadataRecord
{
    /// <inheritdoc/>
    public MetadataRecordKind Kind => MetadataRecordKind.ClusterConfigChanged;

    /// <summary>What changed.</summary>
    public ConfigSetting[] Configs { get; set; } = [];

    /// <inheritdoc/>
    public void Code<TCodec>(ref TCodec c)
        where TCodec : IWireCodec, allows ref struct =>
        Configs = c.Array("configs", Configs, ProtocolLimits.ConfigEntries, "Settings.");
}
