using Weir.Protocol.Wire;

namespace Weir.Metadata.Records;

/// <summary>Encodes metadata records as record values: kind, version, body.</summary>
public static class MetadataRecordCodec
{
    private const byte Version = 1;

    /// <summary>Encodes a record.</summary>
    public static byte[] Encode(IMetadataRecord record)
    {
        using var buffer = new WireBuffer();
        buffer.Append(2)[0] = (byte)record.Kind;
        buffer.Patch(1, 1)[0] = Version;
        var writer = new WireWriter(buffer, Version);
        record.Code(ref writer);
        return buffer.Span.ToArray();
    }

    /// <summary>Decodes a record.</summary>
    /// <exception cref="MetadataException">A newer version of Weir wrote it, or it is damaged.</exception>
    public static IMetadataRecord Decode(ReadOnlyMemory<byte> value)
    {
        if (value.Length < 2 || value.Span[1] != Version)
        {
            throw new MetadataException("a metadata record has a version that this release does not know: upgrade Weir");
        }

        var body = value[2..];
        return (MetadataRecordKind)value.Span[0] switch
        {
            MetadataRecordKind.ClusterCreated => WireReader.ReadAll<ClusterCreated>(body, Version),
            MetadataRecordKind.TopicCreated => WireReader.ReadAll<TopicCreated>(body, Version),
            MetadataRecordKind.TopicConfigChanged => WireReader.ReadAll<TopicConfigChanged>(body, Version),
            MetadataRecordKind.PartitionsAdded => WireReader.ReadAll<PartitionsAdded>(body, Version),
            MetadataRecordKind.TopicDeleted => WireReader.ReadAll<TopicDeleted>(body, Version),
            MetadataRecordKind.ProducerIdsReserved => WireReader.ReadAll<ProducerIdsReserved>(body, Version),
            var kind => throw new MetadataException($"metadata record kind {(byte)kind} is not known: upgrade Weir"),
        };
    }
}
