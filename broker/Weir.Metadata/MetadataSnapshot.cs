using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using Weir.Metadata.Records;
using Weir.Storage.Files;

namespace Weir.Metadata;

/// <summary>What the snapshots of a directory give.</summary>
/// <param name="Image">The newest whole one; the empty image if there is none.</param>
/// <param name="Epoch">Leader epoch of the last record in it; -1 if there is none.</param>
/// <param name="NewestOffset">Up to where the newest one went, whole or not; 0 if there is none. The log must reach it.</param>
internal sealed record LoadedSnapshot(MetadataImage Image, int Epoch, long NewestOffset);

/// <summary>
/// An image in a file, little-endian: XXH3-64 of the rest, magic, u32 format, i32 leader epoch, i64 next offset, then the records
/// that make the image, each with its u32 length. Written beside its name, synced, renamed and the directory synced.
/// </summary>
internal static class MetadataSnapshot
{
    private const string Prefix = "snapshot-";
    private const string TemporaryName = "snapshot.tmp";
    private const ulong Magic = 0x4154_454D_5249_4557; // "WEIRMETA" in file order
    private const uint Format = 1;
    private const int MagicPosition = 8;
    private const int FormatPosition = 16;
    private const int EpochPosition = 20;
    private const int OffsetPosition = 24;
    private const int HeaderBytes = 32;

    /// <summary>Writes a snapshot, durable on return, and deletes all others but the previous one.</summary>
    /// <param name="files">The data directory.</param>
    /// <param name="directory">Where snapshots are.</param>
    /// <param name="image">What to write; durable in the log.</param>
    /// <param name="epoch">Leader epoch of the last record in it.</param>
    /// <param name="previousOffset">Offset of the last whole snapshot, which can still stand in for this one.</param>
    public static void Save(ILogFiles files, string directory, MetadataImage image, int epoch, long previousOffset) =>
        Write(files, directory, Encode(image, epoch), image.NextOffset, previousOffset);

    /// <summary>Writes the bytes of a whole snapshot, durable on return, and deletes all others but the previous one.</summary>
    public static void Write(ILogFiles files, string directory, byte[] content, long nextOffset, long previousOffset)
    {
        var path = $"{directory}/{FileName(nextOffset)}";
        var temporary = $"{directory}/{TemporaryName}";
        if (files.FileExists(temporary))
        {
            files.Delete(temporary);
        }

        using (var file = files.Open(temporary, OpenKind.Create))
        {
            file.Write(content, 0);
            file.Sync();
        }

        files.Rename(temporary, path);
        files.SyncDirectory(directory);
        foreach (var (name, offset) in List(files, directory))
        {
            if (offset != nextOffset && offset != previousOffset)
            {
                files.Delete($"{directory}/{name}");
            }
        }
    }

    /// <summary>Loads the newest whole snapshot.</summary>
    /// <param name="files">The data directory.</param>
    /// <param name="directory">Where snapshots are.</param>
    /// <param name="onDamaged">Told of each one that is skipped.</param>
    /// <exception cref="MetadataException">A snapshot is whole and yet not to be understood.</exception>
    public static LoadedSnapshot Load(ILogFiles files, string directory, Action<string> onDamaged)
    {
        var snapshots = List(files, directory);
        foreach (var (name, offset) in snapshots)
        {
            if (Read(files, directory, offset) is { } content && Parse(content, offset) is { } snapshot)
            {
                return new LoadedSnapshot(snapshot.Image, snapshot.Epoch, snapshots[0].NextOffset);
            }

            onDamaged(name);
        }

        return new LoadedSnapshot(MetadataImage.Empty, -1, snapshots.Count == 0 ? 0 : snapshots[0].NextOffset);
    }

    /// <summary>The bytes of a snapshot; null if it is damaged or not there.</summary>
    public static byte[]? Read(ILogFiles files, string directory, long offset)
    {
        var path = $"{directory}/{FileName(offset)}";
        if (!files.FileExists(path))
        {
            return null;
        }

        using var file = files.Open(path, OpenKind.Read);
        var content = new byte[file.Length];
        return file.Read(content, 0) == content.Length && IsWhole(content, offset) ? content : null;
    }

    /// <summary>What the bytes of a snapshot say; null if they are damaged.</summary>
    /// <exception cref="MetadataException">They are whole and yet not to be understood.</exception>
    public static (MetadataImage Image, int Epoch)? Parse(byte[] content, long offset) =>
        IsWhole(content, offset)
            ? (MetadataImage.FromSnapshot(Decode(content), offset),
                BinaryPrimitives.ReadInt32LittleEndian(content.AsSpan(EpochPosition)))
            : null;

    internal static byte[] Encode(MetadataImage image, int epoch)
    {
        using var stream = new MemoryStream();
        Span<byte> header = stackalloc byte[HeaderBytes];
        header.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(header[MagicPosition..], Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(header[FormatPosition..], Format);
        BinaryPrimitives.WriteInt32LittleEndian(header[EpochPosition..], epoch);
        BinaryPrimitives.WriteInt64LittleEndian(header[OffsetPosition..], image.NextOffset);
        stream.Write(header);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var record in image.ToSnapshot())
        {
            var bytes = MetadataRecordCodec.Encode(record);
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            stream.Write(length);
            stream.Write(bytes);
        }

        var content = stream.ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(content, XxHash3.HashToUInt64(content.AsSpan(MagicPosition)));
        return content;
    }

    private static bool IsWhole(ReadOnlySpan<byte> content, long offset) =>
        content.Length >= HeaderBytes
            && BinaryPrimitives.ReadUInt64LittleEndian(content) == XxHash3.HashToUInt64(content[MagicPosition..])
            && BinaryPrimitives.ReadUInt64LittleEndian(content[MagicPosition..]) == Magic
            && BinaryPrimitives.ReadInt64LittleEndian(content[OffsetPosition..]) == offset;

    private static IEnumerable<IMetadataRecord> Decode(byte[] content)
    {
        var format = BinaryPrimitives.ReadUInt32LittleEndian(content.AsSpan(FormatPosition));
        if (format != Format)
        {
            throw new UnsupportedMetadataException($"metadata snapshot format {format}");
        }

        for (var position = HeaderBytes; position < content.Length;)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(content.AsSpan(position));
            position += sizeof(int);
            yield return MetadataRecordCodec.Decode(content.AsMemory(position, length));
            position += length;
        }
    }

    private static string FileName(long nextOffset) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{nextOffset:D20}");

    /// <summary>The snapshots there are, newest first.</summary>
    private static List<(string Name, long NextOffset)> List(ILogFiles files, string directory)
    {
        var found = new List<(string Name, long NextOffset)>();
        foreach (var name in files.ListFiles(directory))
        {
            if (name.StartsWith(Prefix, StringComparison.Ordinal)
                && long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var offset))
            {
                found.Add((name, offset));
            }
        }

        found.Sort(static (one, other) => other.NextOffset.CompareTo(one.NextOffset));
        return found;
    }
}
