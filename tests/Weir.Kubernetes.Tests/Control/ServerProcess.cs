using System.Diagnostics;

namespace Weir.Kubernetes.Tests.Control;

/// <summary>A server that runs beside the tests, with a log file. Dispose kills it.</summary>
public sealed class ServerProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _log;

    /// <summary>Starts it.</summary>
    /// <param name="log">Where it writes.</param>
    /// <param name="file">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    public ServerProcess(string log, string file, params string[] arguments)
    {
        _log = log;
        var start = new ProcessStartInfo("/bin/sh") { WorkingDirectory = Path.GetDirectoryName(log) };
        foreach (var argument in (string[])["-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", log, file, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
    }

    public bool HasExited => _process.HasExited;

    /// <summary>The end of what it wrote.</summary>
    public string Tail => File.Exists(_log) ? string.Join('\n', File.ReadLines(_log).TakeLast(30)) : string.Empty;

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
