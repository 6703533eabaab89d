using System.Globalization;
using Xunit;

namespace Weir.Cluster.Tests.Harness;

/// <summary>
/// A number on this machine that nobody else holds, and a directory of that number. Addresses, network names, mounts and
/// processes of a test carry it, so that runs side by side do not meet, and so that what a killed run left behind is found
/// by its number and removed, by the next one to take a lease. Dispose removes everything that carries the number.
/// </summary>
public sealed class Lease : IDisposable
{
    private const int Numbers = 250;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly string Root = Path.Combine(Path.GetTempPath(), "weir-tests");
    private readonly FileStream _lock;

    private Lease(int number, FileStream held)
    {
        Number = number;
        _lock = held;
        Directory = DirectoryOf(number);
        System.IO.Directory.CreateDirectory(Directory);
    }

    /// <summary>From 1.</summary>
    public int Number { get; }

    /// <summary>Everything that the holder writes is below it.</summary>
    public string Directory { get; }

    /// <summary>What network namespaces and devices of this lease are called, with a name after it.</summary>
    public string NetworkPrefix => PrefixOf(Number);

    /// <summary>Takes the lowest free number, and removes what is left over of every other free one.</summary>
    public static Lease Take()
    {
        System.IO.Directory.CreateDirectory(Root);
        Lease? taken = null;
        for (var number = 1; number <= Numbers && (taken is null || IsUsed(number)); number++)
        {
            if (TryLock(number) is not { } held)
            {
                continue;
            }

            Remove(number);
            if (taken is null)
            {
                taken = new Lease(number, held);
            }
            else
            {
                held.Dispose();
            }
        }

        return taken ?? throw new InvalidOperationException($"all {Numbers} leases in {Root} are taken");
    }

    public void Dispose()
    {
        Remove(Number);
        _lock.Dispose();
    }

    /// <summary>Gives the number back with all that carries it, as the death of the holder does.</summary>
    internal void Abandon() => _lock.Dispose();

    /// <summary>The kernel gives the lock back when its holder dies, however it dies.</summary>
    private static FileStream? TryLock(int number)
    {
        try
        {
            return new FileStream(LockOf(number), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static void Remove(int number)
    {
        var directory = DirectoryOf(number);
        KillProcesses(directory + "/");
        NetworkNamespaces.Remove(PrefixOf(number));
        LoopFileSystem.UnmountAll(directory + "/");
        if (System.IO.Directory.Exists(directory))
        {
            System.IO.Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Kills the processes with this directory on their command line.</summary>
    private static void KillProcesses(string directory)
    {
        foreach (var process in System.IO.Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(process), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                && id != Environment.ProcessId && CommandLineOf(process).Contains(directory, StringComparison.Ordinal))
            {
                ProcessSignals.Send(id, ProcessSignals.Kill);
                Assert.True(
                    SpinWait.SpinUntil(() => !ProcessSignals.Tasks(id).Any(static state => state is not ('Z' or 'X')), Patience),
                    $"process {id} does not die");
            }
        }
    }

    private static string CommandLineOf(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return string.Empty;
        }
    }

    private static bool IsUsed(int number) => File.Exists(LockOf(number));

    private static string LockOf(int number) => Path.Combine(Root, $"{number}.lock");

    private static string DirectoryOf(int number) => Path.Combine(Root, number.ToString(CultureInfo.InvariantCulture));

    private static string PrefixOf(int number) => $"weir{number}-";
}
