using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Weir.Operator.Kubernetes;

/// <summary>A page of objects.</summary>
/// <param name="Items">Those that could be read.</param>
/// <param name="Undecodable">Keys of those that could not.</param>
/// <param name="ResourceVersion">Where a watch goes on.</param>
/// <param name="Continue">Where the next page starts; null after the last one.</param>
internal sealed record KubePage<T>(
    List<T> Items, List<ObjectKey> Undecodable, string ResourceVersion, string? Continue);

/// <summary>What a watch brought.</summary>
/// <param name="Type">ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.</param>
/// <param name="Object">The object; null if it could not be read, and for a bookmark.</param>
/// <param name="Key">The object's name.</param>
/// <param name="ResourceVersion">Where a watch goes on after it; null if it was not given.</param>
internal readonly record struct KubeEvent<T>(string Type, T? Object, ObjectKey Key, string? ResourceVersion);

/// <summary>
/// The one way to objects of a kind. It knows the kind from <see cref="KubernetesEntityAttribute"/>, of built-in types as of our
/// own. Every method throws <see cref="KubeApiException"/> for a refusal, and <see cref="HttpRequestException"/> or
/// <see cref="IOException"/> if the server cannot be reached. Thread-safe.
/// </summary>
internal sealed class KubeResource<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private const string ApplyPatch = "application/apply-patch+yaml";
    private const string MergePatch = "application/merge-patch+json";
    private const string Json = "application/json";
    private static readonly KubernetesEntityAttribute Entity = typeof(T).GetCustomAttribute<KubernetesEntityAttribute>()!;
    private readonly KubeApi _api;
    private readonly string _version;

    /// <param name="api">The API server.</param>
    /// <param name="version">Another version than the type's own, for servers that do not serve that one.</param>
    public KubeResource(KubeApi api, string? version = null)
    {
        _api = api;
        _version = version ?? Entity.ApiVersion;
    }

    /// <summary>Group and version as they stand in objects.</summary>
    public string ApiVersion => Entity.Group.Length == 0 ? _version : $"{Entity.Group}/{_version}";

    public static string Kind => Entity.Kind;

    /// <summary>One page.</summary>
    /// <param name="ns">A namespace; empty for all.</param>
    /// <param name="labelSelector">Empty for everything.</param>
    /// <param name="limit">Most objects of the page; 0 for no bound.</param>
    /// <param name="from">Where the page starts; null for the first one.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task<KubePage<T>> ListAsync(
        string ns, string labelSelector, int limit, string? from, CancellationToken cancellationToken)
    {
        List<(string, string?)> query = [("labelSelector", labelSelector), ("continue", from)];
        if (limit > 0)
        {
            query.Add(("limit", limit.ToString(CultureInfo.InvariantCulture)));
        }

        var reply = await _api.SendAsync(HttpMethod.Get, Path(ns, null, null, query), null, Json, cancellationToken);
        if (reply is not JsonObject list || list["items"] is not (null or JsonArray))
        {
            throw new KubeApiException(System.Net.HttpStatusCode.OK, "Garbage", "the response is no list");
        }

        var items = new List<T>();
        var undecodable = new List<ObjectKey>();
        foreach (var node in list["items"] as JsonArray ?? [])
        {
            if (TryRead(node, out var item))
            {
                items.Add(item);
            }
            else
            {
                undecodable.Add(KeyOf(node));
            }
        }

        var metadata = list["metadata"];
        var next = (string?)metadata?["continue"];
        return new KubePage<T>(
            items, undecodable, (string?)metadata?["resourceVersion"] ?? string.Empty, string.IsNullOrEmpty(next) ? null : next);
    }

    /// <summary>
    /// Changes after a resource version. The enumeration ends when the server ends it; an error within the stream, such as 410,
    /// throws. A line that is no event throws <see cref="JsonException"/>; an object that cannot be read comes without it.
    /// </summary>
    /// <param name="ns">A namespace; empty for all.</param>
    /// <param name="labelSelector">Empty for everything.</param>
    /// <param name="resourceVersion">Where to start.</param>
    /// <param name="timeout">When the server shall end it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<KubeEvent<T>> WatchAsync(
        string ns, string labelSelector, string resourceVersion, TimeSpan timeout,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var path = Path(ns, null, null,
        [
            ("watch", "true"), ("allowWatchBookmarks", "true"), ("labelSelector", labelSelector),
            ("resourceVersion", resourceVersion),
            ("timeoutSeconds", ((int)timeout.TotalSeconds).ToString(CultureInfo.InvariantCulture)),
        ]);
        using var response = await _api.OpenStreamAsync(path, cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var reader = new StreamReader(stream);
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Length > 0)
            {
                yield return ReadEvent(line);
            }
        }
    }

    /// <summary>An object; null if there is none.</summary>
    public async Task<T?> GetAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        try
        {
            return Read(await _api.SendAsync(HttpMethod.Get, Path(key, null), null, Json, cancellationToken));
        }
        catch (KubeApiException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Creates an object.</summary>
    /// <exception cref="KubeApiException">With IsConflict if it exists.</exception>
    public async Task<T> CreateAsync(ObjectKey key, JsonObject body, string fieldManager, CancellationToken cancellationToken) =>
        Read(await _api.SendAsync(
            HttpMethod.Post, Path(key.Namespace, null, null, [("fieldManager", fieldManager)]), WithKind(body, key), Json,
            cancellationToken));

    /// <summary>Replaces an object; its resource version must be the present one.</summary>
    public async Task<T> ReplaceAsync(ObjectKey key, JsonObject body, string fieldManager, CancellationToken cancellationToken) =>
        Read(await _api.SendAsync(
            HttpMethod.Put, Path(key, null, ("fieldManager", fieldManager)), WithKind(body, key), Json, cancellationToken));

    /// <summary>Applies fields on the server's side; those that the manager applied before and does not now are taken away.</summary>
    /// <param name="key">The object, which is created if there is none, unless the body names a uid.</param>
    /// <param name="body">The fields that are wanted, and no others.</param>
    /// <param name="fieldManager">In whose name; conflicts with others are won.</param>
    /// <param name="subresource">status, or null for the object.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task<T> ApplyAsync(
        ObjectKey key, JsonObject body, string fieldManager, string? subresource, CancellationToken cancellationToken) =>
        Read(await _api.SendAsync(
            HttpMethod.Patch, Path(key, subresource, ("fieldManager", fieldManager), ("force", "true")), WithKind(body, key),
            ApplyPatch, cancellationToken));

    /// <summary>Changes some fields.</summary>
    public async Task<T> MergeAsync(ObjectKey key, JsonObject body, string fieldManager, CancellationToken cancellationToken) =>
        Read(await _api.SendAsync(
            HttpMethod.Patch, Path(key, null, ("fieldManager", fieldManager)), body, MergePatch, cancellationToken));

    /// <summary>Deletes an object, if it is still the one that is meant. One that is gone is fine.</summary>
    /// <param name="key">The object.</param>
    /// <param name="uid">Its uid; another object of the same name stays.</param>
    /// <param name="orphan">Whether what it owns stays.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task DeleteAsync(ObjectKey key, string uid, bool orphan, CancellationToken cancellationToken)
    {
        var options = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "DeleteOptions",
            ["preconditions"] = new JsonObject { ["uid"] = uid },
            ["propagationPolicy"] = orphan ? "Orphan" : "Background",
        };
        try
        {
            await _api.SendAsync(HttpMethod.Delete, Path(key, null), options, Json, cancellationToken);
        }
        catch (KubeApiException e) when (e.IsNotFound || e.IsConflict)
        {
            // Gone, or another one by now.
        }
    }

    private static T Read(JsonNode node) => KubernetesJson.Deserialize<T>(node);

    private static bool TryRead(JsonNode? node, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out T? item)
    {
        item = null;
        try
        {
            item = node is JsonObject ? KubernetesJson.Deserialize<T>(node) : null;
            return item?.Metadata?.Name is not null;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or NotSupportedException)
        {
            return false;
        }
    }

    private static ObjectKey KeyOf(JsonNode? node) => new(
        node?["metadata"]?["namespace"]?.ToString() ?? string.Empty, node?["metadata"]?["name"]?.ToString() ?? string.Empty);

    private static KubeEvent<T> ReadEvent(string line)
    {
        var node = JsonNode.Parse(line) as JsonObject;
        var type = node?["type"] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
        var content = node?["object"];
        if (type is null || content is not JsonObject)
        {
            throw new JsonException("a line of a watch is no event");
        }

        if (type == "ERROR")
        {
            using var status = JsonDocument.Parse(content.ToJsonString());
            throw KubeApi.ToException(status.RootElement);
        }

        var version = (string?)content["metadata"]?["resourceVersion"];
        return type == "BOOKMARK" || !TryRead(content, out var item)
            ? new KubeEvent<T>(type, null, KeyOf(content), version)
            : new KubeEvent<T>(type, item, ObjectKey.Of(item), version);
    }

    private JsonObject WithKind(JsonObject body, ObjectKey key)
    {
        var whole = (JsonObject)body.DeepClone();
        whole["apiVersion"] = ApiVersion;
        whole["kind"] = Kind;
        var metadata = whole["metadata"] as JsonObject ?? [];
        metadata["name"] = key.Name;
        metadata["namespace"] = key.Namespace;
        whole["metadata"] = metadata;
        return whole;
    }

    private string Path(ObjectKey key, string? subresource, params (string, string?)[] query) =>
        Path(key.Namespace, key.Name, subresource, query);

    private string Path(string ns, string? name, string? subresource, IReadOnlyList<(string Name, string? Value)> query)
    {
        var path = Entity.Group.Length == 0 ? $"api/{_version}" : $"apis/{Entity.Group}/{_version}";
        path += ns.Length == 0 ? $"/{Entity.PluralName}" : $"/namespaces/{ns}/{Entity.PluralName}";
        path += name is null ? string.Empty : $"/{name}";
        path += subresource is null ? string.Empty : $"/{subresource}";
        var given = query.Where(static pair => !string.IsNullOrEmpty(pair.Value))
            .Select(static pair => $"{pair.Name}={Uri.EscapeDataString(pair.Value!)}").ToList();
        return given.Count == 0 ? path : $"{path}?{string.Join('&', given)}";
    }
}
