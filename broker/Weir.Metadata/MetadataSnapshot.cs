using System.Buffers.Binary;
using System.IO.Hashing;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Storage.Files;

namespace Weir.Metadata;

/// <summary>
/// An image in a file: XXH3-64 of the rest, next offset of the log, then the records that make it, each with its length.
/// Written beside its name, synced, renamed and the directory synced; the last two are kept.
/// </summary>
internal static class MetadataSnapshot
{
    private const string Prefix = "snapshot-";
    private const int HeaderBytes = 2 * sizeof(long);

    public static void Save(ILogFiles files, string directory, MetadataImage image, long nextOffset)
    {
        using var stream = new MemoryStream();
        stream.Write(new byte[HeaderBytes]);
        foreach (var record in image.ToRecords())
        {
            var bytes = MetadataRecordCodec.Encode(record);
            stream.Write(BitConverter.GetBytes(bytes.Length));
            stream.Write(bytes);
        }

        var content = stream.GetBuffer().AsSpan(0, (int)stream.Length);
        BinaryPrimitives.WriteInt64LittleEndian(content[sizeof(long)..], nextOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(content, XxHash3.HashToUInt64(content[sizeof(long)..]));
        var path = $"{directory}/{Prefix}{nextOffset:D20}";
        var temporary = path + ".tmp";
        foreach (var stale in (string[])[temporary, path])
        {
            if (files.FileExists(stale))
            {
                files.Delete(stale);
            }
        }

        using (var file = files.Open(temporary, OpenKind.Create))
        {
            file.Write(content, 0);
            file.Sync();
        }

        files.Rename(temporary, path);
        files.SyncDirectory(directory);
        foreach (var old in List(files, directory).SkipLast(2))
        {
            files.Delete($"{directory}/{old}");
        }
    }

    /// <summary>The newest whole snapshot; an empty image and offset 0 if there is none.</summary>
    /// <param name="files">The data directory.</param>
    /// <param name="directory">Where snapshots are.</param>
    /// <param name="onDamaged">Told of each one that is skipped.</param>
    public static (MetadataImage Image, long NextOffset) Load(
        ILogFiles files, string directory, Action<string> onDamaged)
    {
        foreach (var name in List(files, directory).Reverse())
        {
            using var file = files.Open($"{directory}/{name}", OpenKind.Read);
            var content = new byte[file.Length];
            if (file.Read(content, 0) == content.Length && TryDecode(content, out var image, out var nextOffset))
            {
                return (image, nextOffset);
            }

            onDamaged(name);
        }

        return (MetadataImage.Empty, 0);
    }

    private static bool TryDecode(byte[] content, out MetadataImage image, out long nextOffset)
    {
        image = MetadataImage.Empty;
        nextOffset = 0;
        if (content.Length < HeaderBytes
            || BinaryPrimitives.ReadUInt64LittleEndian(content) != XxHash3.HashToUInt64(content.AsSpan(sizeof(long))))
        {
            return false;
        }

        nextOffset = BinaryPrimitives.ReadInt64LittleEndian(content.AsSpan(sizeof(long)));
        try
        {
            for (var position = HeaderBytes; position < content.Length;)
            {
                var length = BinaryPrimitives.ReadInt32LittleEndian(content.AsSpan(position));
                image = image.Apply(MetadataRecordCodec.Decode(content.AsMemory(position + sizeof(int), length)));
                position += sizeof(int) + length;
            }

            return true;
        }
        catch (ProtocolException)
        {
            return false;
        }
    }

    private static IEnumerable<string> List(ILogFiles files, string directory) =>
        files.ListFiles(directory).Where(static name =>
            name.StartsWith(Prefix, StringComparison.Ordinal) && !name.EndsWith(".tmp", StringComparison.Ordinal));
}
