using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>What a test needs of the machine; without it the test is skipped, but never in CI.</summary>
public static partial class Machine
{
    private const uint Ext4Shutdown = 0x8004587D;
    private const int NoLogFlush = 2;

    public static void RequireTool(string tool) =>
        Require(
            Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(directory => File.Exists(Path.Combine(directory, tool))),
            $"needs {tool} on the PATH");

    public static void RequireRoot() => Require(Environment.UserName == "root", "needs root, to mount");

    public static string Run(string file, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEnd();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{file} {string.Join(' ', arguments)}: {error}");
        return output.Trim();
    }

    /// <summary>Stops an ext4 file system as a power cut does: what was not synced is gone (EXT4_IOC_SHUTDOWN).</summary>
    public static void CutPower(string mountPoint)
    {
        var descriptor = Open(mountPoint, 0);
        var mode = NoLogFlush;
        Assert.True(Ioctl(descriptor, Ext4Shutdown, ref mode) == 0, $"shutdown failed: errno {Marshal.GetLastPInvokeError()}");
        _ = Close(descriptor);
    }

    private static void Require(bool holds, string reason)
    {
        if (!holds)
        {
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", reason);
            Assert.Skip(reason);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(int descriptor, nuint request, ref int argument);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
