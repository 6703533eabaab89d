using System.Buffers.Binary;
using System.IO.Hashing;

namespace Weir.Storage.Segments;

/// <summary>
/// The last 64 bytes of a closed segment's file. A segment with one was synced whole, so that a batch in it that fails its
/// checksum is damage and never a torn write.
/// </summary>
/// <param name="BaseOffset">First offset of the segment, as in its name.</param>
/// <param name="NextOffset">First offset after it.</param>
/// <param name="DataBytes">Bytes of batches before the footer.</param>
/// <param name="MaxTimestampMs">Largest record timestamp.</param>
/// <param name="LastAppendTimeMs">Append time of the last batch.</param>
/// <param name="Generation">How often compaction has replaced what had this name; 0 for batches as they were appended.</param>
internal readonly record struct SegmentFooter(
    long BaseOffset, long NextOffset, int DataBytes, long MaxTimestampMs, long LastAppendTimeMs, int Generation = 0)
{
    public const int Size = 64;

    private const ulong Magic = 0x5854_4F4F_4652_4957; // "WIRFOOTX" in file order
    private const int ChecksumPosition = Size - sizeof(ulong);

    public void Write(Span<byte> destination)
    {
        destination[..Size].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(destination, Magic);
        BinaryPrimitives.WriteInt64LittleEndian(destination[8..], BaseOffset);
        BinaryPrimitives.WriteInt64LittleEndian(destination[16..], NextOffset);
        BinaryPrimitives.WriteInt32LittleEndian(destination[24..], DataBytes);
        BinaryPrimitives.WriteInt64LittleEndian(destination[32..], MaxTimestampMs);
        BinaryPrimitives.WriteInt64LittleEndian(destination[40..], LastAppendTimeMs);
        BinaryPrimitives.WriteInt32LittleEndian(destination[48..], Generation);
        BinaryPrimitives.WriteUInt64LittleEndian(
            destination[ChecksumPosition..], XxHash3.HashToUInt64(destination[..ChecksumPosition]));
    }

    /// <summary>Reads a footer; false if the bytes are not a whole one for this segment and file length.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, long baseOffset, long fileLength, out SegmentFooter footer)
    {
        footer = default;
        if (source.Length < Size
            || BinaryPrimitives.ReadUInt64LittleEndian(source) != Magic
            || BinaryPrimitives.ReadUInt64LittleEndian(source[ChecksumPosition..])
                != XxHash3.HashToUInt64(source[..ChecksumPosition]))
        {
            return false;
        }

        footer = new SegmentFooter(
            BinaryPrimitives.ReadInt64LittleEndian(source[8..]),
            BinaryPrimitives.ReadInt64LittleEndian(source[16..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(source[32..]),
            BinaryPrimitives.ReadInt64LittleEndian(source[40..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[48..]));
        return footer.BaseOffset == baseOffset && footer.DataBytes == fileLength - Size;
    }
}
