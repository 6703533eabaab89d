namespace Weir.Groups.Stream;

/// <summary>The records of stream groups: kinds 10 to 29.</summary>
internal static class StreamRecords
{
    /// <summary>Decodes a record; null if its kind is none of a stream group's.</summary>
    public static IGroupRecord? Decode(GroupRecordKind kind, ReadOnlyMemory<byte> body) => kind switch
    {
        _ => body.IsEmpty ? null : null,
    };
}
