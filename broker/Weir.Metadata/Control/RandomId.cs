using System.Buffers.Binary;

namespace Weir.Metadata.Control;

/// <summary>Ids and seeds out of random bytes.</summary>
internal static class RandomId
{
    /// <summary>A random id (RFC 9562, version 4).</summary>
    public static Guid NewGuid(RandomBytes random)
    {
        Span<byte> id = stackalloc byte[16];
        random(id);
        id[6] = (byte)((id[6] & 0x0F) | 0x40);
        id[8] = (byte)((id[8] & 0x3F) | 0x80);
        return new Guid(id, bigEndian: true);
    }

    /// <summary>The seed of a partitioner.</summary>
    public static long NewSeed(RandomBytes random)
    {
        Span<byte> seed = stackalloc byte[sizeof(long)];
        random(seed);
        return BinaryPrimitives.ReadInt64LittleEndian(seed);
    }
}
