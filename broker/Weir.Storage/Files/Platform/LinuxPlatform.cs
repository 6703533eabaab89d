using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Weir.Storage.Files.Platform;

/// <summary>Linux: fdatasync, fsync of directories, syncfs, fallocate.</summary>
internal sealed partial class LinuxPlatform : IPlatformFiles
{
    private const int CloseOnExec = 0x80000;
    private const int Eagain = 11;
    private const int Eopnotsupp = 95;
    private const int Edquot = 122;

    // Before 5.8 syncfs hid write-back errors; before 5.17 it also hid those of the file system's own commit.
    private static readonly Version FirstHonestSyncfs = new(5, 17);

    // O_DIRECTORY is one of the few flags whose value depends on the processor.
    private static readonly int DirectoryFlag =
        RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm or Architecture.Ppc64le
            ? 0x4000
            : 0x10000;

    public bool CanSyncAll { get; } = Environment.OSVersion.Version >= FirstHonestSyncfs;

    public string SyncName => "fdatasync";

    public int Sync(SafeFileHandle file)
    {
        int error;
        do
        {
            error = Libc.ErrorOf(Fdatasync(file));
        }
        while (error == Libc.Eintr);
        return error;
    }

    public int SyncDirectory(string fullPath)
    {
        var error = Libc.OpenDirectory(fullPath, DirectoryFlag | CloseOnExec, out var directory);
        if (error != 0)
        {
            return error;
        }

        using (directory)
        {
            do
            {
                error = Libc.ErrorOf(Libc.Fsync(directory));
            }
            while (error == Libc.Eintr);
            return error;
        }
    }

    public int OpenRoot(string fullPath, out SafeFileHandle? root)
    {
        var error = Libc.OpenDirectory(fullPath, DirectoryFlag | CloseOnExec, out var directory);
        root = error == 0 ? directory : null;
        return error;
    }

    public int SyncAll(SafeFileHandle root)
    {
        int error;
        do
        {
            error = Libc.ErrorOf(Syncfs(root));
        }
        while (error == Libc.Eintr);
        return error;
    }

    public int Allocate(SafeFileHandle file, long length)
    {
        int error;
        do
        {
            error = Libc.ErrorOf(Fallocate(file, 0, 0, length));
        }
        while (error == Libc.Eintr);
        if (error != Eopnotsupp)
        {
            return error;
        }

        if (RandomAccess.GetLength(file) < length)
        {
            RandomAccess.SetLength(file, length);
        }

        return 0;
    }

    public int Rename(string from, string to) => Libc.Rename(from, to);

    public SafeFileHandle? TryOpenLocked(string fullPath) => Libc.TryOpenLocked(fullPath, Eagain);

    public bool IsDiskFull(int error) => error is Libc.Enospc or Edquot;

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int Fdatasync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int Syncfs(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Fallocate(SafeFileHandle file, int mode, long offset, long length);
}
