using System.IO.Hashing;

namespace Weir.Storage.Keys;

/// <summary>
/// The hash that keys are found by. It may be the same for different keys: whoever finds a record by it compares the key.
/// </summary>
internal readonly struct KeyHash(ulong mask)
{
    public ulong Of(ReadOnlySpan<byte> key) => XxHash3.HashToUInt64(key) & mask;
}
