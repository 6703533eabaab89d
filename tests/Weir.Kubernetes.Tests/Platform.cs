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

    /// <summary>Installs the operator, or upgrades it, and waits until it runs.</summary>
    public async Task HelmOperatorAsync(string verb, params string[] values)
    {
        var outcome = await Helm.TryAsync(
            string.Empty,
            [
                verb, "weir", Chart("weir-operator"), "--namespace", OperatorNamespace, "--wait", "--timeout", "3m",
                .. verb == "install" ? ["--create-namespace"] : Array.Empty<string>(),
                .. values.SelectMany(static value => (string[])["--set", value]), .. plane.HelmArguments,
            ]);
        Assert.True(outcome.ExitCode == 0, $"{outcome}\n{Pods.Describe(OperatorNamespace)}");
    }

    /// <summary>Runs the tests of a release; they must succeed.</summary>
    public async Task HelmTestAsync(string release, string ns)
    {
        var outcome = await Helm.TryAsync(string.Empty, ["test", release, "--namespace", ns, "--timeout", "2m"]);
        Assert.True(
            outcome.ExitCode == 0 && outcome.Output.Contains("Succeeded", StringComparison.Ordinal), $"{outcome}\n{Pods.Describe(ns)}");
    }

    /// <summary>The pod of the instance that leads.</summary>
    public async Task<string> OperatorLeaderAsync()
    {
        var lease = await plane.Api.GetAsync(
            $"/apis/coordination.k8s.io/v1/namespaces/{OperatorNamespace}/leases/weir-weir-operator",
            TestContext.Current.CancellationToken);
        return ((string)lease["spec"]!["holderIdentity"]!).Split('_')[0];
    }

    /// <summary>Ends every fault of the network, if there is one.</summary>
    public void Heal() => _pods?.Faults.Heal();

    /// <summary>The pods of all instances.</summary>
    public async Task<string[]> OperatorPodsAsync() =>
        (await Kubectl.RunAsync(
            "--namespace", OperatorNamespace, "get", "pods", "--selector", "app.kubernetes.io/component=operator", "--output",
            "jsonpath={.items[*].metadata.name}")).Split(' ');

    /// <summary>SIGKILL to the instance that leads.</summary>
    public async Task KillOperatorAsync()
    {
        var leader = await OperatorLeaderAsync();
        TestContext.Current.TestOutputHelper?.WriteLine($"{leader} is killed");
        Pods.Signal(OperatorNamespace, leader, Cluster.Tests.Harness.ProcessSignals.Kill);
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
        await HelmOperatorAsync("install");
    }
}

/// <summary>A release of weir-cluster named w. Dispose deletes its namespace.</summary>
public sealed class ClusterUnderTest(Platform platform, string ns) : IAsyncDisposable
{
    /// <summary>For what takes several restarts of brokers.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    public string Namespace => ns;

    /// <summary>Where clients in pods connect to.</summary>
    public string Server => $"w.{ns}.svc:9650";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static string BrokerPod(int ordinal) => $"w-broker-{ordinal}";

    public Task InstallAsync(string values) => HelmAsync("install", values);

    public Task UpgradeAsync(string values) => HelmAsync("upgrade", values);

    public Task UninstallAsync() => platform.Helm.RunAsync("uninstall", "w", "--namespace", ns);

    public Task<string> KubectlAsync(params string[] arguments) => platform.Kubectl.RunAsync(["--namespace", ns, .. arguments]);

    public Task<ToolOutcome> TryKubectlAsync(params string[] arguments) =>
        platform.Kubectl.TryAsync(string.Empty, ["--namespace", ns, .. arguments]);

    /// <summary>Applies a manifest.</summary>
    public Task<string> ApplyAsync(string manifest) =>
        platform.Kubectl.RunWithInputAsync(manifest, "--namespace", ns, "apply", "--filename", "-");

