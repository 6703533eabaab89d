using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Tests.Support;

/// <summary>
/// An API server in this process that keeps objects in memory and speaks list, watch, patch, delete and finalizers over real HTTP,
/// with faults that a test scripts. It checks no schema and collects no garbage.
/// </summary>
public sealed class ApiServer : IAsyncDisposable
{
    /// <summary>Also for a thousand topics on a machine that is busy with other tests.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    private readonly WebApplication _app;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, JsonObject> _objects = [];
    private readonly List<(long Version, string Type, string Path, JsonObject Object)> _history = [];
    private readonly List<string> _writes = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _version = 100;
    private long _forgotten;

    private ApiServer(WebApplication app) => _app = app;

    /// <summary>May answer a request itself, and then returns true.</summary>
    public Func<HttpContext, Task<bool>> Intercept { get; set; } = static _ => Task.FromResult(false);

    /// <summary>Groups with version that are answered with 404, as apis/policy/v1.</summary>
    public HashSet<string> NotServed { get; } = [];

    public string Address => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Everything but reads, as "PATCH path", in order; reads of leases and events left out.</summary>
    public IReadOnlyList<string> Writes
    {
        get
        {
            lock (_lock)
            {
                return [.. _writes];
            }
        }
    }

    /// <summary>Completes with the next change.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return _changed.Task;
            }
        }
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<ApiServer> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var server = new ApiServer(app);
        app.Run(server.AnswerAsync);
        await app.StartAsync(Token);
        return server;
    }

    /// <summary>A connection to it.</summary>
    internal KubeApi Connect(TimeProvider time, OperatorMetrics metrics) =>
        new(new k8s.Kubernetes(new KubernetesClientConfiguration { Host = Address }), time, metrics);

    /// <summary>An object as it is; null if there is none.</summary>
    public JsonObject? Get(string path)
    {
        lock (_lock)
        {
            return _objects.GetValueOrDefault(path)?.DeepClone() as JsonObject;
        }
    }

    /// <summary>All objects below a path.</summary>
    public IReadOnlyList<JsonObject> List(string prefix)
    {
        lock (_lock)
        {
            return [.. _objects.Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal))
                .OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => (JsonObject)pair.Value.DeepClone())];
        }
    }

    /// <summary>Puts an object in, as a user would; its spec counts a generation if it changed.</summary>
    public JsonObject Put(string path, JsonObject item)
    {
        lock (_lock)
        {
            return Store(path, (JsonObject)item.DeepClone());
        }
    }

    /// <summary>Changes an object, as another controller would.</summary>
    public void Change(string path, Action<JsonObject> change)
    {
        lock (_lock)
        {
            var item = (JsonObject)_objects[path].DeepClone();
            change(item);
            Store(path, item);
        }
    }

    /// <summary>Takes an object out without asking its finalizers, and without any watch hearing of it if that is said.</summary>
    public void Remove(string path, bool isSilent = false)
    {
        lock (_lock)
        {
            var item = _objects[path];
            _objects.Remove(path);
            _version++;
            Note("DELETED", path, item, isSilent);
        }
    }

    /// <summary>Deletes as a user would: finalizers hold it.</summary>
    public void Delete(string path)
    {
        lock (_lock)
        {
            DeleteLocked(path);
        }
    }

    /// <summary>What was watched so far is forgotten: a watch from before gets 410.</summary>
    public void ForgetHistory()
    {
        lock (_lock)
        {
            _history.Clear();
            _forgotten = ++_version;
        }
    }

    /// <summary>Forgets the writes so far.</summary>
    public void ClearWrites()
    {
        lock (_lock)
        {
            _writes.Clear();
        }
    }

    /// <summary>Waits until a condition holds; it is looked at after every change.</summary>
    public async Task<T> WaitAsync<T>(string phase, Func<T?> condition)
        where T : class
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(Patience);
        while (true)
        {
            var changed = Changed;
            if (condition() is { } found)
            {
                return found;
            }

            try
            {
                await changed.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                string[] last =
                [
                    $"not within {Patience.TotalSeconds:0} s: {phase}",
                    .. _objects.Values.Take(20).Select(static item => item.ToJsonString()),
                    .. Writes.TakeLast(20),
                ];
                Assert.Fail(string.Join('\n', last));
            }
        }
    }

    /// <summary>Waits until a condition of an object has a status and a reason.</summary>
    public Task<JsonObject> WaitForConditionAsync(string path, string type, string status, string? reason = null) => WaitAsync(
        $"{path} has {type}={status} {reason}",
        () => Get(path) is { } item && FindCondition(item, type) is { } condition
            && (string?)condition["status"] == status && (reason is null || (string?)condition["reason"] == reason)
            && (long?)condition["observedGeneration"] == (long?)item["metadata"]!["generation"]
            ? item
            : null);

    public static JsonObject? FindCondition(JsonObject item, string type) =>
        (item["status"]?["conditions"] as JsonArray)?.OfType<JsonObject>().FirstOrDefault(c => (string?)c["type"] == type);

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    internal static Task FailAsync(HttpContext context, int code, string reason, string message)
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(Status(code, reason, message).ToJsonString());
    }

    internal static JsonObject Status(int code, string reason, string message) => new()
    {
        ["kind"] = "Status", ["apiVersion"] = "v1", ["status"] = "Failure", ["code"] = code, ["reason"] = reason, ["message"] = message,
    };

    private async Task AnswerAsync(HttpContext context)
    {
        if (await Intercept(context))
        {
            return;
        }

        var path = context.Request.Path.Value!.Trim('/');
        if (NotServed.Any(prefix => path.StartsWith(prefix + "/", StringComparison.Ordinal)))
        {
            await FailAsync(context, 404, "NotFound", "the server could not find the requested resource");
            return;
        }

        if (context.Request.Method == "GET" && context.Request.Query["watch"] == "true")
        {
            await WatchAsync(context, path);
            return;
        }

        var body = context.Request.Method == "GET" ? null : await JsonNode.ParseAsync(context.Request.Body);
        JsonObject? reply;
        int code;
        lock (_lock)
        {
            if (context.Request.Method != "GET" && !path.Contains("/events", StringComparison.Ordinal)
                && !path.Contains("/leases", StringComparison.Ordinal))
            {
                _writes.Add($"{context.Request.Method} {path}");
            }

            (code, reply) = context.Request.Method switch
            {
                "GET" => Read(context, path),
                "POST" => Create(path, (JsonObject)body!),
                "PUT" => Write(path, (JsonObject)body!, isApply: false, isPut: true),
                "PATCH" => Write(
                    path, (JsonObject)body!,
                    isApply: context.Request.ContentType!.StartsWith("application/apply-patch", StringComparison.Ordinal), isPut: false),
                "DELETE" => DeleteChecked(path, body),
                _ => (405, Status(405, "MethodNotAllowed", "")),
            };
        }

        context.Response.StatusCode = code;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(reply!.ToJsonString());
    }

    private static bool IsObject(string path) => Segments(path).Name is not null;

    private static (string Collection, string? Ns, string? Name, string? Subresource) Segments(string path)
    {
        var parts = path.Split('/').ToList();
        var root = parts[0] == "api" ? 2 : 3;
        string? ns = null;
        if (parts.Count > root + 2 && parts[root] == "namespaces")
        {
            ns = parts[root + 1];
            parts.RemoveRange(root, 2);
        }

        return (
            string.Join('/', parts.Take(root + 1)), ns, parts.Count > root + 1 ? parts[root + 1] : null,
            parts.Count > root + 2 ? parts[root + 2] : null);
    }

    private static bool Matches(string path, JsonObject item, string collectionPath, string selector)
    {
        var wanted = Segments(collectionPath);
        var (collection, ns, _, _) = Segments(path);
        if (collection != wanted.Collection || (wanted.Ns is not null && wanted.Ns != ns))
        {
            return false;
        }

        return selector.Split(',', StringSplitOptions.RemoveEmptyEntries).All(term =>
        {
            var pair = term.Split('=');
            var value = (string?)item["metadata"]?["labels"]?[pair[0]];
            return pair.Length == 1 ? value is not null : value == pair[1];
        });
    }

    private (int, JsonObject) Read(HttpContext context, string path)
    {
        if (IsObject(path))
        {
            return _objects.TryGetValue(path, out var item)
                ? (200, item)
                : (404, Status(404, "NotFound", $"{path} not found"));
        }

        var selector = context.Request.Query["labelSelector"].ToString();
        var all = _objects.Where(pair => Matches(pair.Key, pair.Value, path, selector))
            .OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => pair.Value).ToList();
        var from = int.TryParse(context.Request.Query["continue"], out var start) ? start : 0;
        var limit = int.TryParse(context.Request.Query["limit"], out var count) ? count : int.MaxValue;
        var page = all.Skip(from).Take(limit).Select(static item => item.DeepClone()).ToArray();
        var metadata = new JsonObject { ["resourceVersion"] = _version.ToString(CultureInfo.InvariantCulture) };
        if (from + page.Length < all.Count)
        {
            metadata["continue"] = (from + page.Length).ToString(CultureInfo.InvariantCulture);
        }

        return (200, new JsonObject { ["kind"] = "List", ["metadata"] = metadata, ["items"] = new JsonArray(page) });
    }

    private (int, JsonObject) Create(string path, JsonObject body)
    {
        var key = $"{path}/{body["metadata"]!["name"]}";
        return _objects.ContainsKey(key) ? (409, Status(409, "AlreadyExists", key)) : (201, Store(key, (JsonObject)body.DeepClone()));
    }

    private (int, JsonObject) Write(string path, JsonObject body, bool isApply, bool isPut)
    {
        var (_, _, _, subresource) = Segments(path);
        var key = subresource is null ? path : path[..path.LastIndexOf('/')];
        var uid = (string?)body["metadata"]?["uid"];
        if (!_objects.TryGetValue(key, out var live))
        {
            return isApply && subresource is null
                ? uid is null ? (201, Store(key, (JsonObject)body.DeepClone())) : (409, Status(409, "Conflict", "uid mismatch"))
                : (404, Status(404, "NotFound", key));
        }

        var version = (string?)body["metadata"]?["resourceVersion"];
        if ((uid is not null && uid != (string?)live["metadata"]!["uid"])
            || (version is not null && version != (string?)live["metadata"]!["resourceVersion"]))
        {
            return (409, Status(409, "Conflict", "the object has been modified"));
        }

        var item = (JsonObject)live.DeepClone();
        if (subresource == "status")
        {
            item["status"] = body["status"]?.DeepClone();
        }
        else
        {
            foreach (var (name, value) in body.Where(static pair => pair.Key != "status"))
            {
                Merge(item, name, value, isApply, replaces: isPut && name != "metadata");
            }
        }

        return (200, Store(key, item));
    }

    private static void Merge(JsonObject target, string name, JsonNode? value, bool isApply, bool replaces)
    {
        if (value is null)
        {
            target.Remove(name);
        }
        else if (isApply && name == "finalizers")
        {
            var present = (target[name] as JsonArray ?? []).Select(static n => (string)n!);
            target[name] = new JsonArray([.. present.Union(value.AsArray().Select(static n => (string)n!)).Select(static n => (JsonNode)n)]);
        }
        else if (!replaces && value is JsonObject fields && target[name] is JsonObject inner)
        {
            foreach (var (field, content) in fields)
            {
                Merge(inner, field, content, isApply, replaces: false);
            }
        }
        else
        {
            target[name] = value.DeepClone();
        }
    }

    private JsonObject Store(string key, JsonObject item)
    {
        var metadata = item["metadata"] as JsonObject ?? [];
        item["metadata"] = metadata;
        var (_, ns, name, _) = Segments(key);
        metadata["name"] = name;
        if (ns is not null)
        {
            metadata["namespace"] = ns;
        }

        var before = _objects.GetValueOrDefault(key);
        metadata["uid"] ??= before?["metadata"]?["uid"]?.DeepClone() ?? Guid.NewGuid().ToString();
        metadata["creationTimestamp"] ??= before?["metadata"]?["creationTimestamp"]?.DeepClone() ?? "2026-01-01T00:00:00Z";
        metadata["resourceVersion"] = before?["metadata"]!["resourceVersion"]!.DeepClone();
        var generation = (long?)before?["metadata"]?["generation"] ?? 0;
        metadata["generation"] = before is null || !JsonNode.DeepEquals(before["spec"], item["spec"]) ? generation + 1 : generation;
        if (before is not null && JsonNode.DeepEquals(before, item))
        {
            return item;
        }

        metadata["resourceVersion"] = (++_version).ToString(CultureInfo.InvariantCulture);
        if (metadata["deletionTimestamp"] is not null && (metadata["finalizers"] as JsonArray)?.Count is null or 0)
        {
            _objects.Remove(key);
            Note("DELETED", key, item, isSilent: false);
            return item;
        }

        _objects[key] = item;
        Note(before is null ? "ADDED" : "MODIFIED", key, item, isSilent: false);
        return item;
    }

    private (int, JsonObject) DeleteChecked(string path, JsonNode? options)
    {
        if (!_objects.TryGetValue(path, out var item))
        {
            return (404, Status(404, "NotFound", path));
        }

        if ((string?)options?["preconditions"]?["uid"] is { } uid && uid != (string?)item["metadata"]!["uid"])
        {
            return (409, Status(409, "Conflict", "uid"));
        }

        DeleteLocked(path);
        return (200, Status(200, "Success", ""));
    }

    private void DeleteLocked(string path)
    {
        var item = _objects[path];
        if (item["metadata"]!["finalizers"] is JsonArray { Count: > 0 })
        {
            var going = (JsonObject)item.DeepClone();
            going["metadata"]!["deletionTimestamp"] = "2026-01-01T01:00:00Z";
            Store(path, going);
            return;
        }

        Remove(path);
    }

    private void Note(string type, string path, JsonObject item, bool isSilent)
    {
        if (!isSilent)
        {
            _history.Add((_version, type, path, (JsonObject)item.DeepClone()));
        }

        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }

    private async Task WatchAsync(HttpContext context, string path)
    {
        var selector = context.Request.Query["labelSelector"].ToString();
        var from = long.Parse(context.Request.Query["resourceVersion"].ToString(), CultureInfo.InvariantCulture);
        context.Response.ContentType = "application/json";
        var sent = from;
        while (!context.RequestAborted.IsCancellationRequested)
        {
            List<(long Version, string Type, string Path, JsonObject Object)> events;
            Task changed;
            bool isGone;
            lock (_lock)
            {
                changed = _changed.Task;
                isGone = sent < _forgotten;
                var first = _history.FindLastIndex(entry => entry.Version <= sent) + 1;
                events = [.. _history.Skip(first).Where(entry => Matches(entry.Path, entry.Object, path, selector))];
                sent = _history.Count > first ? _history[^1].Version : sent;
            }

            if (isGone)
            {
                var error = new JsonObject { ["type"] = "ERROR", ["object"] = Status(410, "Expired", "too old resource version") };
                await context.Response.WriteAsync(error.ToJsonString() + "\n");
                return;
            }

            foreach (var entry in events)
            {
                var line = new JsonObject { ["type"] = entry.Type, ["object"] = entry.Object.DeepClone() };
                await context.Response.WriteAsync(line.ToJsonString() + "\n", context.RequestAborted);
            }

            await context.Response.Body.FlushAsync(context.RequestAborted);
            try
            {
                await changed.WaitAsync(context.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
