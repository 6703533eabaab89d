using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Weir.Cluster.Tests;
using Weir.Cluster.Tests.Harness;
using Weir.Kubernetes.Tests.Control;
using Xunit;

namespace Weir.Kubernetes.Tests.Pods;

/// <summary>
/// Stands for scheduler, kubelet, DNS and a storage class: runs every pod of the control plane as processes of this machine, each
/// pod in a network, file system and process namespace of its own, by the images of <see cref="Images"/>. Needs root. Start it once;
/// dispose ends all pods.
/// </summary>
public sealed class PodRunner : IAsyncDisposable
{
    private const string Node = "node-1";
    private static readonly HttpClient Http = new();
    private readonly ConcurrentDictionary<string, PodWorker> _workers = new();
    private readonly ConcurrentDictionary<string, Task> _tasks = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Lease _lease;
    private readonly PodNetwork _network;
    private readonly ApiRelay _relay;
    private readonly ApiClient _api;
    private readonly PodHost _host;
    private Task _watches = Task.CompletedTask;

    private PodRunner(ControlPlane plane)
    {
        _lease = Lease.Take();
        _network = new PodNetwork(_lease);
        _api = plane.Api;
        _relay = new ApiRelay(IPAddress.Parse(_network.Gateway), plane.Port);
        _host = new PodHost(_api, _network, _relay.Port, _lease.Directory);
    }

    /// <summary>Faults of the network between pods.</summary>
    public NetworkNamespaces Faults => _network.Faults;

    /// <summary>Begins to run pods. Skips the test where that cannot be done, and fails it in CI.</summary>
    public static async Task<PodRunner> StartAsync(ControlPlane plane)
    {
        plane.Require();
        Machine.RequireRoot();
        foreach (var tool in (string[])["ip", "nft", "nsenter", "unshare", "setpriv", "pivot_root", "mount"])
        {
            Machine.RequireTool(tool);
        }

        var runner = new PodRunner(plane);
        await runner.RegisterAsync();
        runner._watches = Task.WhenAll(
            new ResourceWatch(runner._api, "/api/v1/pods", runner.OnPod).RunAsync(runner._stop.Token),
            new ResourceWatch(runner._api, "/api/v1/persistentvolumeclaims", runner.OnClaim).RunAsync(runner._stop.Token),
            new ResourceWatch(runner._api, "/api/v1/endpoints", runner._network.Update).RunAsync(runner._stop.Token));
        return runner;
    }

    /// <summary>What a container wrote, also of a pod that is gone; all its runs.</summary>
    public string LogOf(string ns, string pod, string? container = null)
    {
        var log = container is not null
            ? _host.LogOf(ns, pod, container)
            : Directory.GetFiles(Path.Combine(_lease.Directory, "logs"), $"{ns}_{pod}_*.log").Order().LastOrDefault();
        if (log is null || !File.Exists(log))
        {
            return string.Empty;
        }

        using var reader = new StreamReader(new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }

    /// <summary>Sends a signal to the first container of a pod.</summary>
    public void Signal(string ns, string pod, int signal) => WorkerOf(ns, pod).Containers[0].Signal(signal);

    /// <summary>The node of a pod in <see cref="Faults"/>.</summary>
    public int NodeOf(string ns, string pod) => WorkerOf(ns, pod).Slot;

    /// <summary>The process of a pod's first container.</summary>
    public int ProcessOf(string ns, string pod) =>
        WorkerOf(ns, pod).Containers[0].ProcessId ?? throw new InvalidOperationException($"{pod} does not run");

    /// <summary>What a pod answers to GET at its first port.</summary>
    public async Task<string> GetAsync(string ns, string pod, string path)
    {
        var worker = WorkerOf(ns, pod);
        return await Http.GetStringAsync(
            new Uri(FormattableString.Invariant($"http://{worker.Address}:{worker.Port}{path}")), TestContext.Current.CancellationToken);
    }

    /// <summary>Runs a command in the first container of a pod, as kubectl exec.</summary>
    public async Task<ToolOutcome> ExecAsync(string ns, string pod, params string[] command)
    {
        using var process = Process.Start(WorkerOf(ns, pod).Containers[0].Command(command))!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new ToolOutcome(process.ExitCode, await output, await error);
    }

    /// <summary>Pods of a namespace and the ends of their logs, for failures.</summary>
    public string Describe(string ns) => _watches.Exception + string.Join(
        "\n\n",
        _workers.Values.Where(worker => worker.Namespace == ns).Select(worker =>
            $"{worker.Describe()}\n{string.Join('\n', LogOf(ns, worker.Name).Split('\n').TakeLast(15))}"));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watches;
        foreach (var worker in _workers.Values)
        {
            worker.Abandon();
        }

        await Task.WhenAll(_tasks.Values);
        await _relay.DisposeAsync();
        _network.Dispose();
        _lease.Dispose();
        _stop.Dispose();
    }

