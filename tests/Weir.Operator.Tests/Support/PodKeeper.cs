using System.Text.Json.Nodes;

namespace Weir.Operator.Tests.Support;

/// <summary>Plays the StatefulSet controller and the kubelets of cluster "c": its pods are there and ready, its volumes too.</summary>
public sealed class PodKeeper : IAsyncDisposable
{
    public const string StatefulSet = "apis/apps/v1/namespaces/ns/statefulsets/c-broker";
    public const string Pods = "api/v1/namespaces/ns/pods/";
    public const string Claims = "api/v1/namespaces/ns/persistentvolumeclaims/";
    private readonly CancellationTokenSource _stop = new();
    private readonly ApiServer _server;
    private readonly Task _running;

    public PodKeeper(ApiServer server)
    {
        _server = server;
        _running = RunAsync();
    }

    /// <summary>Whether new pods are ready.</summary>
    public bool PodsAreReady { get; set; } = true;

    /// <summary>Pods that it made.</summary>
    public int Made { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var changed = _server.Changed;
            Keep();
            await changed.WaitAsync(_stop.Token);
        }
    }

    private void Keep()
    {
        if (_server.Get(StatefulSet) is not { } set)
        {
            return;
        }

        var replicas = (int)set["spec"]!["replicas"]!;
        for (var ordinal = 0; ordinal < replicas; ordinal++)
        {
            var path = $"{Pods}c-broker-{ordinal}";
            if (_server.Get(path) is null)
            {
                Made++;
                _server.Put(path, new JsonObject
                {
                    ["apiVersion"] = "v1",
                    ["kind"] = "Pod",
                    ["metadata"] = set["spec"]!["template"]!["metadata"]!.DeepClone(),
                    ["spec"] = set["spec"]!["template"]!["spec"]!.DeepClone(),
                    ["status"] = new JsonObject
                    {
                        ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = PodsAreReady ? "True" : "False" }),
                    },
                });
            }

            var claim = $"{Claims}data-c-broker-{ordinal}";
            if (_server.Get(claim) is null)
            {
                var template = set["spec"]!["volumeClaimTemplates"]![0]!;
                _server.Put(claim, new JsonObject
                {
                    ["apiVersion"] = "v1",
                    ["kind"] = "PersistentVolumeClaim",
                    ["metadata"] = new JsonObject { ["labels"] = template["metadata"]!["labels"]!.DeepClone() },
                    ["spec"] = template["spec"]!.DeepClone(),
                });
            }
        }

        foreach (var pod in _server.List(Pods).Where(pod => int.Parse(((string)pod["metadata"]!["name"]!).Split('-')[^1]) >= replicas))
        {
            _server.Remove(Pods + (string)pod["metadata"]!["name"]!);
        }
    }
}
