using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Operator.Hosting;

namespace Weir.Operator.Tests.Support;

/// <summary>The operator's own parts on a scripted API server, and a real broker as the cluster that resources name.</summary>
public sealed class OperatorBed : IAsyncDisposable
{
    public const string Topics = "apis/weir.dev/v1alpha1/namespaces/ns/topics/";
    public const string Groups = "apis/weir.dev/v1alpha1/namespaces/ns/consumergroups/";
    public const string Resets = "apis/weir.dev/v1alpha1/namespaces/ns/consumergroupresets/";
    public const string Clusters = "apis/weir.dev/v1alpha1/namespaces/ns/weirclusters/";
    private CancellationTokenSource _stop = new();
    private OperatorParts? _parts;
    private Task _running = Task.CompletedTask;

    private OperatorBed(ApiServer server, TestBroker broker)
    {
        Server = server;
        Broker = broker;
    }

    public ApiServer Server { get; }

    public TestBroker Broker { get; }

    /// <summary>What the operator that runs last has counted.</summary>
    internal OperatorMetrics Metrics { get; private set; } = new();

    /// <summary>Image of brokers whose specification names none.</summary>
    public string BrokerImage { get; set; } = "registry:5000/weir:1";

    /// <summary>Whether the operator keeps what it knows of a cluster for its usual times; otherwise it asks in each pass.</summary>
    public bool IsUsual { get; set; }

    public static async Task<OperatorBed> CreateAsync()
    {
        var bed = new OperatorBed(await ApiServer.StartAsync(), await TestBroker.StartAsync());
        bed.PutCluster();
        return bed;
    }

    /// <summary>A bed whose broker has the name of the first pod of cluster "c", and on which there is no cluster yet.</summary>
    public static async Task<OperatorBed> CreateForClusterAsync() =>
        new(await ApiServer.StartAsync(), await TestBroker.StartAsync("c-broker-0.c-brokers.ns.svc:9650"));

    /// <summary>A bed on which the operator runs already.</summary>
    public static async Task<OperatorBed> StartAsync()
    {
        var bed = await CreateAsync();
        bed.Run();
        return bed;
    }

    public void Run()
    {
        Metrics = new OperatorMetrics();
        var runtime = new OperatorRuntime(TimeProvider.System, static () => 0.5, Metrics, NullLogger.Instance);
        _parts = new OperatorParts(
            Server.Connect(TimeProvider.System, Metrics), new OperatorOptions { BrokerImage = BrokerImage }, runtime,
            NullLoggerFactory.Instance, _ => Broker.Address,
            access => IsUsual ? access : access with
            {
                SnapshotAge = TimeSpan.Zero, DetailAge = TimeSpan.Zero, RetryAfter = TimeSpan.FromMilliseconds(100),
            });
        _running = Task.WhenAll(_parts.RunCachesAsync(_stop.Token), _parts.RunControllersAsync(_stop.Token));
    }

    /// <summary>Another instance of the operator takes over.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        _stop.Dispose();
        _stop = new CancellationTokenSource();
        Run();
        await _parts!.Synced;
    }

    /// <summary>Ends the operator, as a kill between two passes would.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_parts is not null)
        {
            await _parts.DisposeAsync();
            _parts = null;
        }
    }

    /// <summary>A cluster that the operator leaves alone: its resources are what is tested.</summary>
    public void PutCluster(string name = "c", Action<JsonObject>? change = null)
    {
        var cluster = new JsonObject
        {
            ["apiVersion"] = "weir.dev/v1alpha1",
            ["kind"] = "WeirCluster",
            ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { ["weir.dev/pause"] = "true" } },
            ["spec"] = new JsonObject { ["brokers"] = 1 },
        };
        change?.Invoke(cluster);
        Server.Put(Clusters + name, cluster);
    }

    public string PutTopic(string name, string spec = "{}", string ns = "ns", string created = "2026-01-01T00:00:00Z") =>
        Put(Topics, "Topic", name, spec, ns, created);

    public string PutGroup(string name, string spec, string ns = "ns") => Put(Groups, "ConsumerGroup", name, spec, ns, null);

    public string PutReset(string name, string spec) => Put(Resets, "ConsumerGroupReset", name, spec, "ns", null);

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Server.DisposeAsync();
        await Broker.DisposeAsync();
        _stop.Dispose();
    }

    private string Put(string prefix, string kind, string name, string spec, string ns, string? created)
    {
        var content = (JsonObject)JsonNode.Parse(spec)!;
        content["clusterRef"] ??= new JsonObject { ["name"] = "c", ["namespace"] = "ns" };
        var path = prefix.Replace("/ns/", $"/{ns}/", StringComparison.Ordinal) + name;
        var metadata = new JsonObject();
        if (created is not null)
        {
            metadata["creationTimestamp"] = created;
        }

        var before = Server.Get(path);
        if (before is not null)
        {
            before["spec"] = content;
            Server.Put(path, before);
        }
        else
        {
            Server.Put(path, new JsonObject
            {
                ["apiVersion"] = "weir.dev/v1alpha1", ["kind"] = kind, ["metadata"] = metadata, ["spec"] = content,
            });
        }

        return path;
    }
}
