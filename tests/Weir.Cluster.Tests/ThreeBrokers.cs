using System.Net;
using System.Net.Sockets;
using Weir.Client;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>Three broker processes that form a cluster; each keeps its port and directory through restarts.</summary>
public sealed class ThreeBrokers : IDisposable
{
    private readonly WeirProcess?[] _processes = new WeirProcess?[3];
    private readonly string[] _directories;
    private readonly int[] _ports = FreePorts(3);
    private readonly DirectoryInfo? _scratch;

    /// <param name="directories">A data directory for each; null for new ones that are deleted at the end.</param>
    public ThreeBrokers(string[]? directories = null)
    {
        _scratch = directories is null ? Directory.CreateTempSubdirectory("weir-cluster-") : null;
        _directories = directories ?? [.. Enumerable.Range(1, 3).Select(id => Path.Combine(_scratch!.FullName, $"{id}"))];
    }

    /// <summary>Where a client starts from: all three.</summary>
    public string Servers => string.Join(',', _ports.Select(static port => $"127.0.0.1:{port}"));

    /// <summary>The cluster's voters, as every broker is told them.</summary>
    public string Peers => string.Join(',', _ports.Select(static (port, index) => $"{index + 1}@127.0.0.1:{port}"));

    /// <summary>The data directory of a broker; node ids are 1 to 3.</summary>
    public string DirectoryOf(int nodeId) => _directories[nodeId - 1];

    public string AddressOf(int nodeId) => $"127.0.0.1:{_ports[nodeId - 1]}";

    public int ProcessId(int nodeId) => _processes[nodeId - 1]!.Id;

    public bool HasExited(int nodeId) => _processes[nodeId - 1]!.HasExited;

    public string[] ArgumentsOf(int nodeId) =>
    [
        "broker", "--data", DirectoryOf(nodeId), "--listen", AddressOf(nodeId), "--http", "none", "--node-id", $"{nodeId}",
        "--cluster-peers", Peers, "--set", "MinFreeBytes=0",
    ];

    public void StartAll()
    {
        for (var id = 1; id <= 3; id++)
        {
            Start(id);
        }
    }

    public void Start(int nodeId) => Use(nodeId, WeirProcess.Start(ArgumentsOf(nodeId)));

    public void StartUnder(int nodeId, string tool, params string[] toolArguments) =>
        Use(nodeId, WeirProcess.StartUnder(tool, toolArguments, ArgumentsOf(nodeId)));

    /// <summary>SIGKILL.</summary>
    public void Kill(int nodeId) => _processes[nodeId - 1]!.Kill();

    /// <summary>SIGSTOP: as at a loss of power, nothing is answered from here on.</summary>
    public void Freeze(int nodeId) => Machine.Run("kill", "-STOP", $"{ProcessId(nodeId)}");

    /// <summary>SIGTERM; waits for the end.</summary>
    public async Task<ProcessOutcome> StopAsync(int nodeId)
    {
        Machine.Run("kill", "-TERM", $"{ProcessId(nodeId)}");
        return await _processes[nodeId - 1]!.WaitAsync();
    }

    /// <summary>Deletes everything that a broker kept; it is not running.</summary>
    public void Wipe(int nodeId) => Directory.Delete(DirectoryOf(nodeId), recursive: true);

    /// <summary>Connects, as soon as the cluster is there.</summary>
    public async Task<WeirClient> ConnectAsync()
    {
        var options = new WeirClientOptions { Servers = Servers, RequestTimeout = TimeSpan.FromSeconds(30) };
        while (true)
        {
            try
            {
                return await WeirClient.ConnectAsync(options, TestContext.Current.CancellationToken);
            }
            catch (WeirException e)
            {
                TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
                var ended = _processes.FirstOrDefault(static process => process?.HasExited == true);
                Assert.True(ended is null, $"a broker ended: {ended?.Output}");
                TestContext.Current.SendDiagnosticMessage(e.Message);
            }
        }
    }

    /// <summary>Waits until a topic is as a test needs it, or fails with how it is and what the brokers said.</summary>
    public async Task<TopicDescription> WaitForAsync(
        WeirClient client, string topic, string what, Func<TopicDescription, bool> isReached)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        TopicDescription? last = null;
        while (true)
        {
            try
            {
                last = await client.Admin.DescribeTopicAsync(topic, deadline.Token);
                if (isReached(last))
                {
                    return last;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(20), deadline.Token);
            }
            catch (WeirException e) when (e.IsRetriable)
            {
                TestContext.Current.SendDiagnosticMessage(e.Message);
            }
            catch (OperationCanceledException)
            {
                var state = string.Join("; ", last?.Partitions.Select(static p => $"{p.Partition}: {p.Placement} {p.Error}") ?? []);
                Assert.Fail($"{what}: not reached. {state}\n{string.Join('\n', _processes.Select(static process => process?.Output))}");
            }
        }
    }

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            process?.Dispose();
        }

        _scratch?.Delete(recursive: true);
    }

    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(static _ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(static listener => listener.Start());
        int[] ports = [.. listeners.Select(static listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        listeners.ForEach(static listener => listener.Dispose());
        return ports;
    }

    private void Use(int nodeId, WeirProcess process)
    {
        _processes[nodeId - 1]?.Dispose();
        _processes[nodeId - 1] = process;
    }
}
