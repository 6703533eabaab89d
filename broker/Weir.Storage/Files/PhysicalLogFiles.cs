using Microsoft.Win32.SafeHandles;
using Weir.Storage.Files.Platform;

namespace Weir.Storage.Files;

/// <summary>
/// The machine's file system below one data directory. Created by the broker's start-up after it took the
/// <see cref="DataDirectoryLock"/>; disposed after every file it opened.
/// </summary>
public sealed class PhysicalLogFiles : ILogFiles, IDisposable
{
    private readonly string _root;
    private readonly IPlatformFiles _platform;
    private readonly DriveInfo _drive;

    // Opened before the first write and never again: a handle reports the write-back errors since it was opened.
    private readonly SafeFileHandle? _syncRoot;

    /// <summary>Opens an existing data directory.</summary>
    /// <param name="root">Its path. Directories below it must be on the same file system.</param>
    /// <exception cref="LogIoException">The directory does not exist or may not be opened.</exception>
    public PhysicalLogFiles(string root)
        : this(root, PlatformFiles.Current)
    {
    }

    internal PhysicalLogFiles(string root, IPlatformFiles platform)
    {
        _root = Path.GetFullPath(root);
        _platform = platform;
        if (!Directory.Exists(_root))
        {
            throw new LogIoException("open", _root, isDiskFull: false, "The data directory does not exist.");
        }

        _drive = new DriveInfo(_root);
        Check("open", _root, platform.OpenRoot(_root, out _syncRoot));
    }

    /// <inheritdoc/>
    public bool CanSyncAll => _platform.CanSyncAll;

    /// <inheritdoc/>
    public long FreeBytes => Run("statvfs", "", () => _drive.AvailableFreeSpace);

    /// <inheritdoc/>
    public ILogFile Open(string path, OpenKind kind)
    {
        var fullPath = FullPath(path);
        var mode = kind == OpenKind.Create ? FileMode.CreateNew : FileMode.Open;
        var access = kind == OpenKind.Read ? FileAccess.Read : FileAccess.ReadWrite;
        var handle = Run(
            "open", path,
            // Asynchronous: the kernel's file-to-socket send is to be had for such handles only. Reads and writes stay as they are.
            () => File.OpenHandle(fullPath, mode, access, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous));
        return new PhysicalLogFile(_platform, handle, path, isWritable: kind != OpenKind.Read);
    }

    /// <inheritdoc/>
    public bool FileExists(string path) => File.Exists(FullPath(path));

    /// <inheritdoc/>
    public IReadOnlyList<string> ListFiles(string directory) => List(directory, Directory.EnumerateFiles);

    /// <inheritdoc/>
    public IReadOnlyList<string> ListDirectories(string directory) => List(directory, Directory.EnumerateDirectories);

    /// <inheritdoc/>
    public void CreateDirectory(string directory)
    {
        var fullPath = FullDirectory(directory);
        Run("mkdir", directory, () => Directory.CreateDirectory(fullPath));
    }

    /// <inheritdoc/>
    public void DeleteDirectory(string directory)
    {
        var fullPath = FullPath(directory);
        Run("rmdir", directory, () => Directory.Delete(fullPath));
    }

    /// <inheritdoc/>
    public void Delete(string path)
    {
        var fullPath = FullPath(path);
        if (!File.Exists(fullPath))
        {
            throw new LogIoException("unlink", path, isDiskFull: false, "No such file.");
        }

        Run("unlink", path, () => File.Delete(fullPath));
    }

    /// <inheritdoc/>
    public void Rename(string from, string to) =>
        // Not File.Move: across file systems that copies and deletes, which is neither atomic nor synced.
        Check("rename", from, _platform.Rename(FullPath(from), FullPath(to)));

    /// <inheritdoc/>
    public void SyncDirectory(string directory) =>
        CheckSync("fsync", directory, _platform.SyncDirectory(FullDirectory(directory)));

    /// <inheritdoc/>
    public void SyncAll()
    {
        if (_syncRoot is null || !CanSyncAll)
        {
            throw new NotSupportedException("This platform cannot sync a whole file system; see CanSyncAll.");
        }

        CheckSync("syncfs", "", _platform.SyncAll(_syncRoot));
    }

    /// <summary>Closes the handle on the data directory; files that are open stay open.</summary>
    public void Dispose() => _syncRoot?.Dispose();

    private string[] List(string directory, Func<string, IEnumerable<string>> enumerate)
    {
        var fullPath = FullDirectory(directory);
        if (!Directory.Exists(fullPath))
        {
            return [];
        }

        var names = Run("readdir", directory, () => enumerate(fullPath).Select(p => Path.GetFileName(p)).ToArray());
        Array.Sort(names, StringComparer.Ordinal);
        return names;
    }

    private string FullPath(string path)
    {
        LogPath.RequireBelowRoot(path);
        return Path.Combine(_root, path);
    }

    private string FullDirectory(string directory)
    {
        LogPath.RequireDirectory(directory);
        return Path.Combine(_root, directory);
    }

    private void Run(string operation, string path, Action call) =>
        Run(operation, path, () =>
        {
            call();
            return true;
        });

    private T Run<T>(string operation, string path, Func<T> call)
    {
        try
        {
            return call();
        }
        catch (Exception e) when (LogIoFailure.IsDevice(e))
        {
            throw LogIoFailure.From(_platform, operation, path, e);
        }
    }

    private void Check(string operation, string path, int error)
    {
        if (error != 0)
        {
            throw LogIoFailure.From(_platform, operation, path, error);
        }
    }

    private static void CheckSync(string operation, string path, int error)
    {
        if (error != 0)
        {
            throw LogIoFailure.FromSync(operation, path, error);
        }
    }
}
