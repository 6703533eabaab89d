using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Weir.Storage.Files.Platform;

/// <summary>Windows: FlushFileBuffers, MoveFileEx.</summary>
internal sealed partial class WindowsPlatform : IPlatformFiles
{
    private const uint ReplaceExisting = 0x1;
    private const uint WriteThrough = 0x8;
    private const int SharingViolation = 32;
    private const int HandleDiskFull = 39;
    private const int DiskFull = 112;
    private const int DiskQuotaExceeded = 1295;

    // Flushing a volume needs administrator rights.
    public bool CanSyncAll => false;

    public string SyncName => "FlushFileBuffers";

    public int Sync(SafeFileHandle file) => ErrorOf(FlushFileBuffers(file));

    // A directory handle cannot be flushed without administrator rights. NTFS logs names in the same journal as a file's
    // other metadata, which FlushFileBuffers of the created file forces out, and Rename asks for write-through.
    public int SyncDirectory(string fullPath) => 0;

    public int OpenRoot(string fullPath, out SafeFileHandle? root)
    {
        root = null;
        return 0;
    }

    public int SyncAll(SafeFileHandle root) => throw new NotSupportedException("Windows cannot sync a volume.");

    public int Allocate(SafeFileHandle file, long length)
    {
        // NTFS reserves the clusters of a longer file at once and zeroes them as they are first read.
        if (RandomAccess.GetLength(file) < length)
        {
            RandomAccess.SetLength(file, length);
        }

        return 0;
    }

    public int Rename(string from, string to) => ErrorOf(MoveFileEx(from, to, ReplaceExisting | WriteThrough));

    public SafeFileHandle? TryOpenLocked(string fullPath)
    {
        try
        {
            return File.OpenHandle(fullPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when ((e.HResult & 0xFFFF) == SharingViolation)
        {
            return null;
        }
    }

    public bool IsDiskFull(int error) => error is DiskFull or HandleDiskFull or DiskQuotaExceeded;

    private static int ErrorOf(bool succeeded) => succeeded ? 0 : Marshal.GetLastPInvokeError();

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool FlushFileBuffers(SafeFileHandle file);

    [LibraryImport(
        "kernel32.dll", EntryPoint = "MoveFileExW", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool MoveFileEx(string from, string to, uint flags);
}
