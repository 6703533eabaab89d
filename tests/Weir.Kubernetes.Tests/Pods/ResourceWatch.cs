using System.Text.Json;
using System.Text.Json.Nodes;
using Weir.Kubernetes.Tests.Control;

namespace Weir.Kubernetes.Tests.Pods;

/// <summary>Tells of every object of a kind, and of its end, one after the other.</summary>
/// <param name="api">The API server.</param>
/// <param name="path">Of the list.</param>
/// <param name="onChange">The object, and whether it is gone.</param>
internal sealed class ResourceWatch(ApiClient api, string path, Action<JsonNode, bool> onChange)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly Dictionary<string, JsonNode> _known = [];

    /// <summary>Watches until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(stop);
            }
            catch (Exception e) when (e is IOException or HttpRequestException or ApiException or JsonException
                or OperationCanceledException)
            {
                await Task.Delay(Pause, TimeProvider.System, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static string UidOf(JsonNode item) => (string)item["metadata"]!["uid"]!;

    private async Task FollowAsync(CancellationToken stop)
    {
        var list = await api.GetAsync(path, stop);
        var items = list["items"]!.AsArray().ToDictionary(static item => UidOf(item!), static item => item!);
        foreach (var gone in _known.Keys.Except(items.Keys).ToList())
        {
            Tell(_known[gone], isGone: true);
        }

        foreach (var item in items.Values)
        {
            Tell(item, isGone: false);
        }

        await foreach (var (type, item) in api.WatchAsync(path, (string)list["metadata"]!["resourceVersion"]!, stop))
        {
            if (type is not ("ADDED" or "MODIFIED" or "DELETED"))
            {
                return;
            }

            Tell(item, type == "DELETED");
        }
    }

    private void Tell(JsonNode item, bool isGone)
    {
        if (isGone)
        {
            _known.Remove(UidOf(item));
        }
        else
        {
            _known[UidOf(item)] = item;
        }

        onChange(item, isGone);
    }
}
