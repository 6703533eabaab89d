using System.Buffers;
using System.IO.Hashing;
using Weir.Protocol.Wire;

namespace Weir.Protocol;

/// <summary>The rule for topic names.</summary>
public static class TopicName
{
    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    /// <summary>Whether a name is 1 to 249 of [a-zA-Z0-9._-] and neither "." nor "..".</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= ProtocolLimits.TopicNameBytes
            && name is not ("." or "..")
            && !name.AsSpan().ContainsAnyExcept(Allowed);

    /// <summary>Whether a name is one of the brokers' own topics: clients may read those and nothing else.</summary>
    public static bool IsInternal(string name) => name.StartsWith("__", StringComparison.Ordinal);
}

/// <summary>The declared partitioner: every client of every language sends a key to the same partition.</summary>
public static class KeyPartitioner
{
    /// <summary>XXH3-64 of the key with the topic's seed, as unsigned, modulo the number of partitions.</summary>
    public static int Choose(ReadOnlySpan<byte> key, long seed, int partitions) =>
        (int)(XxHash3.HashToUInt64(key, seed) % (uint)partitions);
}
