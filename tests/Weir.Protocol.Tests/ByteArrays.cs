namespace Weir.Protocol.Tests;

internal static class ByteArrays
{
    public static IEqualityComparer<byte[]> Comparer { get; } = EqualityComparer<byte[]>.Create(
        static (left, right) => left.AsSpan().SequenceEqual(right), static bytes => bytes.Length);
}
