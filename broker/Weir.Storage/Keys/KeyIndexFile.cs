using System.Buffers.Binary;
using System.IO.Hashing;
using Weir.Storage.Files;
using Weir.Storage.Segments;

namespace Weir.Storage.Keys;

/// <summary>
/// The index of keys beside a closed segment: for each hash the last record, sorted by hash, in blocks of 4 KiB that each
/// carry a checksum. The first block says what it is an index of. A cache: whatever is not whole is built again.
/// </summary>
/// <remarks>Hashes are spread evenly, so that a search begins about where it ends. Any thread may look up.</remarks>
internal sealed class KeyIndexFile : IDisposable
{
    public const int EntriesPerBlock = (BlockBytes - sizeof(ulong)) / KeyEntry.Size;
    private const int BlockBytes = 4096;
    private const ulong Magic = 0x5359_454B_5249_4557; // "WEIRKEYS" in file order
    private readonly ILogFile _file;
    private readonly int _count;
    private readonly int _blocks;

    private KeyIndexFile(ILogFile file, int count)
    {
        _file = file;
        _count = count;
        _blocks = (count + EntriesPerBlock - 1) / EntriesPerBlock;
    }

    /// <summary>Writes entries, sorted by hash, beside their name and renames them. Not synced: it is a cache.</summary>
    public static void Save(ILogFiles files, string directory, Segment segment, IEnumerable<KeyEntry> entries)
    {
        var path = $"{directory}/{Segment.KeysName(segment.BaseOffset)}";
        var temporary = path + ".tmp";
        if (files.FileExists(temporary))
        {
            files.Delete(temporary);
        }

        using (var file = files.Open(temporary, OpenKind.Create))
        {
            var block = new byte[BlockBytes];
            var count = 0;
            foreach (var entry in entries)
            {
                entry.Write(block.AsSpan(sizeof(ulong) + count % EntriesPerBlock * KeyEntry.Size));
                if (++count % EntriesPerBlock == 0)
                {
                    WriteBlock(file, block, count / EntriesPerBlock);
                }
            }

            if (count % EntriesPerBlock > 0)
            {
                WriteBlock(file, block, count / EntriesPerBlock + 1);
            }

            WriteIdentity(block, segment, count);
            file.Write(block, 0);
        }

        files.Rename(temporary, path);
    }

    /// <summary>Opens the index of a segment; null if there is no whole one of just this segment.</summary>
    public static KeyIndexFile? TryOpen(ILogFiles files, string directory, Segment segment)
    {
        var path = $"{directory}/{Segment.KeysName(segment.BaseOffset)}";
        if (!files.FileExists(path))
        {
            return null;
        }

        var file = files.Open(path, OpenKind.Read);
        var expected = new byte[BlockBytes];
        var block = new byte[BlockBytes];
        if (file.Read(block, 0) == BlockBytes)
        {
            var count = BinaryPrimitives.ReadInt32LittleEndian(block.AsSpan(44));
            WriteIdentity(expected, segment, count);
            if (block.AsSpan().SequenceEqual(expected)
                && file.Length == (long)BlockBytes * (1 + ((count + (long)EntriesPerBlock - 1) / EntriesPerBlock)))
            {
                return new KeyIndexFile(file, count);
            }
        }

        file.Dispose();
        return null;
    }

    /// <summary>The entry of a hash; false if there is none.</summary>
    /// <exception cref="InvalidDataException">The index is damaged.</exception>
    public bool TryFind(ulong hash, out KeyEntry entry)
    {
        entry = default;
        Span<byte> block = stackalloc byte[BlockBytes];
        var (low, high) = (0, _blocks - 1);
        var at = _blocks == 0 ? 0 : (int)Math.BigMul(hash, (ulong)_blocks, out _);
        while (low <= high)
        {
            at = Math.Clamp(at, low, high);
            var entries = ReadBlock(at, block);
            if (hash < HashAt(entries, 0))
            {
                high = at - 1;
                at--;
            }
            else if (hash > HashAt(entries, entries.Length / KeyEntry.Size - 1))
            {
                low = at + 1;
                at++;
            }
            else
            {
                return TryFind(entries, hash, out entry);
            }
        }

        return false;
    }

    public void Dispose() => _file.Dispose();

    private static bool TryFind(ReadOnlySpan<byte> entries, ulong hash, out KeyEntry entry)
    {
        var (low, high) = (0, entries.Length / KeyEntry.Size);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (HashAt(entries, middle) < hash)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        entry = KeyEntry.Read(entries[(low * KeyEntry.Size)..]);
        return entry.Hash == hash;
    }

    private static ulong HashAt(ReadOnlySpan<byte> entries, int index) =>
        BinaryPrimitives.ReadUInt64LittleEndian(entries[(index * KeyEntry.Size)..]);

    private ReadOnlySpan<byte> ReadBlock(int index, Span<byte> block)
    {
        var read = _file.Read(block, (long)(index + 1) * BlockBytes);
        if (read != BlockBytes || BinaryPrimitives.ReadUInt64LittleEndian(block) != Checksum(block, index + 1))
        {
            throw new InvalidDataException($"block {index + 1} of '{_file.Path}' is damaged");
        }

        var entries = Math.Min(EntriesPerBlock, _count - index * EntriesPerBlock);
        return block.Slice(sizeof(ulong), entries * KeyEntry.Size);
    }

    private static void WriteBlock(ILogFile file, byte[] block, int number)
    {
        Seal(block, number);
        file.Write(block, (long)number * BlockBytes);
        Array.Clear(block);
    }

    private static void WriteIdentity(Span<byte> block, Segment segment, int count)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(block[8..], Magic);
        BinaryPrimitives.WriteInt64LittleEndian(block[16..], segment.BaseOffset);
        BinaryPrimitives.WriteInt64LittleEndian(block[24..], segment.NextOffset);
        BinaryPrimitives.WriteInt32LittleEndian(block[32..], segment.DataBytes);
        BinaryPrimitives.WriteInt32LittleEndian(block[36..], segment.Generation);
        BinaryPrimitives.WriteInt32LittleEndian(block[44..], count);
        Seal(block, 0);
    }

    private static void Seal(Span<byte> block, int number) =>
        BinaryPrimitives.WriteUInt64LittleEndian(block, Checksum(block, number));

    /// <summary>Over the number too, so that a block in another one's place is noticed.</summary>
    private static ulong Checksum(ReadOnlySpan<byte> block, int number) =>
        XxHash3.HashToUInt64(block[sizeof(ulong)..], number);
}
