using System.Diagnostics;
using System.Text;

namespace Weir.Cli.Demo;

/// <summary>A broker as a child process of this one, from the same executable. Dispose kills it.</summary>
internal sealed class BrokerProcess(int nodeId, int port, string dataDirectory) : IDisposable
{
    private readonly StringBuilder _output = new();
    private Process? _process;

    /// <summary>Where it listens; the same after each start.</summary>
    public string Address => $"127.0.0.1:{port}";

    public int Id => _process?.Id ?? 0;

    public int NodeId => nodeId;

    /// <summary>What the present process printed.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Whether it has ended by itself.</summary>
    public bool HasExited => _process?.HasExited ?? true;

    public void Start(string clusterPeers)
    {
        _output.Clear();
        var executable = Environment.ProcessPath!;
        var start = new ProcessStartInfo(executable)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        if (Path.GetFileNameWithoutExtension(executable).Equals("dotnet", StringComparison.OrdinalIgnoreCase))
        {
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "weir.dll"));
        }

        foreach (var argument in (string[])
            [
                "broker", "--data", dataDirectory, "--listen", Address, "--http", "none", "--node-id", $"{nodeId}",
                "--cluster-peers", clusterPeers,
            ])
        {
            start.ArgumentList.Add(argument);
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>SIGKILL: no handler runs, nothing is flushed by the process.</summary>
    public void Kill()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }
    }

    /// <summary>Deletes all that it has; not while it runs.</summary>
    public void Wipe() => Directory.Delete(dataDirectory, recursive: true);

    public void Dispose()
    {
        Kill();
        _process?.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is not null)
        {
            lock (_output)
            {
                _output.AppendLine(line);
            }
        }
    }
}
