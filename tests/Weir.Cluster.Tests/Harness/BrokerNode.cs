using System.Text;
using Xunit;

namespace Weir.Cluster.Tests.Harness;

/// <summary>
/// A broker of a <see cref="TestCluster"/>: its address, its data and the processes that it was, one after the other.
/// </summary>
public sealed class BrokerNode
{
    private const int LinesShown = 60;
    private readonly TestCluster _cluster;
    private readonly List<WeirProcess> _processes = [];

    internal BrokerNode(TestCluster cluster, int id, string listenAddress, string directory, FaultProxy? proxy)
    {
        _cluster = cluster;
        Id = id;
        ListenAddress = listenAddress;
        Proxy = proxy;
        Directory.CreateDirectory(directory);
        Disk = cluster.Options.DiskMegabytes is { } megabytes ? new LoopFileSystem(directory, megabytes) : null;
        DataDirectory = Path.Combine(Disk?.MountPoint ?? directory, "data");
    }

    /// <summary>Its node id in the cluster, and its node in the network.</summary>
    public int Id { get; }

    /// <summary>Where clients and other brokers reach it: its proxy, if it has one.</summary>
    public string Address => Proxy?.Address ?? ListenAddress;

    /// <summary>Where it listens.</summary>
    public string ListenAddress { get; }

    public string DataDirectory { get; }

    /// <summary>Its own file system, or null.</summary>
    public LoopFileSystem? Disk { get; }

    /// <summary>What all connections to it pass, or null.</summary>
    public FaultProxy? Proxy { get; }

    /// <summary>Whether there is a process, stopped by a signal or not.</summary>
    public bool IsRunning => _processes.Count > 0 && !_processes[^1].HasExited;

    /// <summary>Whether the present process said that its start is done.</summary>
    public bool HasStarted => IsRunning && _processes[^1].Output.Contains(" listens on ", StringComparison.Ordinal);

    public int ProcessId => _processes[^1].Id;

    /// <summary>All that it printed since the cluster was made.</summary>
    public string Output => string.Concat(_processes.Select(static process => process.Output + process.Error));

    /// <summary>The end of its output with its name, for failures.</summary>
    public string DescribeOutput()
    {
        var lines = Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var text = new StringBuilder();
        text.AppendLine($"--- broker {Id} at {Address}, {DescribeState()}, last of {lines.Length} lines");
        text.AppendJoin('\n', lines.TakeLast(LinesShown));
        return text.ToString();
    }

    /// <summary>Starts it, on its disk if that had lost power, and does not wait.</summary>
    public void Start() => StartUnder();

    /// <summary>
    /// Starts it with faults in its system calls; each is what strace takes after <c>-e inject=</c>, as
    /// <c>fdatasync:error=EIO:when=40+</c>.
    /// </summary>
    public void StartUnderStrace(params string[] faults)
    {
        Machine.RequireTool("strace");
        var calls = string.Join(',', faults.Select(static fault => fault.Split(':')[0]).Distinct());

        // With -D the process that is started is the broker, and strace its descendant: signals go to the broker.
        StartUnder(
            [
                "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", $"trace={calls}",
                .. faults.SelectMany(static fault => (string[])["-e", $"inject={fault}"]),
            ]);
    }

    /// <summary>SIGKILL; returns when it is dead.</summary>
    public void Kill()
    {
        if (_processes.Count > 0)
        {
            _processes[^1].Kill();
        }
    }

    /// <summary>SIGTERM; waits until it has stopped by itself and well.</summary>
    public async Task StopAsync()
    {
        Signal(ProcessSignals.Terminate);
        var process = _processes[^1];
        await Eventually.HoldsAsync(
            $"broker {Id} stops after SIGTERM", () => process.HasExited, state: _cluster.DescribeOutput);
        Assert.True(process.ExitCode == 0, $"broker {Id} stopped with {process.ExitCode}\n{DescribeOutput()}");
    }

    /// <summary>SIGSTOP; returns when none of its threads runs any more.</summary>
    public async Task PauseAsync()
    {
        Signal(ProcessSignals.Stop);
        var id = ProcessId;
        await Eventually.HoldsAsync(
            $"broker {Id} stands still after SIGSTOP",
            () => ProcessSignals.Tasks(id).All(static state => state is 'T' or 't'));
    }

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signal(ProcessSignals.Continue);

    /// <summary>Deletes all its data, as if its disk were replaced. It must not run.</summary>
    public void Wipe()
    {
        Assert.False(IsRunning, $"broker {Id} runs");
        if (Directory.Exists(DataDirectory))
        {
            Directory.Delete(DataDirectory, recursive: true);
        }
    }

    internal void Dispose()
    {
        foreach (var process in _processes)
        {
            process.Dispose();
        }
    }

    /// <summary>After the power was cut: all writes of its file system are dropped on unmounting.</summary>
    internal void RestartDisk()
    {
        Disk!.Unmount();
        Disk.Mount();
    }

    private void StartUnder(params string[] tool)
    {
        Assert.False(IsRunning, $"broker {Id} runs already");
        var arguments = BrokerArguments.Of(_cluster, this);
        string[] before = [.. _cluster.Options.OwnNetworks ? _cluster.Network.CommandOn(Id) : [], .. tool];
        _processes.Add(
            before.Length == 0 ? WeirProcess.Start(arguments) : WeirProcess.StartUnder(before[0], before[1..], arguments));
    }

    private void Signal(int signal)
    {
        Assert.True(IsRunning, $"broker {Id} does not run\n{DescribeOutput()}");
        ProcessSignals.Send(ProcessId, signal);
    }

    private string DescribeState() =>
        IsRunning ? "running" : _processes.Count == 0 ? "not started" : $"exited with {_processes[^1].ExitCode}";
}
