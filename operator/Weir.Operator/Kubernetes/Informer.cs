using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Weir.Operator.Hosting;

namespace Weir.Operator.Kubernetes;

/// <summary>
/// The cache of a kind in all namespaces that the operator looks at, with those that want to hear of changes. It runs on every
/// instance of the operator, leader or not, so that a new leader knows everything at once.
/// </summary>
internal sealed class Informer<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly List<Reflector<T>> _reflectors = [];
    private readonly List<Action<StoreChange<T>>> _handlers = [];

    public Informer(
        KubeResource<T> resource, IReadOnlyList<string> namespaces, string labelSelector, ReflectorOptions options,
        TimeProvider time, Func<double> random, OperatorMetrics metrics, ILogger logger)
    {
        foreach (var ns in namespaces.Count == 0 ? [string.Empty] : namespaces)
        {
            _reflectors.Add(new Reflector<T>(
                resource, ns, labelSelector, Store, OnChange, options, time, random, metrics, logger));
        }
    }

    /// <summary>What is known.</summary>
    public ResourceStore<T> Store { get; } = new();

    /// <summary>Completes once everything was listed.</summary>
    public Task Synced => Task.WhenAll(_reflectors.Select(static reflector => reflector.Synced));

    /// <summary>Adds somebody who hears of changes. Only before it runs; the handler must be quick and not throw.</summary>
    public void AddHandler(Action<StoreChange<T>> handler) => _handlers.Add(handler);

    /// <summary>Runs until it is cancelled.</summary>
    public Task RunAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(_reflectors.Select(reflector => reflector.RunAsync(cancellationToken)));

    private void OnChange(StoreChange<T> change)
    {
        foreach (var handler in _handlers)
        {
            handler(change);
        }
    }
}
