using System.Text.Json;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Weir.Operator.Hosting;

namespace Weir.Operator.Kubernetes;

/// <summary>What changed in a store.</summary>
/// <param name="Before">The object as it was; null if it is new.</param>
/// <param name="After">The object as it is; null if it is gone.</param>
internal readonly record struct StoreChange<T>(T? Before, T? After);

/// <summary>How a reflector goes about it.</summary>
internal sealed record ReflectorOptions
{
    /// <summary>Objects of one page of a list.</summary>
    public int PageSize { get; init; } = 500;

    /// <summary>The server ends a watch after a time between this and twice this.</summary>
    public TimeSpan WatchTimeout { get; init; } = TimeSpan.FromSeconds(240);

    /// <summary>A watch that is open for so long beyond its time is taken for dead.</summary>
    public TimeSpan WatchGrace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>First wait after a failure; it doubles.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(800);

    /// <summary>Largest wait after a failure.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>
/// Keeps a store like a namespace of the API server: lists, then watches from where the list ended, through bookmarks, ends of
/// streams, expired history and failures. What vanished while nobody watched is reported as deleted after the next list. One
/// task runs it.
/// </summary>
internal sealed class Reflector<T>(
    KubeResource<T> resource, string ns, string labelSelector, ResourceStore<T> store, Action<StoreChange<T>> onChange,
    ReflectorOptions options, TimeProvider time, Func<double> random, OperatorMetrics metrics, ILogger logger)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _resourceVersion;

    /// <summary>Completes after the first list.</summary>
    public Task Synced => _synced.Task;

    /// <summary>Runs until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var failures = 0;
        var listsWhole = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            var started = time.GetTimestamp();
            try
            {
                if (_resourceVersion is null)
                {
                    await ListAsync(listsWhole ? 0 : options.PageSize, cancellationToken);
                    listsWhole = false;
                    _synced.TrySetResult();
                }

                // A server that ends each watch at once must not be asked in a circle.
                var events = await WatchAsync(cancellationToken);
                failures = events == 0 && time.GetElapsedTime(started) < TimeSpan.FromSeconds(1) ? failures + 1 : 0;
                if (failures > 0)
                {
                    await WaitAsync(failures, null, cancellationToken);
                }
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (KubeApiException e) when (e.IsExpired)
            {
                // While paging: the pages' own history is gone, so take all at once. A list that is refused twice in a row
                // is a failure like others.
                metrics.CountRelist(KubeResource<T>.Kind);
                OperatorLog.HistoryExpired(logger, KubeResource<T>.Kind, ns);
                var wasListing = _resourceVersion is null;
                _resourceVersion = null;
                if (wasListing && listsWhole)
                {
                    await WaitAsync(++failures, null, cancellationToken);
                }

                listsWhole = wasListing;
            }
            catch (Exception e) when (IsFault(e))
            {
                if (e is JsonException or InvalidOperationException or FormatException)
                {
                    // What follows in the stream cannot be trusted, nor can it be known what was missed.
                    _resourceVersion = null;
                }

                failures = time.GetElapsedTime(started) > TimeSpan.FromMinutes(2) ? 1 : failures + 1;
                metrics.CountWatchFailure(KubeResource<T>.Kind);
                OperatorLog.WatchFailed(logger, KubeResource<T>.Kind, ns, failures, e);
                await WaitAsync(failures, (e as KubeApiException)?.RetryAfter, cancellationToken);
            }
        }
    }

    private static bool IsFault(Exception e) => e is KubeApiException or HttpRequestException or IOException or JsonException
        or OperationCanceledException or InvalidOperationException or FormatException;

    private async Task WaitAsync(int failures, TimeSpan? asked, CancellationToken cancellationToken)
    {
        var wait = options.Backoff * Math.Pow(2, Math.Min(failures - 1, 10));
        wait = wait > options.BackoffMax ? options.BackoffMax : wait;
        wait *= 1 + 0.2 * random();
        await Task.Delay(asked > wait ? asked.Value : wait, time, cancellationToken).ConfigureAwait(
            ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task ListAsync(int pageSize, CancellationToken cancellationToken)
    {
        var seen = new HashSet<ObjectKey>();
        var found = new List<T>();
        KubePage<T>? page = null;
        do
        {
            page = await resource.ListAsync(ns, labelSelector, pageSize, page?.Continue, cancellationToken);
            found.AddRange(page.Items);
            seen.UnionWith(page.Items.Select(static item => ObjectKey.Of(item)));
            foreach (var key in page.Undecodable)
            {
                // What cannot be read is not gone: the last state that could be read stays.
                seen.Add(key);
                ReportUndecodable(key);
            }
        }
        while (page.Continue is not null);

        // Only a whole list may replace the store.
        foreach (var item in found)
        {
            Set(item);
        }

        foreach (var key in store.Keys.Where(key => (ns.Length == 0 || key.Namespace == ns) && !seen.Contains(key)).ToList())
        {
            Remove(key);
        }

        _resourceVersion = page.ResourceVersion;
    }

    /// <returns>How many events it brought.</returns>
    private async Task<int> WatchAsync(CancellationToken cancellationToken)
    {
        var events = 0;
        var timeout = options.WatchTimeout * (1 + random());
        using var watchdog = new CancellationTokenSource(timeout + options.WatchGrace, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, watchdog.Token);
        try
        {
            await foreach (var change in resource.WatchAsync(ns, labelSelector, _resourceVersion!, timeout, linked.Token))
            {
                events++;
                Take(change);
                _resourceVersion = change.ResourceVersion ?? _resourceVersion;
            }
        }
        catch (OperationCanceledException) when (watchdog.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            metrics.CountWatchFailure(KubeResource<T>.Kind);
            OperatorLog.WatchSilent(logger, KubeResource<T>.Kind, ns);
        }
        catch (HttpRequestException e) when (e.InnerException is HttpIOException
        {
            HttpRequestError: HttpRequestError.ResponseEnded,
        })
        {
            // An idle watch that the server ended: no header was sent before the first event.
        }
        catch (HttpIOException e) when (e.HttpRequestError == HttpRequestError.ResponseEnded)
        {
            // The stream was cut; the watch goes on from the last event.
        }

        return events;
    }

    private void Take(KubeEvent<T> change)
    {
        switch (change.Type)
        {
            case "ADDED" or "MODIFIED" when change.Object is { } item:
                Set(item);
                break;
            case "DELETED":
                Remove(change.Key);
                break;
            case "ADDED" or "MODIFIED":
                ReportUndecodable(change.Key);
                break;
        }
    }

    private void Set(T item)
    {
        item.Metadata.ManagedFields = null;
        var before = store.Set(item);
        if (before is null || before.Metadata.ResourceVersion != item.Metadata.ResourceVersion)
        {
            if (before is not null && before.Metadata.Uid != item.Metadata.Uid)
            {
                // Deleted and made again while nobody looked.
                onChange(new StoreChange<T>(before, null));
                before = null;
            }

            onChange(new StoreChange<T>(before, item));
        }
    }

    private void Remove(ObjectKey key)
    {
        if (store.Remove(key) is { } before)
        {
            onChange(new StoreChange<T>(before, null));
        }
    }

    private void ReportUndecodable(ObjectKey key)
    {
        metrics.CountUndecodable(KubeResource<T>.Kind);
        OperatorLog.Undecodable(logger, KubeResource<T>.Kind, key);
    }
}
