using Weir.Storage.Files;

namespace Weir.Testing.Support.Disk;

/// <summary>The space that files take, and which files have unsynced changes.</summary>
internal sealed class FileSpace
{
    private readonly HashSet<FileNode> _unsynced = [];
    private long _usedBytes;

    public long Capacity { get; set; } = long.MaxValue;

    public long FreeBytes => Math.Max(0, Capacity - _usedBytes);

    public IEnumerable<UnsyncedChange> Unsynced => _unsynced.SelectMany(f => f.Unsynced);

    /// <summary>Counts a file that a crash image starts with.</summary>
    public void Adopt(FileNode file) => _usedBytes += file.Length;

    public void Write(FileNode file, long sequence, ReadOnlySpan<byte> bytes, long position, string path)
    {
        var limit = file.Length + Math.Min(FreeBytes, long.MaxValue - file.Length);
        var count = (int)Math.Clamp(limit - position, 0, bytes.Length);
        if (count > 0)
        {
            var oldLength = file.Length;
            file.Write(sequence, bytes[..count], position);
            _usedBytes += file.Length - oldLength;
            _unsynced.Add(file);
        }

        if (count < bytes.Length)
        {
            throw Full("pwrite", path);
        }
    }

    public void Allocate(FileNode file, long sequence, long length, string path)
    {
        if (length <= file.Length)
        {
            return;
        }

        if (length - file.Length > FreeBytes)
        {
            throw Full("fallocate", path);
        }

        SetLength(file, sequence, length);
    }

    public void SetLength(FileNode file, long sequence, long length)
    {
        _usedBytes += length - file.Length;
        file.SetLength(sequence, length);
        _unsynced.Add(file);
    }

    public void Sync(FileNode file, bool fails)
    {
        if (fails)
        {
            file.FailSync();
            return;
        }

        file.Sync();
        if (!file.Unsynced.Any())
        {
            _unsynced.Remove(file);
        }
    }

    public void SyncAll(bool fails)
    {
        foreach (var file in _unsynced.ToList())
        {
            Sync(file, fails);
        }
    }

    public void Unlink(FileNode file)
    {
        file.IsLinked = false;
        ReleaseIfDead(file);
    }

    public void Close(FileNode file)
    {
        file.OpenHandles--;
        ReleaseIfDead(file);
    }

    private void ReleaseIfDead(FileNode file)
    {
        if (!file.IsAlive)
        {
            _usedBytes -= file.Length;
        }
    }

    private static LogIoException Full(string operation, string path) =>
        new(operation, path, isDiskFull: true, "No space left on the simulated disk.");
}
