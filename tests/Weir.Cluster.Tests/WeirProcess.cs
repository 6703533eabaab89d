using System.Diagnostics;
using System.Text;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>What a `weir` process printed and how it ended.</summary>
public sealed record ProcessOutcome(int ExitCode, string Output, string Error);

/// <summary>A real `weir` process. Dispose kills it.</summary>
public sealed class WeirProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    private WeirProcess(string file, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(file)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(_error, line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>The executable that was built with these tests.</summary>
    public static string Executable { get; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "..", "..", "..", "broker", "Weir", "bin",
        Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar))!), "net10.0", "weir"));

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Of a process that has exited.</summary>
    public int ExitCode => _process.ExitCode;

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

    public string Error
    {
        get
        {
            lock (_error)
            {
                return _error.ToString();
            }
        }
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static WeirProcess Start(params string[] arguments) => new(Executable, arguments);

    /// <summary>Starts another program.</summary>
    public static WeirProcess StartProgram(string program, params string[] arguments) => new(program, arguments);

    /// <summary>Starts weir under a tool that is given first, as strace.</summary>
    public static WeirProcess StartUnder(string tool, string[] toolArguments, params string[] arguments) =>
        new(tool, [.. toolArguments, Executable, .. arguments]);

    /// <summary>Runs a command to its end.</summary>
    public static async Task<ProcessOutcome> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        return await process.WaitAsync();
    }

    public async Task<ProcessOutcome> WaitAsync()
    {
        await _process.WaitForExitAsync(Token);
        return new ProcessOutcome(_process.ExitCode, Output, Error);
    }

    /// <summary>SIGKILL.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            Assert.True(_process.WaitForExitAsync(CancellationToken.None).Wait(Patience), $"process {Id} does not end");
        }
    }

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    private static void Keep(StringBuilder target, string? line)
    {
        if (line is not null)
        {
            lock (target)
            {
                target.AppendLine(line);
            }
        }
    }
}

/// <summary>A broker process on a port and directory that stay the same through restarts.</summary>
public sealed class BrokerUnderTest(string dataDirectory) : IDisposable
{
    private readonly int _port = FreePort.Find();
    private WeirProcess? _process;

    public string Address => $"127.0.0.1:{_port}";

    public int Id => _process!.Id;

    public string[] Arguments =>
        ["broker", "--data", dataDirectory, "--listen", Address, "--http", "none", "--set", "MinFreeBytes=0"];

    public void Start() => _process = WeirProcess.Start(Arguments);

    public void StartUnder(string tool, params string[] toolArguments) =>
        _process = WeirProcess.StartUnder(tool, toolArguments, Arguments);

    public void Kill() => _process?.Kill();

    /// <summary>SIGSTOP: as at a loss of power, nothing is answered from here on.</summary>
    public void Freeze() => Machine.Run("kill", "-STOP", $"{Id}");

    /// <summary>Connects, as soon as the broker listens.</summary>
    public async Task<WeirClient> ConnectAsync()
    {
        WeirClient? client = null;
        await Eventually.HoldsAsync(
            "the broker answers a client",
            async token =>
            {
                client = await TryConnectAsync(token);
                return client is not null || _process!.HasExited;
            });
        if (client is null)
        {
            var outcome = await _process!.WaitAsync();
            Assert.Fail($"the broker ended with {outcome.ExitCode}: {outcome.Output}{outcome.Error}");
        }

        return client;
    }

    public void Dispose() => _process?.Dispose();

    private async Task<WeirClient?> TryConnectAsync(CancellationToken ct)
    {
        try
        {
            return await WeirClient.ConnectAsync(
                new WeirClientOptions { Servers = Address, RequestTimeout = TimeSpan.FromSeconds(20) }, ct);
        }
        catch (WeirException e)
        {
            TestContext.Current.SendDiagnosticMessage(e.Message);
            return null;
        }
    }
}
