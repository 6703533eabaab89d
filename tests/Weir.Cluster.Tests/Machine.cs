using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>What a test needs of the machine; without it the test is skipped, but never in CI.</summary>
public static partial class Machine
{
    private const uint Ext4Shutdown = 0x8004587D;
    private const int LogFlush = 1;
    private const int NoLogFlush = 2;
    private const int PageBytes = 4096;
    private const uint WaitBeforeWriteAndWaitAfter = 7;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public static void RequireTool(string tool) =>
        Require(
            Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(directory => File.Exists(Path.Combine(directory, tool))),
            $"needs {tool} on the PATH");

    public static void RequireRoot() => Require(Environment.UserName == "root", "needs root, to mount");

    public static string Run(string file, params string[] arguments)
    {
        Assert.True(TryRun(out var output, file, arguments), $"{file} {string.Join(' ', arguments)}: {output}");
        return output;
    }

    /// <summary>Runs a command; its output, or what it said of its failure.</summary>
    public static bool TryRun(out string output, string file, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var printed = process.StandardOutput.ReadToEndAsync();
        var said = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{file} {string.Join(' ', arguments)} does not end");
        }

        output = process.ExitCode == 0 ? printed.Result.Trim() : said.Result;
        return process.ExitCode == 0;
    }

    /// <summary>Stops an ext4 file system as a power cut does: what was not synced is gone (EXT4_IOC_SHUTDOWN).</summary>
    /// <param name="mountPoint">Where it is mounted.</param>
    /// <param name="keepsJournal">Whether changes of names and sizes that were not synced are kept.</param>
    public static void CutPower(string mountPoint, bool keepsJournal = false)
    {
        var descriptor = Open(mountPoint, 0);
        var mode = keepsJournal ? LogFlush : NoLogFlush;
        Assert.True(Ioctl(descriptor, Ext4Shutdown, ref mode) == 0, $"shutdown failed: errno {Marshal.GetLastPInvokeError()}");
        _ = Close(descriptor);
    }

    /// <summary>Has the kernel write pages of a file to the disk, as it may at any time, without syncing it.</summary>
    public static void WriteBack(string path, Func<long, bool> isWritten)
    {
        // Not as .NET opens files: that would meet the locks of others.
        var descriptor = Open(path, 0);
        for (long offset = 0; offset < new FileInfo(path).Length; offset += PageBytes)
        {
            if (isWritten(offset))
            {
                Assert.True(
                    SyncFileRange(descriptor, offset, PageBytes, WaitBeforeWriteAndWaitAfter) == 0,
                    $"sync_file_range failed on {path}: errno {Marshal.GetLastPInvokeError()}");
            }
        }

        _ = Close(descriptor);
    }

    public static void Require(bool holds, string reason)
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

    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    private static partial int SyncFileRange(int descriptor, long offset, long count, uint flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