    /// <summary>Applies a topic and waits until it is ready.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="partitions">Partitions.</param>
    /// <param name="replicas">Replicas of each.</param>
    /// <param name="more">Further fields of its specification, as YAML.</param>
    public async Task CreateTopicAsync(string name, int partitions = 1, int replicas = 1, string more = "")
    {
        await ApplyAsync(Values.Topic(name, partitions, replicas, more));
        await WaitAsync("Ready", $"topic/{name}");
    }

    /// <summary>Applies a keyed group and waits until it is ready.</summary>
    public async Task CreateGroupAsync(string name, string topic, string more = "")
    {
        await ApplyAsync(Values.Group(name, topic, more));
        await WaitAsync("Ready", $"consumergroup/{name}");
    }

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
            async ct =>
            {
                last = await platform.Plane.Api.FindAsync(PathOf(resource), ct);
                return last is not null && holds(last);
            },
            patience ?? Patience,
            () => $"{last?.ToJsonString()}\n{platform.Pods.Describe(ns)}\n\n{platform.Pods.Describe(Platform.OperatorNamespace)}");
        return last!;
    }

    public Task<JsonNode> GetAsync(string resource) => platform.Plane.Api.GetAsync(PathOf(resource), Token);

    public Task UntilGoneAsync(string resource) => Cluster.Tests.Harness.Eventually.HoldsAsync(
        $"{resource} is gone", async ct => await platform.Plane.Api.FindAsync(PathOf(resource), ct) is null, Patience,
        () => platform.Pods.Describe(Platform.OperatorNamespace));

    /// <summary>Waits until the cluster is as its resource says now, and well.</summary>
    public Task<JsonNode> UntilStableAsync(int brokers) => UntilAsync(
        $"{brokers} brokers are up and the cluster is stable", "weircluster/w",
        cluster => (long?)cluster["status"]?["observedGeneration"] == (long?)cluster["metadata"]!["generation"]
            && (int?)cluster["spec"]!["brokers"] == brokers
            && ConditionOf(cluster, "Stable") == "True"
            && cluster["status"]!["brokers"]!.AsArray() is { } seen && seen.Count == brokers
            && seen.All(static broker => (bool?)broker!["upToDate"] == true));

    /// <summary>Status of a condition: True, False or Unknown; null if there is none.</summary>
    public static string? ConditionOf(JsonNode resource, string type) => (string?)resource["status"]?["conditions"]?.AsArray()
        .FirstOrDefault(condition => (string?)condition!["type"] == type)?["status"];

    /// <summary>Uids of the brokers' pods by name: another uid is another pod.</summary>
    public async Task<Dictionary<string, string>> PodsAsync()
    {
        var pods = await platform.Plane.Api.GetAsync(
            $"/api/v1/namespaces/{ns}/pods?labelSelector=app.kubernetes.io/component=broker", Token);
        return pods["items"]!.AsArray().ToDictionary(
            static pod => (string)pod!["metadata"]!["name"]!, static pod => (string)pod!["metadata"]!["uid"]!);
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

    /// <summary>The namespace goes with all that is in it, while the next test begins.</summary>
    public async ValueTask DisposeAsync() =>
        await platform.Kubectl.TryAsync(string.Empty, "delete", "namespace", ns, "--wait=false");

    private string PathOf(string resource)
    {
        var (kind, name) = (resource.Split('/')[0], resource.Split('/')[1]);
        return kind == "pod"
            ? $"/api/v1/namespaces/{ns}/pods/{name}"
            : $"/apis/weir.dev/v1alpha1/namespaces/{ns}/{kind}s/{name}";
    }

    private async Task HelmAsync(string verb, string values)
    {
        var file = Path.Combine(platform.Plane.Folder, $"{ns}-values.yaml");
        await File.WriteAllTextAsync(file, values, Token);
        await platform.Helm.RunAsync(verb, "w", Platform.Chart("weir-cluster"), "--namespace", ns, "--values", file);
    }
}
