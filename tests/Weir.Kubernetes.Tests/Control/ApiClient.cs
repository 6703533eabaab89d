using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

namespace Weir.Kubernetes.Tests.Control;

/// <summary>Speaks to the API server by paths and JSON, as its administrator. Thread-safe.</summary>
public sealed class ApiClient : IDisposable
{
    public const string MergePatch = "application/merge-patch+json";
    private const string Json = "application/json";
    private readonly HttpClient _http;
    private readonly X509Certificate2 _client;
    private readonly X509Certificate2 _authority;

    public ApiClient(Uri server, Certificates certificates)
    {
        using var pem = X509Certificate2.CreateFromPemFile(certificates.CertificateOf("admin"), certificates.KeyOf("admin"));
        _client = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        _authority = X509CertificateLoader.LoadCertificateFromFile(certificates.Authority);
        var handler = new SocketsHttpHandler { MaxConnectionsPerServer = 64 };
        handler.SslOptions.ClientCertificates = [_client];
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.Add(_authority);
        _http = new HttpClient(handler) { BaseAddress = server, Timeout = Timeout.InfiniteTimeSpan };
    }

    public Task<JsonNode> GetAsync(string path, CancellationToken ct) => SendAsync(HttpMethod.Get, path, null, Json, ct);

    public Task<JsonNode> PostAsync(string path, JsonNode body, CancellationToken ct) =>
        SendAsync(HttpMethod.Post, path, body, Json, ct);

    public Task<JsonNode> MergeAsync(string path, JsonNode body, CancellationToken ct) =>
        SendAsync(HttpMethod.Patch, path, body, MergePatch, ct);

    public Task<JsonNode> DeleteAsync(string path, JsonNode? body, CancellationToken ct) =>
        SendAsync(HttpMethod.Delete, path, body, Json, ct);

    /// <summary>The object, or null if there is none.</summary>
    public async Task<JsonNode?> FindAsync(string path, CancellationToken ct)
    {
        try
        {
            return await GetAsync(path, ct);
        }
        catch (ApiException e) when (e.Status == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>What is no JSON, as the figures.</summary>
    public async Task<string> GetTextAsync(string path, CancellationToken ct) => await _http.GetStringAsync(path, ct);

    /// <summary>Events of a watch, until the server ends it.</summary>
    public async IAsyncEnumerable<(string Type, JsonNode Object)> WatchAsync(
        string path, string resourceVersion, [EnumeratorCancellation] CancellationToken ct)
    {
        using var response = await _http.GetAsync(
            $"{path}?watch=true&timeoutSeconds=300&resourceVersion={resourceVersion}", HttpCompletionOption.ResponseHeadersRead, ct);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        while (await reader.ReadLineAsync(ct) is { } line)
        {
            var entry = JsonNode.Parse(line)!;
            yield return ((string)entry["type"]!, entry["object"]!);
        }
    }

    public void Dispose()
    {
        _http.Dispose();
        _client.Dispose();
        _authority.Dispose();
    }

    private async Task<JsonNode> SendAsync(HttpMethod method, string path, JsonNode? body, string type, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(TimeSpan.FromSeconds(30));
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, MediaTypeHeaderValue.Parse(type));
        }

        using var response = await _http.SendAsync(request, timeout.Token);
        var text = await response.Content.ReadAsStringAsync(timeout.Token);
        return response.IsSuccessStatusCode
            ? JsonNode.Parse(text)!
            : throw new ApiException(response.StatusCode, $"{method} {path}: {(int)response.StatusCode} {text}");
    }
}
