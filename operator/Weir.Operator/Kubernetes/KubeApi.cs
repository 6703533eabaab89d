using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weir.Operator.Hosting;

namespace Weir.Operator.Kubernetes;

/// <summary>
/// Requests to the API server over the connection and credentials of the official client. One for the whole process: the
/// connections are pooled. Thread-safe.
/// </summary>
internal sealed class KubeApi : IDisposable
{
    private const int Attempts = 4;
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);
    private readonly k8s.Kubernetes _client;
    private readonly TimeProvider _time;
    private readonly OperatorMetrics _metrics;

    public KubeApi(k8s.Kubernetes client, TimeProvider time, OperatorMetrics metrics)
    {
        _client = client;
        _time = time;
        _metrics = metrics;

        // Each request has its own bound; a watch has none but its watchdog.
        _client.HttpClient.Timeout = Timeout.InfiniteTimeSpan;
    }

    /// <summary>Longest time of one request that is not a watch.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    public void Dispose() => _client.Dispose();

    /// <summary>Sends a request and reads the object of the response.</summary>
    /// <exception cref="KubeApiException">It was refused.</exception>
    public async Task<JsonNode> SendAsync(
        HttpMethod method, string path, JsonNode? body, string contentType, CancellationToken cancellationToken)
    {
        using var response = await SendWithRetriesAsync(method, path, body, contentType, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        try
        {
            return JsonNode.Parse(text) ?? throw Garbage(response.StatusCode);
        }
        catch (JsonException)
        {
            throw Garbage(response.StatusCode);
        }
    }

    /// <summary>Opens a stream; the caller disposes the response. Headers may come only with the first event.</summary>
    /// <exception cref="KubeApiException">It was refused.</exception>
    public async Task<HttpResponseMessage> OpenStreamAsync(string path, CancellationToken cancellationToken)
    {
        using var request = await CreateAsync(HttpMethod.Get, path, null, string.Empty, cancellationToken);
        var response = await _client.HttpClient.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        _metrics.CountRequest("WATCH", (int)response.StatusCode);
        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw await ToExceptionAsync(response, cancellationToken);
        }
    }

    /// <summary>The error that a Status object stands for.</summary>
    public static KubeApiException ToException(JsonElement status, TimeSpan? retryAfter = null) => new(
        (HttpStatusCode)(status.TryGetProperty("code", out var code) && code.TryGetInt32(out var number) ? number : 500),
        Text(status, "reason"),
        Text(status, "message"),
        retryAfter);

    private static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.String ? value.GetString()! : string.Empty;

    private static KubeApiException Garbage(HttpStatusCode status) => new(status, "Garbage", "the response is no JSON object");

    private static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider time) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - time.GetUtcNow(),
        _ => null,
    };

    private async Task<HttpResponseMessage> SendWithRetriesAsync(
        HttpMethod method, string path, JsonNode? body, string contentType, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var response = await SendOnceAsync(method, path, body, contentType, cancellationToken);
            if (response.IsSuccessStatusCode)
            {
                return response;
            }

            KubeApiException refusal;
            using (response)
            {
                refusal = await ToExceptionAsync(response, cancellationToken);
            }

            // 429 promises that nothing was done.
            if (refusal.Status != HttpStatusCode.TooManyRequests || attempt == Attempts
                || refusal.RetryAfter is not { } wait || wait > LongestWait)
            {
                throw refusal;
            }

            await Task.Delay(wait, _time, cancellationToken);
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(
        HttpMethod method, string path, JsonNode? body, string contentType, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(RequestTimeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        using var request = await CreateAsync(method, path, body, contentType, linked.Token);
        try
        {
            var response = await _client.HttpClient.SendAsync(request, HttpCompletionOption.ResponseContentRead, linked.Token);
            _metrics.CountRequest(method.Method, (int)response.StatusCode);
            return response;
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new HttpRequestException($"{method} {path}: no response within {RequestTimeout.TotalSeconds:0} s", e);
        }
    }

    private async Task<HttpRequestMessage> CreateAsync(
        HttpMethod method, string path, JsonNode? body, string contentType, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(method, new Uri(_client.BaseUri, path.TrimStart('/')))
        {
            Version = HttpVersion.Version11,
        };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        }

        if (_client.Credentials is { } credentials)
        {
            await credentials.ProcessHttpRequestAsync(request, cancellationToken);
        }

        return request;
    }

    private async Task<KubeApiException> ToExceptionAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        var retryAfter = RetryAfter(response, _time);
        try
        {
            using var document = JsonDocument.Parse(text);
            var status = document.RootElement;
            return new KubeApiException(response.StatusCode, Text(status, "reason"), Text(status, "message"), retryAfter);
        }
        catch (JsonException)
        {
            var shown = text.Length > 200 ? text[..200] : text;
            return new KubeApiException(response.StatusCode, response.ReasonPhrase ?? string.Empty, shown, retryAfter);
        }
    }
}
