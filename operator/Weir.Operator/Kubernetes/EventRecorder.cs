using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Weir.Operator.Hosting;

namespace Weir.Operator.Kubernetes;

/// <summary>Whether an event is a matter of course.</summary>
internal enum EventType
{
    Normal,
    Warning,
}

/// <summary>
/// Tells people what happened to an object. The same again within an hour is counted in the event that there is, at most once a
/// minute; an object has 25 at once and one each 30 s from then on. Never throws: events are for people only. Thread-safe.
/// </summary>
internal sealed class EventRecorder(KubeResource<Eventsv1Event> events, string instance, TimeProvider time, ILogger logger)
{
    private const int Burst = 25;
    private const int MaxRemembered = 10_000;
    private static readonly TimeSpan SeriesTime = TimeSpan.FromHours(1);
    private static readonly TimeSpan SeriesInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Refill = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, Series> _series = new();
    private readonly ConcurrentDictionary<string, Bucket> _buckets = new();

    /// <summary>Records an event.</summary>
    /// <param name="regarding">The object.</param>
    /// <param name="type">Whether it is a matter of course.</param>
    /// <param name="reason">One word for programs.</param>
    /// <param name="message">For people.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task PublishAsync(
        IKubernetesObject<V1ObjectMeta> regarding, EventType type, string reason, string message,
        CancellationToken cancellationToken)
    {
        try
        {
            var now = time.GetUtcNow();
            var key = $"{regarding.Metadata.Uid}|{type}|{reason}|{message}";
            if (_series.TryGetValue(key, out var series) && now - series.FirstAt < SeriesTime)
            {
                await RepeatAsync(series, now, cancellationToken);
            }
            else if (Take(regarding.Metadata.Uid ?? string.Empty, now))
            {
                Trim();
                await CreateAsync(regarding, type, reason, message, key, now, cancellationToken);
            }
        }
        catch (Exception e) when (e is KubeApiException or HttpRequestException or IOException or System.Text.Json.JsonException)
        {
            OperatorLog.EventLost(logger, reason, e);
        }
    }

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);

    private async Task CreateAsync(
        IKubernetesObject<V1ObjectMeta> regarding, EventType type, string reason, string message, string key,
        DateTimeOffset now, CancellationToken cancellationToken)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{instance}{key}{now.UtcTicks}")))[..16];
        var name = new ObjectKey(regarding.Metadata.NamespaceProperty, $"{regarding.Metadata.Name}.{hash}");
        _series[key] = new Series(name, now);
        await events.CreateAsync(
            name,
            new JsonObject
            {
                ["eventTime"] = Time(now),
                ["type"] = type.ToString(),
                ["reason"] = reason,
                ["action"] = reason,
                ["note"] = message.Length > 1000 ? message[..1000] : message,
                ["reportingController"] = "weir.dev/weir-operator",
                ["reportingInstance"] = instance,
                ["regarding"] = new JsonObject
                {
                    ["apiVersion"] = regarding.ApiVersion,
                    ["kind"] = regarding.Kind,
                    ["name"] = regarding.Metadata.Name,
                    ["namespace"] = regarding.Metadata.NamespaceProperty,
                    ["uid"] = regarding.Metadata.Uid,
                    ["resourceVersion"] = regarding.Metadata.ResourceVersion,
                },
            },
            FieldManagers.Objects,
            cancellationToken);
    }

    private async Task RepeatAsync(Series series, DateTimeOffset now, CancellationToken cancellationToken)
    {
        int count;
        lock (series)
        {
            count = ++series.Count;
            if (now - series.WrittenAt < SeriesInterval)
            {
                return;
            }

            series.WrittenAt = now;
        }

        await events.MergeAsync(
            series.Name,
            new JsonObject { ["series"] = new JsonObject { ["count"] = count, ["lastObservedTime"] = Time(now) } },
            FieldManagers.Objects,
            cancellationToken);
    }

    private bool Take(string uid, DateTimeOffset now)
    {
        var bucket = _buckets.GetOrAdd(uid, _ => new Bucket { Tokens = Burst, At = now });
        lock (bucket)
        {
            bucket.Tokens = Math.Min(Burst, bucket.Tokens + (now - bucket.At) / Refill);
            bucket.At = now;
            if (bucket.Tokens < 1)
            {
                return false;
            }

            bucket.Tokens--;
            return true;
        }
    }

    private void Trim()
    {
        if (_series.Count + _buckets.Count > MaxRemembered)
        {
            _series.Clear();
            _buckets.Clear();
        }
    }

    private sealed class Series(ObjectKey name, DateTimeOffset firstAt)
    {
        public ObjectKey Name { get; } = name;

        public DateTimeOffset FirstAt { get; } = firstAt;

        public DateTimeOffset WrittenAt { get; set; } = firstAt;

        public int Count { get; set; } = 1;
    }

    private sealed class Bucket
    {
        public double Tokens { get; set; }

        public DateTimeOffset At { get; set; }
    }
}
