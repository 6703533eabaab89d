using System.Globalization;
using System.Text.Json.Nodes;
using k8s.Models;
using Weir.Kubernetes.Tests.Control;

namespace Weir.Kubernetes.Tests.Pods;

/// <summary>What all pods have in common.</summary>
/// <param name="Api">The API server.</param>
/// <param name="Network">Addresses and names.</param>
/// <param name="ApiPort">Where pods reach the API server.</param>
/// <param name="Folder">Of all pods.</param>
internal sealed record PodHost(ApiClient Api, PodNetwork Network, int ApiPort, string Folder)
{
    public string Claims => Path.Combine(Folder, "claims");

    public string LogOf(string ns, string pod, string container) => Path.Combine(Folder, "logs", $"{ns}_{pod}_{container}.log");
}

/// <summary>The life of one pod, from its binding to its end, as a kubelet leads it.</summary>
internal sealed class PodWorker(PodHost host, string node, V1Pod pod) : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _publishing = new(1);
    private readonly string _path = $"/api/v1/namespaces/{pod.Metadata.NamespaceProperty}/pods/{pod.Metadata.Name}";
    private readonly string _startedAt = Now();
    private readonly Dictionary<string, (string Status, string Since)> _conditions = [];
    private List<Container> _init = [];
    private List<Container> _containers = [];
    private bool _isInitialized;
    private string _phase = "Pending";
    private string? _failure;
    private TimeSpan? _grace;
    private bool _isGone;

    public string Namespace => pod.Metadata.NamespaceProperty;

    public string Name => pod.Metadata.Name;

    /// <summary>In the network; 0 while it has none.</summary>
    public int Slot { get; private set; }

    public IReadOnlyList<Container> Containers => _containers;

    public string Address => host.Network.AddressOf(Slot);

    /// <summary>The first one of the first container.</summary>
    public int Port => pod.Spec.Containers[0].Ports[0].ContainerPort;

    /// <summary>The pod shall end within its grace.</summary>
    public void Terminate(long graceSeconds)
    {
        _grace = TimeSpan.FromSeconds(graceSeconds);
        _stop.Cancel();
    }

    /// <summary>The pod's object is gone: nothing waits any more.</summary>
    public void Abandon()
    {
        _isGone = true;
        _grace = TimeSpan.Zero;
        _stop.Cancel();
        foreach (var container in _containers.Concat(_init))
        {
            container.Kill();
        }
    }

    /// <summary>The whole life.</summary>
    public async Task RunAsync()
    {
        var folder = Path.Combine(host.Folder, "pods", pod.Metadata.Uid);
        try
        {
            if (string.IsNullOrEmpty(pod.Spec.NodeName))
            {
                await BindAsync(_stop.Token);
            }

            Slot = await host.Network.TakeAsync(_stop.Token);
            await RunContainersAsync(folder, _stop.Token);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // It was told to end.
        }
        catch (Exception e) when (e is NotSupportedException or ApiException or HttpRequestException or IOException)
        {
            (_phase, _failure) = ("Failed", e.Message);
            await PublishAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _stop.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            await EndAsync(folder);
        }
    }

    public string Describe() =>
        $"{Namespace}/{Name} {_phase} {_failure} {string.Join(' ', _containers.Select(static container => container.Status.ToJsonString()))}";

    public void Dispose()
    {
        _stop.Dispose();
        _publishing.Dispose();
    }

    private static string Now() =>
        TimeProvider.System.GetUtcNow().UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    private Task<JsonNode> BindAsync(CancellationToken stop) => host.Api.PostAsync(
        $"{_path}/binding",
        new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Binding",
            ["metadata"] = new JsonObject { ["name"] = Name },
            ["target"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = node },
        },
        stop);

    private async Task RunContainersAsync(string folder, CancellationToken stop)
    {
        await PublishAsync();
        pod.Spec.NodeName = node;
        var volumes = new PodVolumes(host.Api, folder, host.Claims);
        var folders = await WaitAsync(() => volumes.ResolveAsync(pod, stop), stop);
        _init = await CreateAsync(pod.Spec.InitContainers ?? [], folder, folders, stop);
        _containers = await CreateAsync(pod.Spec.Containers, folder, folders, stop);
        foreach (var container in _init)
        {
            await container.RunAsync(pod.Spec.RestartPolicy == "Never" ? "Never" : "OnFailure", Grace, stop);
            stop.ThrowIfCancellationRequested();
            if (container.ExitCode != 0)
            {
                _phase = "Failed";
                await PublishAsync();
                return;
            }
        }

        (_isInitialized, _phase) = (true, "Running");
        await Task.WhenAll(_containers.Select(container => container.RunAsync(pod.Spec.RestartPolicy, Grace, stop)));
        if (!stop.IsCancellationRequested)
        {
            _phase = _containers.All(static container => container.ExitCode == 0) ? "Succeeded" : "Failed";
            await PublishAsync();
        }
    }

    private TimeSpan Grace() => _grace ?? TimeSpan.FromSeconds(pod.Spec.TerminationGracePeriodSeconds ?? 30);

    private async Task<List<Container>> CreateAsync(
        IEnumerable<V1Container> specs, string folder, Dictionary<string, string> volumes, CancellationToken stop)
    {
        var containers = new List<Container>();
        foreach (var spec in specs)
        {
            var image = Images.Find(spec.Image) ?? throw new NotSupportedException($"there is no image {spec.Image}");
            var environment = await WaitAsync(
                () => ContainerSetup.EnvironmentAsync(host.Api, pod, spec, Address, host.ApiPort, stop), stop);
            var own = Path.Combine(folder, spec.Name);
            var log = host.LogOf(Namespace, Name, spec.Name);
            Directory.CreateDirectory(Path.GetDirectoryName(log)!);
            var script = ContainerSetup.Script(
                pod, spec, image, own, host.Network.HostsFile, volumes, ContainerSetup.Command(spec, image, environment));
            containers.Add(new Container(
                pod, spec, new ContainerStart(own, log, host.Network.CommandOn(Slot), Address, environment, script), PublishAsync));
        }

        return containers;
    }

    private static async Task<T> WaitAsync<T>(Func<Task<T?>> find, CancellationToken stop)
        where T : class
    {
        while (true)
        {
            if (await find() is { } found)
            {
                return found;
            }

            await Task.Delay(Pause, TimeProvider.System, stop);
        }
    }

    private async Task EndAsync(string folder)
    {
        if (!_isGone)
        {
            await IgnoreAsync(() => host.Api.DeleteAsync(
                _path,
                new JsonObject
                {
                    ["gracePeriodSeconds"] = 0,
                    ["preconditions"] = new JsonObject { ["uid"] = pod.Metadata.Uid },
                },
                CancellationToken.None));
        }

        if (Slot > 0)
        {
            host.Network.Return(Slot);
        }

        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Writes the status as it is now.</summary>
    private async Task PublishAsync()
    {
        await _publishing.WaitAsync();
        try
        {
            if (!_isGone)
            {
                await IgnoreAsync(() => host.Api.MergeAsync(
                    $"{_path}/status",
                    new JsonObject { ["metadata"] = new JsonObject { ["uid"] = pod.Metadata.Uid }, ["status"] = Status() },
                    CancellationToken.None));
            }
        }
        finally
        {
            _publishing.Release();
        }
    }

    private static async Task IgnoreAsync(Func<Task> request)
    {
        try
        {
            await request();
        }
        catch (Exception e) when (e is ApiException or HttpRequestException or OperationCanceledException)
        {
            // The pod is gone, or the next change tells it.
        }
    }

    private JsonObject Status()
    {
        var isReady = _phase == "Running" && _containers.Count > 0 && _containers.All(static container => container.IsReady);
        return new JsonObject
        {
            ["phase"] = _phase,
            ["message"] = _failure,
            ["hostIP"] = "127.0.0.1",
            ["podIP"] = Slot > 0 ? Address : null,
            ["podIPs"] = Slot > 0 ? new JsonArray(new JsonObject { ["ip"] = Address }) : null,
            ["startTime"] = _startedAt,
            ["conditions"] = new JsonArray(
                Condition("PodScheduled", true), Condition("Initialized", _isInitialized), Condition("ContainersReady", isReady),
                Condition("Ready", isReady)),
            ["initContainerStatuses"] = new JsonArray([.. _init.Select(static container => (JsonNode)container.Status)]),
            ["containerStatuses"] = new JsonArray([.. _containers.Select(static container => (JsonNode)container.Status)]),
        };
    }

    private JsonObject Condition(string type, bool holds)
    {
        var status = holds ? "True" : "False";
        if (!_conditions.TryGetValue(type, out var known) || known.Status != status)
        {
            _conditions[type] = known = (status, Now());
        }

        return new JsonObject { ["type"] = type, ["status"] = status, ["lastTransitionTime"] = known.Since };
    }
}