    private static string Claim(JsonNode claim) =>
        $"/api/v1/namespaces/{claim["metadata"]!["namespace"]}/persistentvolumeclaims/{claim["metadata"]!["name"]}";

    private PodWorker WorkerOf(string ns, string pod) =>
        _workers.Values.FirstOrDefault(worker => worker.Namespace == ns && worker.Name == pod)
            ?? throw new InvalidOperationException($"there is no pod {ns}/{pod}");

    private async Task RegisterAsync()
    {
        await CreateAsync("/api/v1/nodes", new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["name"] = Node,
                ["labels"] = new JsonObject
                {
                    ["kubernetes.io/hostname"] = Node, ["topology.kubernetes.io/zone"] = "zone-1",
                },
            },
        });
        await CreateAsync("/apis/storage.k8s.io/v1/storageclasses", new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["name"] = "standard",
                ["annotations"] = new JsonObject { ["storageclass.kubernetes.io/is-default-class"] = "true" },
            },
            ["provisioner"] = "weir.dev/tests",
            ["allowVolumeExpansion"] = true,
        });
    }

    private async Task CreateAsync(string path, JsonObject body)
    {
        try
        {
            await _api.PostAsync(path, body, TestContext.Current.CancellationToken);
        }
        catch (ApiException e) when (e.Status == HttpStatusCode.Conflict)
        {
            // From an earlier one.
        }
    }

    private void OnPod(JsonNode item, bool isGone)
    {
        var uid = (string)item["metadata"]!["uid"]!;
        if (_workers.TryGetValue(uid, out var worker))
        {
            if (isGone)
            {
                worker.Abandon();
            }
            else if (item["metadata"]!["deletionTimestamp"] is not null)
            {
                worker.Terminate((long?)item["metadata"]!["deletionGracePeriodSeconds"] ?? 0);
            }
        }
        else if (!isGone && !_tasks.ContainsKey(uid))
        {
            worker = new PodWorker(_host, Node, KubernetesJson.Deserialize<V1Pod>(item.ToJsonString()));
            _workers[uid] = worker;
            _tasks[uid] = Task.Run(async () =>
            {
                using (worker)
                {
                    await worker.RunAsync();
                    _workers.TryRemove(uid, out _);
                }
            });
            if (item["metadata"]!["deletionTimestamp"] is not null)
            {
                worker.Terminate(0);
            }
        }
    }

    /// <summary>Claims are bound at once, and grow as they wish.</summary>
    private void OnClaim(JsonNode item, bool isGone)
    {
        if (isGone)
        {
            var folder = PodVolumes.FolderOf(_host.Claims, (string)item["metadata"]!["uid"]!);
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }

            return;
        }

        var wanted = (string)item["spec"]!["resources"]!["requests"]!["storage"]!;
        if ((string?)item["status"]?["phase"] != "Bound" || (string?)item["status"]?["capacity"]?["storage"] != wanted)
        {
            _tasks[$"claim-{Guid.NewGuid()}"] = BindAsync(item, wanted);
        }
    }

    private async Task BindAsync(JsonNode claim, string size)
    {
        try
        {
            await _api.MergeAsync(
                $"{Claim(claim)}/status",
                new JsonObject
                {
                    ["metadata"] = new JsonObject { ["uid"] = (string)claim["metadata"]!["uid"]! },
                    ["status"] = new JsonObject
                    {
                        ["phase"] = "Bound",
                        ["accessModes"] = claim["spec"]!["accessModes"]?.DeepClone(),
                        ["capacity"] = new JsonObject { ["storage"] = size },
                    },
                },
                _stop.Token);
        }
        catch (Exception e) when (e is ApiException or HttpRequestException or OperationCanceledException)
        {
            // It was deleted or changed meanwhile; the next event tells it.
        }
    }
}
