using Microsoft.Win32.SafeHandles;

namespace Weir.Storage.Files.Platform;

/// <summary>
/// The file operations whose system calls differ between operating systems. Each returns the operating system's error
/// number, 0 for success, so that the caller adds the path to the error.
/// </summary>
/// <remarks>
/// The runtime's own flush calls are not used: on Linux they report success whatever fsync answered.
/// </remarks>
internal interface IPlatformFiles
{
    /// <summary>Whether <see cref="SyncAll"/> works and reports the device's errors.</summary>
    bool CanSyncAll { get; }

    /// <summary>The name of the system call behind <see cref="Sync"/>, for error texts.</summary>
    string SyncName { get; }

    /// <summary>Makes a file's content and length durable.</summary>
    int Sync(SafeFileHandle file);

    /// <summary>Makes the names in a directory durable.</summary>
    int SyncDirectory(string fullPath);

    /// <summary>A handle on the root directory for <see cref="SyncAll"/>; null where that is not supported.</summary>
    int OpenRoot(string fullPath, out SafeFileHandle? root);

    /// <summary>Makes the whole file system that holds <paramref name="root"/> durable.</summary>
    int SyncAll(SafeFileHandle root);

    /// <summary>Reserves space for the first <paramref name="length"/> bytes and extends the file to that length.</summary>
    int Allocate(SafeFileHandle file, long length);

    /// <summary>Renames in place, replacing a file at <paramref name="to"/>; never copies.</summary>
    int Rename(string from, string to);

    /// <summary>
    /// Opens or creates a file and takes the exclusive lock on it that lives as long as the handle; null when another
    /// handle, of this or another process, holds it.
    /// </summary>
    SafeFileHandle? TryOpenLocked(string fullPath);

    /// <summary>Whether an error number means that space or quota ran out.</summary>
    bool IsDiskFull(int error);
}
