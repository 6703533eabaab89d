using System.Text.Json.Nodes;
using Weir.Kubernetes.Tests.Control;
using Weir.Kubernetes.Tests.Pods;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>Tests that share one operator, which is installed as users do it.</summary>
[CollectionDefinition(nameof(PlatformTests))]
public sealed class PlatformTests : ICollectionFixture<Platform>;

/// <summary>The control plane with its pods and an operator, installed by its chart when the first test asks for it.</summary>
public sealed class Platform(ControlPlane plane) : IAsyncLifetime
{
    public const string OperatorNamespace = "weir-system";
    private PodRunner? _pods;
    private Task? _starting;

    public ControlPlane Plane => plane;

    public PodRunner Pods => _pods ?? throw new InvalidOperationException("call StartAsync first");

    public Tool Kubectl { get; } = Tool.Kubectl(plane);

    public Tool Helm { get; } = Tool.Helm(plane);

    public static string Chart(string name) => Path.Combine(Images.Repository, "charts", name);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Waits until the operator runs. Skips the test where that cannot be, and fails it in CI.</summary>
    public Task StartAsync() => _starting ??= StartOperatorAsync();

    /// <summary>A cluster of its own for a test, in a namespace of its own; it waits until it is ready.</summary>
    /// <param name="values">Values of the chart, as YAML.</param>
    public async Task<ClusterUnderTest> InstallClusterAsync(string values)
    {
        await StartAsync();
        var cluster = new ClusterUnderTest(this, await plane.CreateNamespaceAsync());
        await cluster.InstallAsync(values);
        await cluster.WaitAsync("Ready", "weircluster/w");
        return cluster;
    }

    public async ValueTask DisposeAsync()
    {
        if (_pods is not null)
        {
            await _pods.DisposeAsync();
        }
    }

    private async Task StartOperatorAsync()
    {
        _pods = await PodRunner.StartAsync(plane);
        var outcome = await Helm.TryAsync(
            string.Empty,
            [
                "install", "weir", Chart("weir-operator"), "--namespace", OperatorNamespace, "--create-namespace", "--wait",
                "--timeout", "3m", .. plane.HelmArguments,
            ]);
        Assert.True(outcome.ExitCode == 0, $"{outcome}\n{_pods.Describe(OperatorNamespace)}");
    }
}

/// <summary>A release of weir-cluster named w. Dispose uninstalls it and deletes its namespace.</summary>
public sealed class ClusterUnderTest(Platform platform, string ns) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public string Namespace => ns;

    /// <summary>Where clients in pods connect to.</summary>
    public string Server => $"w.{ns}.svc:9650";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static string BrokerPod(int ordinal) => $"w-broker-{ordinal}";

    public Task InstallAsync(string values) => HelmAsync("install", values);

    public Task UpgradeAsync(string values) => HelmAsync("upgrade", values);

    public Task<string> KubectlAsync(params string[] arguments) => platform.Kubectl.RunAsync(["--namespace", ns, .. arguments]);

    public Task<ToolOutcome> TryKubectlAsync(params string[] arguments) =>
        platform.Kubectl.TryAsync(string.Empty, ["--namespace", ns, .. arguments]);

    /// <summary>Applies a manifest.</summary>
    public Task<string> ApplyAsync(string manifest) =>
        platform.Kubectl.RunWithInputAsync(manifest, "--namespace", ns, "apply", "--filename", "-");

    /// <summary>kubectl wait, which says what it saw if it waited in vain.</summary>
    public async Task WaitAsync(string condition, string resource)
    {
        var outcome = await TryKubectlAsync(
            "wait", $"--for=condition={condition}", resource, $"--timeout={Patience.TotalSeconds:F0}s");
        Assert.True(
            outcome.ExitCode == 0,
            $"{resource} is not {condition}: {outcome}\n{(await TryKubectlAsync("get", resource, "--output", "yaml")).Output}\n"
            + $"{platform.Pods.Describe(ns)}\n\n{platform.Pods.Describe(Platform.OperatorNamespace)}");
    }

    /// <summary>Waits until the object is as told.</summary>
    public async Task<JsonNode> UntilAsync(string what, string resource, Func<JsonNode, bool> holds, TimeSpan? patience = null)
    {
        JsonNode? last = null;
        await Cluster.Tests.Harness.Eventually.HoldsAsync(
            what,
            async _ =>
            {
                var outcome = await TryKubectlAsync("get", resource, "--output", "json");
                last = outcome.ExitCode == 0 ? JsonNode.Parse(outcome.Output) : null;
                return last is not null && holds(last);
            },
            patience ?? Patience,
            () => $"{last?.ToJsonString()}\n{platform.Pods.Describe(ns)}\n\n{platform.Pods.Describe(Platform.OperatorNamespace)}");
        return last!;
    }

    /// <summary>Runs a shell line in the first broker's pod; it must end well.</summary>
    public async Task<string> ShellAsync(string line, int broker = 0)
    {
        var outcome = await platform.Pods.ExecAsync(ns, BrokerPod(broker), "/bin/sh", "-c", line);
        Assert.True(outcome.ExitCode == 0, $"{line}: {outcome}");
        return outcome.Output;
    }

    /// <summary>Starts a pod that publishes with acks=all, and waits until every partition of the topic acknowledges.</summary>
    public async Task<LoadPod> StartLoadAsync(string topic, int partitions, int minIsr)
    {
        var load = new LoadPod(this, platform, $"load-{topic}");
        await load.StartAsync(topic, partitions, minIsr);
        return load;
    }

    public async ValueTask DisposeAsync()
    {
        await platform.Helm.TryAsync(string.Empty, "uninstall", "w", "--namespace", ns);
        await platform.Kubectl.TryAsync(string.Empty, "delete", "namespace", ns, "--timeout=120s");
    }

    private async Task HelmAsync(string verb, string values)
    {
        var file = Path.Combine(platform.Plane.Folder, $"{ns}-values.yaml");
        await File.WriteAllTextAsync(file, values, Token);
        await platform.Helm.RunAsync(verb, "w", Platform.Chart("weir-cluster"), "--namespace", ns, "--values", file);
    }
}
