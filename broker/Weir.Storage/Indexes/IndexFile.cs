using System.IO.Hashing;
using Weir.Storage.Files;
using Weir.Storage.Segments;

namespace Weir.Storage.Indexes;

/// <summary>
/// A small file beside a log: a body and its XXH3-64, written beside its target and renamed over it. Whatever a crash leaves
/// of it either passes its checksum or is built again, so it is synced only where the log it is built from may be deleted.
/// </summary>
internal static class CacheFile
{
    private const int MaxBytes = 256 * 1024 * 1024;

    public static void Save(ILogFiles files, string path, bool isDurable, Action<BinaryWriter> write)
    {
        using var body = new MemoryStream();
        using (var writer = new BinaryWriter(body, System.Text.Encoding.UTF8, leaveOpen: true))
        {
            write(writer);
        }

        var bytes = body.GetBuffer().AsSpan(0, (int)body.Length);
        var temporary = path + ".tmp";
        if (files.FileExists(temporary))
        {
            files.Delete(temporary);
        }

        using (var file = files.Open(temporary, OpenKind.Create))
        {
            file.Write(bytes, sizeof(ulong));
            file.Write(BitConverter.GetBytes(XxHash3.HashToUInt64(bytes)), 0);
            if (isDurable)
            {
                file.Sync();
            }
        }

        files.Rename(temporary, path);
        if (isDurable)
        {
            files.SyncDirectory(path[..path.LastIndexOf('/')]);
        }
    }

    /// <summary>Reads a cache; false if it is missing, cut off or does not match its checksum.</summary>
    public static bool TryLoad(ILogFiles files, string path, Func<BinaryReader, bool> read)
    {
        if (!files.FileExists(path))
        {
            return false;
        }

        if (ReadAll(files, path) is not { } bytes
            || BitConverter.ToUInt64(bytes) != XxHash3.HashToUInt64(bytes.AsSpan(sizeof(ulong))))
        {
            return false;
        }

        using var reader = new BinaryReader(new MemoryStream(bytes, sizeof(ulong), bytes.Length - sizeof(ulong)));
        try
        {
            return read(reader);
        }
        catch (EndOfStreamException)
        {
            // Whole, and of another version, which had fewer fields.
            return false;
        }
    }

    private static byte[]? ReadAll(ILogFiles files, string path)
    {
        try
        {
            using var file = files.Open(path, OpenKind.Read);
            if (file.Length is < sizeof(ulong) or > MaxBytes)
            {
                return null;
            }

            var bytes = new byte[file.Length];
            return file.Read(bytes, 0) == bytes.Length ? bytes : null;
        }
        catch (LogIoException)
        {
            // A cache that the device cannot read is one that is not there.
            return null;
        }
    }
}

/// <summary>A segment's index on disk, with what the batches before its end add up to.</summary>
internal static class IndexFile
{
    public static void Save(ILogFiles files, string directory, Segment segment)
    {
        var summary = segment.Summarize();
        CacheFile.Save(files, $"{directory}/{Segment.IndexName(segment.BaseOffset)}", isDurable: false, writer =>
        {
            writer.Write(summary.BaseOffset);
            writer.Write(summary.NextOffset);
            writer.Write(summary.DataBytes);
            writer.Write(summary.MaxTimestampMs);
            writer.Write(summary.FirstAppendTimeMs);
            writer.Write(summary.LastAppendTimeMs);
            writer.Write(summary.Generation);
            var entries = segment.Index.Entries;
            writer.Write(entries.Length);
            foreach (var entry in entries)
            {
                writer.Write(entry.Offset);
                writer.Write(entry.Position);
                writer.Write(entry.MaxTimestampBeforeMs);
            }
        });
    }

    /// <summary>Reads an index; false if it is not a whole one for this segment.</summary>
    public static bool TryLoad(
        ILogFiles files, string directory, long baseOffset, out SegmentSummary summary, out SparseIndex index)
    {
        var loaded = default(SegmentSummary);
        var entries = index = new SparseIndex();
        var isValid = CacheFile.TryLoad(files, $"{directory}/{Segment.IndexName(baseOffset)}", reader =>
        {
            loaded = new SegmentSummary(
                reader.ReadInt64(), reader.ReadInt64(), reader.ReadInt32(),
                reader.ReadInt64(), reader.ReadInt64(), reader.ReadInt64(), reader.ReadInt32());
            for (var left = reader.ReadInt32(); left > 0; left--)
            {
                entries.Add(new IndexEntry(reader.ReadInt64(), reader.ReadInt32(), reader.ReadInt64()));
            }

            return loaded.BaseOffset == baseOffset;
        });
        summary = loaded;
        return isValid;
    }
}
