using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using k8s.Models;
using Weir.Cluster.Tests.Harness;

namespace Weir.Kubernetes.Tests.Pods;

/// <summary>How a container is started.</summary>
/// <param name="Folder">Of this container alone.</param>
/// <param name="Log">Where it writes.</param>
/// <param name="NetworkCommand">What runs a command in the pod's network.</param>
/// <param name="Address">The pod's.</param>
/// <param name="Environment">Of the process.</param>
/// <param name="Script">What sets it up and ends as it.</param>
internal sealed record ContainerStart(
    string Folder, string Log, string[] NetworkCommand, string Address, Dictionary<string, string> Environment, string Script);

/// <summary>
/// A container of a pod: its process, which is started again as the pod says, its probes, and its status. Thread-safe.
/// </summary>
/// <param name="pod">The pod.</param>
/// <param name="container">Its specification.</param>
/// <param name="start">How it is started.</param>
/// <param name="onChange">Called after each change of the status.</param>
internal sealed class Container(V1Pod pod, V1Container container, ContainerStart start, Func<Task> onChange)
{
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(10);
    private readonly Lock _lock = new();
    private Process? _process;
    private int _restarts;
    private bool _isStarted;
    private bool _isReady;
    private JsonObject _state = new() { ["waiting"] = new JsonObject { ["reason"] = "ContainerCreating" } };
    private JsonObject? _last;

    public string Name => container.Name;

    public bool IsReady => Locked(() => _isReady);

    /// <summary>Its exit code, once it is not started again.</summary>
    public int? ExitCode { get; private set; }

    /// <summary>The id of the process that runs now, or null.</summary>
    public int? ProcessId => Locked(() => ChildOf(_process));

    public JsonObject Status => Locked(() => new JsonObject
    {
        ["name"] = container.Name,
        ["image"] = container.Image,
        ["imageID"] = $"local://{container.Image}",
        ["containerID"] = $"process://{ChildOf(_process)?.ToString(CultureInfo.InvariantCulture) ?? "none"}",
        ["ready"] = _isReady,
        ["started"] = _isStarted,
        ["restartCount"] = _restarts,
        ["state"] = _state.DeepClone(),
        ["lastState"] = _last?.DeepClone() ?? new JsonObject(),
    });

