using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Weir.Storage.Files.Platform;

namespace Weir.Storage.Files;

/// <summary>
/// Keeps a second broker out of a data directory. Taken first at start-up, disposed last; the operating system releases
/// it when the process dies.
/// </summary>
public sealed class DataDirectoryLock : IDisposable
{
    /// <summary>The locked file.</summary>
    public const string LockFileName = ".lock";

    /// <summary>Names the holder in a file of its own, since a locked file cannot be read on every platform.</summary>
    public const string HolderFileName = ".lock-holder";

    private readonly SafeFileHandle _lock;

    private DataDirectoryLock(SafeFileHandle handle) => _lock = handle;

    /// <summary>Locks an existing data directory.</summary>
    /// <exception cref="DataDirectoryInUseException">It is locked already, by this process or another.</exception>
    /// <exception cref="LogIoException">The lock file cannot be opened.</exception>
    public static DataDirectoryLock Acquire(string directory)
    {
        var platform = PlatformFiles.Current;
        var root = Path.GetFullPath(directory);
        var holderPath = Path.Combine(root, HolderFileName);
        try
        {
            var handle = platform.TryOpenLocked(Path.Combine(root, LockFileName));
            if (handle is null)
            {
                throw new DataDirectoryInUseException(root, ReadHolder(holderPath));
            }

            TryWriteHolder(holderPath);
            return new DataDirectoryLock(handle);
        }
        catch (Exception e) when (LogIoFailure.IsDevice(e) && e is not DataDirectoryInUseException)
        {
            throw LogIoFailure.From(platform, "lock", root, e);
        }
    }

    /// <summary>Releases the directory. Both files stay: unlinking a locked file would let two holders exist.</summary>
    public void Dispose() => _lock.Dispose();

    // The lock is what counts: on a full disk the broker must still start, to delete what retention allows.
    private static void TryWriteHolder(string path)
    {
        try
        {
            File.WriteAllText(path, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (LogIoFailure.IsDevice(e))
        {
            // A broker that is refused then reads no process id, or that of a former holder.
        }
    }

    private static int? ReadHolder(string path)
    {
        try
        {
            var text = File.ReadAllText(path);
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null;
        }
        catch (Exception e) when (LogIoFailure.IsDevice(e))
        {
            return null;
        }
    }
}
