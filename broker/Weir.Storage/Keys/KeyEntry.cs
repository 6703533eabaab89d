using System.Buffers.Binary;

namespace Weir.Storage.Keys;

/// <summary>Where the last record with a hash is.</summary>
/// <param name="Hash">Hash of its key.</param>
/// <param name="Offset">Its offset.</param>
/// <param name="Position">First byte of its batch in the segment's file.</param>
internal readonly record struct KeyEntry(ulong Hash, long Offset, int Position)
{
    public const int Size = 20;

    public static KeyEntry Read(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]));

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Hash);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], Offset);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[16..], Position);
    }
}
