using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Weir.Storage.Files.Platform;

/// <summary>The C library's calls that Linux and macOS share. All set the last P/Invoke error.</summary>
internal static partial class Libc
{
    /// <summary>The call was interrupted by a signal before it did anything.</summary>
    public const int Eintr = 4;

    /// <summary>No space left on device.</summary>
    public const int Enospc = 28;

    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Fsync(SafeFileHandle file);

    // Two arguments only: open is variadic, and its third argument would be passed differently on some machines.
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameNative(string from, string to);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Flock(SafeFileHandle file, int operation);

    /// <summary>The error number of a call that has just answered <paramref name="result"/>.</summary>
    public static int ErrorOf(int result) => result < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>Renames a file or directory.</summary>
    public static int Rename(string from, string to) => ErrorOf(RenameNative(from, to));

    /// <summary>Opens an existing directory for syncing.</summary>
    public static int OpenDirectory(string path, int flags, out SafeFileHandle directory)
    {
        while (true)
        {
            directory = Open(path, flags);
            if (!directory.IsInvalid)
            {
                return 0;
            }

            var error = Marshal.GetLastPInvokeError();
            directory.Dispose();
            if (error != Eintr)
            {
                return error;
            }
        }
    }

    /// <summary>Opens or creates a file and takes its exclusive advisory lock; null when another handle has it.</summary>
    /// <param name="path">The lock file.</param>
    /// <param name="wouldBlock">This operating system's EWOULDBLOCK.</param>
    public static SafeFileHandle? TryOpenLocked(string path, int wouldBlock)
    {
        SafeFileHandle file;
        try
        {
            file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult == wouldBlock)
        {
            return null;
        }

        // The runtime has taken this lock already, unless an environment variable switched its file locks off.
        var error = TakeLock(file);
        if (error == 0)
        {
            return file;
        }

        file.Dispose();
        return error == wouldBlock
            ? null
            : throw new IOException($"flock failed on '{path}': {Marshal.GetPInvokeErrorMessage(error)}", error);
    }

    private static int TakeLock(SafeFileHandle file)
    {
        int error;
        do
        {
            error = ErrorOf(Flock(file, LockExclusive | LockNonBlocking));
        }
        while (error == Eintr);
        return error;
    }
}
