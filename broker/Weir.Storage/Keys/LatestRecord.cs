using Weir.Protocol.Records;

namespace Weir.Storage.Keys;

/// <summary>The last record of a key. Its bytes are the caller's own.</summary>
/// <param name="Offset">Its offset.</param>
/// <param name="TimestampMs">Its timestamp, Unix milliseconds.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">The value; null for a tombstone.</param>
/// <param name="Headers">Its headers.</param>
public sealed record LatestRecord(
    long Offset, long TimestampMs, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte>? Value, IReadOnlyList<RecordHeader> Headers)
{
    /// <summary>Whether the key was deleted.</summary>
    public bool IsTombstone => Value is null;
}