    /// <summary>Runs it until it has ended for good, or is told to stop: then it gets SIGTERM, and SIGKILL at the end of its grace.</summary>
    public async Task RunAsync(string restartPolicy, Func<TimeSpan> grace, CancellationToken stop)
    {
        for (var failures = 0; ; failures++)
        {
            using var process = Start();
            Set(() => _state = new JsonObject { ["running"] = new JsonObject { ["startedAt"] = Now() } });
            await onChange();
            await RunOnceAsync(process, grace, stop);
            var code = process.ExitCode > 128 && process.ExitCode < 192 ? process.ExitCode : process.ExitCode & 0xFF;
            Set(() =>
            {
                (_isReady, _isStarted, _process) = (false, false, null);
                _state = new JsonObject
                {
                    ["terminated"] = new JsonObject
                    {
                        ["exitCode"] = code, ["reason"] = code == 0 ? "Completed" : "Error", ["finishedAt"] = Now(),
                    },
                };
            });
            if (stop.IsCancellationRequested || restartPolicy == "Never" || (restartPolicy == "OnFailure" && code == 0))
            {
                ExitCode = code;
                await onChange();
                return;
            }

            Set(() => (_last, _restarts) = ((JsonObject)_state.DeepClone(), _restarts + 1));
            Set(() => _state = new JsonObject { ["waiting"] = new JsonObject { ["reason"] = "CrashLoopBackOff" } });
            await onChange();
            var backoff = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, failures), LongestBackoff.TotalSeconds));
            await Task.Delay(backoff, TimeProvider.System, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stop.IsCancellationRequested)
            {
                ExitCode = code;
                return;
            }
        }
    }

    /// <summary>SIGKILL, as the kernel does when memory runs out.</summary>
    public void Kill() => Signal(ProcessSignals.Kill);

    public void Signal(int signal)
    {
        if (ProcessId is { } id)
        {
            ProcessSignals.Send(id, signal);
        }
    }

    /// <summary>Runs a command inside.</summary>
    public ProcessStartInfo Command(params string[] command)
    {
        var id = ProcessId ?? throw new InvalidOperationException($"{Name} of {pod.Metadata.Name} does not run");
        var user = ContainerSetup.UserOf(pod, container).ToString(CultureInfo.InvariantCulture);
        var info = new ProcessStartInfo("nsenter") { RedirectStandardOutput = true, RedirectStandardError = true };
        info.Environment.Clear();
        foreach (var (name, value) in start.Environment)
        {
            info.Environment[name] = value;
        }

        // The host's own variables are not the container's, but nsenter is found by them.
        info.Environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        string[] arguments =
        [
            "--target", id.ToString(CultureInfo.InvariantCulture), "--mount", "--pid", "--net", "--root", "--wd",
            "setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs", "--", .. command,
        ];
        foreach (var argument in arguments)
        {
            info.ArgumentList.Add(argument);
        }

        return info;
    }

    private static string Now() =>
        TimeProvider.System.GetUtcNow().UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    /// <summary>The process that unshare started, which is the container's.</summary>
    private static int? ChildOf(Process? process)
    {
        try
        {
            return process is not null
                && int.TryParse(
                    File.ReadAllText($"/proc/{process.Id}/task/{process.Id}/children").Split(' ')[0],
                    CultureInfo.InvariantCulture, out var child) ? child : null;
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            return null;
        }
    }

    private T Locked<T>(Func<T> read)
    {
        lock (_lock)
        {
            return read();
        }
    }

    private void Set(Action change)
    {
        lock (_lock)
        {
            change();
        }
    }

    private Process Start()
    {
        Directory.CreateDirectory(start.Folder);
        var script = Path.Combine(start.Folder, "start");
        File.WriteAllText(script, start.Script);

        // The folder stands on the command line: a run after one that was killed finds by it what is left.
        string[] command =
        [
            .. start.NetworkCommand, "unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c",
            "exec >>\"$1\" 2>&1 </dev/null; exec /bin/sh \"$2\"", "sh", start.Log, script,
        ];
        var info = new ProcessStartInfo(command[0]);
        foreach (var argument in command[1..])
        {
            info.ArgumentList.Add(argument);
        }

        info.Environment.Clear();
        foreach (var (name, value) in start.Environment)
        {
            info.Environment[name] = value;
        }

        var process = Process.Start(info)!;
        Set(() => _process = process);
        return process;
    }

    private async Task RunOnceAsync(Process process, Func<TimeSpan> grace, CancellationToken stop)
    {
        using var ended = new CancellationTokenSource();
        using var unhealthy = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var probes = ProbeAsync(unhealthy, ended.Token);
        try
        {
            await process.WaitForExitAsync(unhealthy.Token);
        }
        catch (OperationCanceledException)
        {
            Set(() => _isReady = false);
            await onChange();
            Signal(ProcessSignals.Terminate);
            using var patience = new CancellationTokenSource(grace());
            try
            {
                await process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None);
            }
        }

        await ended.CancelAsync();
        await probes;
    }

    private async Task ProbeAsync(CancellationTokenSource unhealthy, CancellationToken ended)
    {
        try
        {
            await new Probe(this, container.StartupProbe, start.Address, container.Ports).UntilAsync(
                wanted: true, unhealthy.Cancel, ended);
            Set(() => _isStarted = true);
            await Task.WhenAll(
                WatchReadinessAsync(ended),
                new Probe(this, container.LivenessProbe, start.Address, container.Ports).UntilAsync(
                    wanted: false, unhealthy.Cancel, ended));
        }
        catch (OperationCanceledException)
        {
            // The process has ended.
        }
    }

    private async Task WatchReadinessAsync(CancellationToken ended)
    {
        var probe = new Probe(this, container.ReadinessProbe, start.Address, container.Ports);
        for (var wanted = true; ; wanted = !wanted)
        {
            await probe.UntilAsync(wanted, static () => { }, ended);
            Set(() => _isReady = wanted);
            await onChange();
        }
    }
}
