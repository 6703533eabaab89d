using Weir.Groups.Queue;
using Weir.Groups.Stream;
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Groups;

/// <summary>
/// Encodes records of the groups' log as record values: u8 kind, u8 version, group id, body. A record that this version does
/// not know in full is refused, as a state without it would be another one.
/// </summary>
public static class GroupRecordCodec
{
    /// <summary>The only version there is.</summary>
    public const byte Version = 1;

    private const int HeaderBytes = 18;

    /// <summary>Encodes a record.</summary>
    public static byte[] Encode(Guid groupId, IGroupRecord record)
    {
        using var buffer = new WireBuffer();
        var header = buffer.Append(HeaderBytes);
        header[0] = (byte)record.Kind;
        header[1] = Version;
        groupId.TryWriteBytes(header[2..], bigEndian: true, out _);
        var writer = new WireWriter(buffer, Version);
        record.Code(ref writer);
        writer.TrailingPayload.Span.CopyTo(buffer.Append(writer.TrailingPayload.Length));
        return buffer.Span.ToArray();
    }

    /// <summary>Decodes a record.</summary>
    /// <exception cref="ProtocolException">It is damaged, or a newer version of Weir wrote it.</exception>
    public static (Guid GroupId, IGroupRecord Record) Decode(ReadOnlyMemory<byte> value)
    {
        if (value.Length < HeaderBytes || value.Span[1] != Version)
        {
            throw new ProtocolException(ErrorCode.InvalidBatch, "a record of the groups' log is damaged, or of a newer version");
        }

        var kind = (GroupRecordKind)value.Span[0];
        var groupId = new Guid(value.Span.Slice(2, 16), bigEndian: true);
        return (groupId, Decode(kind, value[HeaderBytes..]));
    }

    private static IGroupRecord Decode(GroupRecordKind kind, ReadOnlyMemory<byte> body) => kind switch
    {
        GroupRecordKind.SnapshotStarted => WireReader.ReadAll<SnapshotStarted>(body, Version),
        GroupRecordKind.SnapshotEnded => WireReader.ReadAll<SnapshotEnded>(body, Version),
        GroupRecordKind.GroupForgotten => WireReader.ReadAll<GroupForgotten>(body, Version),
        GroupRecordKind.TopicSeen => WireReader.ReadAll<TopicSeen>(body, Version),
        _ => StreamRecords.Decode(kind, body) ?? QueueRecords.Decode(kind, body)
            ?? throw new ProtocolException(ErrorCode.InvalidBatch, $"record kind {(byte)kind} of the groups' log is not known"),
    };
}
