using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Weir.Storage.Files.Platform;

/// <summary>macOS: F_FULLFSYNC, because fsync there leaves the data in the drive's cache; F_PREALLOCATE.</summary>
internal sealed unsafe partial class MacPlatform : IPlatformFiles
{
    private const int DirectoryFlags = 0x100000 | 0x1000000;
    private const int FullFsync = 51;
    private const int Preallocate = 42;
    private const uint AllocateAll = 4;
    private const int FromPhysicalEnd = 3;
    private const int Einval = 22;
    private const int Enotty = 25;
    private const int Eagain = 35;
    private const int Enotsup = 45;
    private const int Edquot = 69;

    // The system has no call that syncs one file system and waits for it.
    public bool CanSyncAll => false;

    public string SyncName => "fcntl(F_FULLFSYNC)";

    public int Sync(SafeFileHandle file)
    {
        int error;
        do
        {
            error = Libc.ErrorOf(Fcntl(file, FullFsync));

            // Network file systems have no drive cache to flush; fsync is the strongest they offer.
            if (error is Enotsup or Enotty or Einval)
            {
                error = Libc.ErrorOf(Libc.Fsync(file));
            }
        }
        while (error == Libc.Eintr);
        return error;
    }

    public int SyncDirectory(string fullPath)
    {
        var error = Libc.OpenDirectory(fullPath, DirectoryFlags, out var directory);
        if (error != 0)
        {
            return error;
        }

        using (directory)
        {
            return Sync(directory);
        }
    }

    public int OpenRoot(string fullPath, out SafeFileHandle? root)
    {
        root = null;
        return 0;
    }

    public int SyncAll(SafeFileHandle root) => throw new NotSupportedException("macOS cannot sync one file system.");

    public int Allocate(SafeFileHandle file, long length)
    {
        var current = RandomAccess.GetLength(file);
        if (length <= current)
        {
            return 0;
        }

        var error = Reserve(file, length - current);
        if (error is not (0 or Enotsup or Einval))
        {
            return error;
        }

        RandomAccess.SetLength(file, length);
        return 0;
    }

    public int Rename(string from, string to) => Libc.Rename(from, to);

    public SafeFileHandle? TryOpenLocked(string fullPath) => Libc.TryOpenLocked(fullPath, Eagain);

    public bool IsDiskFull(int error) => error is Libc.Enospc or Edquot;

    private static int Reserve(SafeFileHandle file, long bytes)
    {
        int error;
        do
        {
            var request = new StoreRequest { Flags = AllocateAll, PositionMode = FromPhysicalEnd, Length = bytes };

            // fcntl is variadic: Apple's arm64 convention passes variadic arguments on the stack, which six unused
            // register arguments achieve; x64 passes the third argument in a register.
            error = Libc.ErrorOf(
                RuntimeInformation.ProcessArchitecture == Architecture.Arm64
                    ? FcntlOnStack(file, Preallocate, 0, 0, 0, 0, 0, 0, &request)
                    : Fcntl(file, Preallocate, &request));
        }
        while (error == Libc.Eintr);
        return error;
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(SafeFileHandle file, int command);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(SafeFileHandle file, int command, StoreRequest* request);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FcntlOnStack(
        SafeFileHandle file, int command, nint r2, nint r3, nint r4, nint r5, nint r6, nint r7, StoreRequest* request);

    /// <summary>The system's fstore_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct StoreRequest
    {
        public uint Flags;
        public int PositionMode;
        public long Offset;
        public long Length;
        public long BytesAllocated;
    }
}
