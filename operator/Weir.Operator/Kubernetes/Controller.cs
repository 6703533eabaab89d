using System.Collections.Concurrent;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Weir.Operator.Framework;
using Weir.Operator.Hosting;

namespace Weir.Operator.Kubernetes;

/// <summary>How a controller works.</summary>
internal sealed record ControllerOptions
{
    /// <summary>Entities that are worked on at the same time.</summary>
    public int Workers { get; init; } = 8;

    /// <summary>Longest time of one pass.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Longest time between two looks at an entity.</summary>
    public TimeSpan Resync { get; init; } = TimeSpan.FromSeconds(60);
}

/// <summary>Something that runs while this instance leads.</summary>
internal interface ILeaderTask
{
    /// <summary>Runs until it is cancelled; then nothing of it goes on.</summary>
    Task RunAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Calls an entity controller and its finalizer for every entity that changed, and for all of them from time to time. Changes of
/// the status alone are nobody's business: the operator itself makes them.
/// </summary>
internal sealed class Controller<T> : ILeaderTask, IDisposable
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly Informer<T> _informer;
    private readonly IEntityController<T> _controller;
    private readonly IEntityFinalizer<T>? _finalizer;
    private readonly FinalizerWriter<T> _finalizers;
    private readonly ControllerOptions _options;
    private readonly TimeProvider _time;
    private readonly Func<double> _random;
    private readonly OperatorMetrics _metrics;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<ObjectKey, T> _gone = new();

    public Controller(
        Informer<T> informer, IEntityController<T> controller, IEntityFinalizer<T>? finalizer, FinalizerWriter<T> finalizers,
        ControllerOptions options, OperatorRuntime runtime)
    {
        _informer = informer;
        _controller = controller;
        _finalizer = finalizer;
        _finalizers = finalizers;
        _options = options;
        _time = runtime.Time;
        _random = runtime.Random;
        _metrics = runtime.Metrics;
        _logger = runtime.Logger;
        Queue = new WorkQueue<ObjectKey>(KubeResource<T>.Kind, new WorkQueueOptions(), _time, _random, _metrics);
        informer.AddHandler(OnChange);
    }

    /// <summary>What waits; others add entities to it that their own changes concern.</summary>
    public WorkQueue<ObjectKey> Queue { get; }

    /// <inheritdoc/>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await _informer.Synced.WaitAsync(cancellationToken);

        // What changed before this instance led went to nobody.
        foreach (var key in _informer.Store.Keys)
        {
            Queue.Add(key);
        }

        await Task.WhenAll(Enumerable.Range(0, _options.Workers).Select(_ => WorkAsync(cancellationToken)));
    }

    public void Dispose() => Queue.Dispose();

    /// <summary>When an entity comes back: not all at the same moment, but in groups, and never later than was asked for.</summary>
    internal static (TimeSpan Delay, TimeSpan Slack) Spread(TimeSpan wait, double random) =>
        (wait * (0.8 + (0.15 * random)), wait / 30);

    /// <summary>One pass over an entity, as a worker makes it.</summary>
    internal async Task<TimeSpan?> ProcessAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        if (_informer.Store.Find(key) is not { } entity)
        {
            if (_gone.TryRemove(key, out var last))
            {
                Throw(await _controller.DeletedAsync(last, cancellationToken));
            }

            return null;
        }

        if (entity.Metadata.DeletionTimestamp is null)
        {
            return Throw(await _controller.ReconcileAsync(entity, cancellationToken)) ?? _options.Resync;
        }

        if (_finalizer is null || entity.Metadata.Finalizers?.Contains(_finalizer.Identifier) != true)
        {
            return null;
        }

        var result = await _finalizer.FinalizeAsync(entity, cancellationToken);
        if (!result.IsSuccess)
        {
            return Throw(result);
        }

        await _finalizers.RemoveAsync(entity, _finalizer.Identifier, cancellationToken);
        return null;
    }

    /// <summary>A failure without a time is thrown, so that the key comes back later and later.</summary>
    private static TimeSpan? Throw(ReconciliationResult<T> result) => result.IsSuccess || result.RequeueAfter is not null
        ? result.RequeueAfter
        : throw new ReconciliationException(result.ErrorMessage ?? "it failed", result.Error);

    private static bool IsOfInterest(StoreChange<T> change)
    {
        if (change is not { Before: { } before, After: { } after })
        {
            return true;
        }

        // Built-in kinds have no generation of their status: everything of them counts.
        return before.Metadata.Generation is null
            || before.Metadata.Generation != after.Metadata.Generation
            || before.Metadata.DeletionTimestamp != after.Metadata.DeletionTimestamp
            || !Same(before.Metadata.Annotations, after.Metadata.Annotations)
            || !Same(before.Metadata.Labels, after.Metadata.Labels)
            || !(before.Metadata.Finalizers ?? []).SequenceEqual(after.Metadata.Finalizers ?? []);
    }

    private static bool Same(IDictionary<string, string>? left, IDictionary<string, string>? right) =>
        (left?.Count ?? 0) == (right?.Count ?? 0)
            && (left is null || left.All(pair => right!.TryGetValue(pair.Key, out var value) && value == pair.Value));

    private void OnChange(StoreChange<T> change)
    {
        if (change.After is null)
        {
            _gone[ObjectKey.Of(change.Before!)] = change.Before!;
        }

        if (IsOfInterest(change))
        {
            Queue.Add(ObjectKey.Of((change.After ?? change.Before)!));
        }
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            ObjectKey key;
            try
            {
                key = await Queue.TakeAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            try
            {
                await WorkAsync(key, cancellationToken);
            }
            finally
            {
                Queue.Done(key);
            }
        }
    }

    private async Task WorkAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        using var timeout = new CancellationTokenSource(_options.Timeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            var again = await ProcessAsync(key, linked.Token);
            Queue.Forget(key);
            if (again is { } wait)
            {
                var (delay, slack) = Spread(wait, _random());
                Queue.AddAfter(key, delay, slack);
            }

            _metrics.CountReconciliation(KubeResource<T>.Kind, isSuccess: true, _time.GetElapsedTime(started));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Another instance leads from here on, and begins with all of them.
        }
#pragma warning disable CA1031 // Whatever a pass throws concerns its entity alone, which comes back: nothing is dropped.
        catch (Exception e)
#pragma warning restore CA1031
        {
            var wait = Queue.AddRateLimited(key, (e as KubeApiException)?.RetryAfter);
            _metrics.CountReconciliation(KubeResource<T>.Kind, isSuccess: false, _time.GetElapsedTime(started));
            if (e is KubeApiException { IsConflict: true } or KubeApiException { IsNotFound: true })
            {
                OperatorLog.StaleState(_logger, KubeResource<T>.Kind, key, e.Message);
            }
            else
            {
                OperatorLog.ReconciliationFailed(_logger, KubeResource<T>.Kind, key, wait, e);
            }
        }
    }
}

/// <summary>A pass failed and said so.</summary>
internal sealed class ReconciliationException(string message, Exception? inner) : Exception(message, inner);
