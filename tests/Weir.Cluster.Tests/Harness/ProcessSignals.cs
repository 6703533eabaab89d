using System.Runtime.InteropServices;

namespace Weir.Cluster.Tests.Harness;

/// <summary>Signals to processes, by id.</summary>
internal static partial class ProcessSignals
{
    public const int Interrupt = 2;
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    /// <summary>A process that is gone already is no error.</summary>
    public static void Send(int process, int signal) => _ = SendSignal(process, signal);

    /// <summary>The states of a process's threads, as of proc(5): T stopped, Z dead with all its files closed, and so on.</summary>
    public static IEnumerable<char> Tasks(int process)
    {
        try
        {
            return Directory.GetDirectories($"/proc/{process}/task").Select(StateOf);
        }
        catch (DirectoryNotFoundException)
        {
            // Gone by now.
            return [];
        }
    }

    private static char StateOf(string task)
    {
        try
        {
            var stat = File.ReadAllText(Path.Combine(task, "stat"));
            return stat[stat.LastIndexOf(')') + 2];
        }
        catch (IOException)
        {
            return 'X';
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);
}
