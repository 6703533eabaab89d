using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Metadata.Records;

/// <summary>
/// Encodes metadata records as record values: u8 kind, u8 version, body. There are no optional fields to skip: a record that
/// this version does not know in full is refused, as an image without its change would be another cluster.
/// </summary>
public static class MetadataRecordCodec
{
    /// <summary>The highest feature level that this version can work at.</summary>
    public const short FeatureLevel = 1;

    private const byte Version = 1;
    private const int HeaderBytes = 2;

    /// <summary>Encodes a record.</summary>
    public static byte[] Encode(IMetadataRecord record)
    {
        using var buffer = new WireBuffer();
        buffer.Append(HeaderBytes)[0] = (byte)record.Kind;
        buffer.Patch(1, 1)[0] = Version;
        var writer = new WireWriter(buffer, Version);
        record.Code(ref writer);
        return buffer.Span.ToArray();
    }

    /// <summary>Decodes a record.</summary>
    /// <exception cref="UnsupportedMetadataException">A newer version of Weir wrote it.</exception>
    /// <exception cref="MetadataException">It is damaged.</exception>
    public static IMetadataRecord Decode(ReadOnlyMemory<byte> value)
    {
        if (value.Length < HeaderBytes)
        {
            throw new MetadataException($"a metadata record has {value.Length} bytes, without kind and version");
        }

        var kind = (MetadataRecordKind)value.Span[0];
        var version = value.Span[1];
        if (version != Version)
        {
            throw new UnsupportedMetadataException($"version {version} of metadata record kind {(byte)kind}");
        }

        try
        {
            return Decode(kind, value[HeaderBytes..]);
        }
        catch (ProtocolException e)
        {
            throw new MetadataException($"a metadata record of kind {kind} is damaged: {e.Message}", e);
        }
    }

    private static IMetadataRecord Decode(MetadataRecordKind kind, ReadOnlyMemory<byte> body) => kind switch
    {
        MetadataRecordKind.ClusterCreated => WireReader.ReadAll<ClusterCreated>(body, Version),
        MetadataRecordKind.TopicCreated => WireReader.ReadAll<TopicCreated>(body, Version),
        MetadataRecordKind.TopicConfigChanged => WireReader.ReadAll<TopicConfigChanged>(body, Version),
        MetadataRecordKind.PartitionsAdded => WireReader.ReadAll<PartitionsAdded>(body, Version),
        MetadataRecordKind.TopicDeleted => WireReader.ReadAll<TopicDeleted>(body, Version),
        MetadataRecordKind.ProducerIdsReserved => WireReader.ReadAll<ProducerIdsReserved>(body, Version),
        MetadataRecordKind.BrokerRegistered => WireReader.ReadAll<BrokerRegistered>(body, Version),
        MetadataRecordKind.BrokerStateChanged => WireReader.ReadAll<BrokerStateChanged>(body, Version),
        MetadataRecordKind.BrokerRemoved => WireReader.ReadAll<BrokerRemoved>(body, Version),
        MetadataRecordKind.PartitionsChanged => WireReader.ReadAll<PartitionsChanged>(body, Version),
        MetadataRecordKind.VotersChanged => WireReader.ReadAll<VotersChanged>(body, Version),
        MetadataRecordKind.EpochStarted => WireReader.ReadAll<EpochStarted>(body, Version),
        MetadataRecordKind.GroupCreated => WireReader.ReadAll<GroupCreated>(body, Version),
        MetadataRecordKind.GroupChanged => WireReader.ReadAll<GroupChanged>(body, Version),
        MetadataRecordKind.GroupDeleted => WireReader.ReadAll<GroupDeleted>(body, Version),
        MetadataRecordKind.ClusterConfigChanged => WireReader.ReadAll<ClusterConfigChanged>(body, Version),
        _ => throw new UnsupportedMetadataException($"metadata record kind {(byte)kind}"),
    };
}
