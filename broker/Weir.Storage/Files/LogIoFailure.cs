using System.Runtime.InteropServices;
using Weir.Storage.Files.Platform;

namespace Weir.Storage.Files;

/// <summary>Turns what the operating system or the runtime reports into <see cref="LogIoException"/>.</summary>
internal static class LogIoFailure
{
    public static LogIoException From(IPlatformFiles platform, string operation, string path, int error) =>
        new(operation, path, platform.IsDiskFull(error), Marshal.GetPInvokeErrorMessage(error));

    /// <summary>
    /// Of a sync. Never "disk full", even with ENOSPC: that may be tried again once space returns, and a failed sync may not.
    /// </summary>
    public static LogIoException FromSync(string operation, string path, int error) =>
        new(operation, path, isDiskFull: false, Marshal.GetPInvokeErrorMessage(error));

    public static LogIoException From(IPlatformFiles platform, string operation, string path, Exception cause)
    {
        // The runtime's IOException carries errno itself on Unix, and the Win32 code in the low half on Windows.
        var isDiskFull = cause is IOException && platform.IsDiskFull(cause.HResult & 0xFFFF);
        return new LogIoException(operation, path, isDiskFull, cause.Message);
    }

    /// <summary>Whether an exception of the runtime's file calls is a failure of the device or the file system.</summary>
    public static bool IsDevice(Exception e) => e is (IOException and not LogIoException) or UnauthorizedAccessException;
}
