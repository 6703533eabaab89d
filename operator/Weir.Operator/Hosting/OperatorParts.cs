using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Weir.Operator.Brokers;
using Weir.Operator.Clusters;
using Weir.Operator.Entities;
using Weir.Operator.Framework;
using Weir.Operator.Groups;
using Weir.Operator.Kubernetes;
using Weir.Operator.Topics;

namespace Weir.Operator.Hosting;

/// <summary>
/// Everything the operator is made of, put together by hand: the caches, which always run, and the controllers, which run while
/// this instance leads. Created and disposed by <see cref="OperatorService"/>, or by a test.
/// </summary>
internal sealed class OperatorParts : IAsyncDisposable
{
    private readonly OperatorOptions _options;
    private readonly OperatorRuntime _runtime;
    private readonly KubeApi _api;
    private readonly BrokerPool _pool;
    private readonly List<Func<CancellationToken, Task>> _caches = [];
    private readonly List<ILeaderTask> _controllers = [];
    private readonly List<IDisposable> _disposables = [];
    private readonly List<Task> _synced = [];

    /// <param name="api">The API server; disposed with this.</param>
    /// <param name="options">Settings.</param>
    /// <param name="runtime">Time, chance, figures and log.</param>
    /// <param name="logs">For the clients of the brokers.</param>
    /// <param name="servers">Where a cluster's brokers are; null for the names of their pods.</param>
    /// <param name="tune">Other times than usual, for tests; null for the usual ones.</param>
    public OperatorParts(
        KubeApi api, OperatorOptions options, OperatorRuntime runtime, ILoggerFactory logs,
        Func<V1Alpha1WeirCluster, string>? servers = null, Func<BrokerAccess, BrokerAccess>? tune = null)
    {
        _api = api;
        _options = options;
        _runtime = runtime;
        _pool = new BrokerPool(
            servers ?? (static cluster => ClusterNames.Of(cluster).Servers(cluster.Spec.Brokers)), runtime, logs);
        Events = new EventRecorder(new KubeResource<Eventsv1Event>(api), options.PodName, runtime.Time, runtime.Logger);
        Clusters = Inform<V1Alpha1WeirCluster>();
        Topics = Inform<V1Alpha1Topic>();
        Groups = Inform<V1Alpha1ConsumerGroup>();
        Resets = Inform<V1Alpha1ConsumerGroupReset>();
        Topics.Store.AddIndex(ClaimIndex.Name, TopicController.ClaimsOf);
        Topics.Store.AddIndex(ByCluster, static topic => [KeyOf(topic.Spec.ClusterRef, topic.Metadata)]);
        Groups.Store.AddIndex(ClaimIndex.Name, GroupController.ClaimsOf);
        Groups.Store.AddIndex(ByCluster, static group => [KeyOf(group.Spec.ClusterRef, group.Metadata)]);
        var access = new BrokerAccess(Clusters.Store, _pool, Events, runtime);
        AddControllers(tune is null ? access : tune(access));
    }

    private const string ByCluster = "cluster";

    public Informer<V1Alpha1WeirCluster> Clusters { get; }

    public Informer<V1Alpha1Topic> Topics { get; }

    public Informer<V1Alpha1ConsumerGroup> Groups { get; }

    public Informer<V1Alpha1ConsumerGroupReset> Resets { get; }

    public EventRecorder Events { get; }

    /// <summary>Completes once every cache was filled.</summary>
    public Task Synced => Task.WhenAll(_synced);

    /// <summary>Keeps the caches, until it is cancelled.</summary>
    public Task RunCachesAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(_caches.Select(run => run(cancellationToken)));

    /// <summary>Does the work of the leader, until it is cancelled.</summary>
    public async Task RunControllersAsync(CancellationToken cancellationToken)
    {
        // All of them: a topic's controller must not take a cluster for gone that was not listed yet.
        await Synced.WaitAsync(cancellationToken);
        await Task.WhenAll(_controllers.Select(controller => controller.RunAsync(cancellationToken)));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var disposable in _disposables)
        {
            disposable.Dispose();
        }

        await _pool.DisposeAsync();
        _api.Dispose();
    }

    private static string KeyOf(ClusterRef reference, V1ObjectMeta metadata) =>
        ClusterLookup.KeyOf(reference, metadata.NamespaceProperty).ToString();

    private Informer<T> Inform<T>(string labelSelector = "")
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var informer = new Informer<T>(
            new KubeResource<T>(_api), _options.Namespaces, labelSelector, new ReflectorOptions(), _runtime.Time,
            _runtime.Random, _runtime.Metrics, _runtime.Logger);
        _caches.Add(informer.RunAsync);
        _synced.Add(informer.Synced);
        informer.AddHandler(_ => _runtime.Metrics.SetResources(KubeResource<T>.Kind, informer.Store.Count));
        return informer;
    }

    private void AddControllers(BrokerAccess access)
    {
        var objects = new ClusterObjects(_api);
        var clusterFinalizers = new FinalizerWriter<V1Alpha1WeirCluster>(new KubeResource<V1Alpha1WeirCluster>(_api));
        var clusterController = new ClusterController(
            objects, _pool, Events, clusterFinalizers,
            new StatusWriter<V1Alpha1WeirCluster, WeirClusterSpec, WeirClusterStatus>(
                new KubeResource<V1Alpha1WeirCluster>(_api), _runtime.Time),
            _options.BrokerImage, _runtime);
        var clusters = Control(
            Clusters, clusterController, new ClusterFinalizer(clusterController, objects, Events), clusterFinalizers, workers: 4);

        var topicStatuses = new StatusWriter<V1Alpha1Topic, TopicSpec, TopicStatus>(
            new KubeResource<V1Alpha1Topic>(_api), _runtime.Time);
        var topicFinalizers = new FinalizerWriter<V1Alpha1Topic>(new KubeResource<V1Alpha1Topic>(_api));
        var topics = Control(
            Topics, new TopicController(access, Topics.Store, topicFinalizers, topicStatuses),
            new TopicFinalizer(access, Topics.Store, topicStatuses), topicFinalizers, workers: 8);

        var groupStatuses = new StatusWriter<V1Alpha1ConsumerGroup, ConsumerGroupSpec, ConsumerGroupStatus>(
            new KubeResource<V1Alpha1ConsumerGroup>(_api), _runtime.Time);
        var groupFinalizers = new FinalizerWriter<V1Alpha1ConsumerGroup>(new KubeResource<V1Alpha1ConsumerGroup>(_api));
        var groups = Control(
            Groups, new GroupController(access, Groups.Store, groupFinalizers, groupStatuses),
            new GroupFinalizer(access, Groups.Store, groupStatuses), groupFinalizers, workers: 8);

        var resets = new KubeResource<V1Alpha1ConsumerGroupReset>(_api);
        Control(
            Resets,
            new ResetController(
                access, resets,
                new StatusWriter<V1Alpha1ConsumerGroupReset, ConsumerGroupResetSpec, ConsumerGroupResetStatus>(resets, _runtime.Time)),
            null, new FinalizerWriter<V1Alpha1ConsumerGroupReset>(resets), workers: 2);

        WatchOwned(clusters);
        FanOut(clusterController, topics, groups);
    }

    /// <summary>Pods and StatefulSets of a cluster are its business.</summary>
    private void WatchOwned(Controller<V1Alpha1WeirCluster> clusters)
    {
        const string Selector = $"{Labels.ManagedBy}={Labels.Operator}";
        Inform<V1Pod>(Selector).AddHandler(change => Enqueue((change.After ?? change.Before)!));
        Inform<V1StatefulSet>(Selector).AddHandler(change => Enqueue((change.After ?? change.Before)!));

        void Enqueue(IKubernetesObject<V1ObjectMeta> owned)
        {
            if (owned.Metadata.Labels is { } labels && labels.TryGetValue(Labels.Cluster, out var name))
            {
                clusters.Queue.Add(new ObjectKey(owned.Metadata.NamespaceProperty, name));
            }
        }
    }

    /// <summary>A cluster that comes, goes, changes or serves again is the business of its topics and groups, not all at once.</summary>
    private void FanOut(
        ClusterController clusterController, Controller<V1Alpha1Topic> topics, Controller<V1Alpha1ConsumerGroup> groups)
    {
        clusterController.OnServing = Enqueue;
        Clusters.AddHandler(change =>
        {
            if (change.Before is null || change.After is null
                || change.Before.Metadata.Generation != change.After.Metadata.Generation
                || change.Before.Metadata.DeletionTimestamp != change.After.Metadata.DeletionTimestamp)
            {
                Enqueue(ObjectKey.Of((change.After ?? change.Before)!));
            }
        });
        Topics.AddHandler(change => EnqueueRivals(change, Topics.Store, TopicController.ClaimsOf, topics.Queue));
        Groups.AddHandler(change => EnqueueRivals(change, Groups.Store, GroupController.ClaimsOf, groups.Queue));

        void Enqueue(ObjectKey cluster)
        {
            EnqueueAll(Topics.Store.Find(ByCluster, cluster.ToString()), topics.Queue);
            EnqueueAll(Groups.Store.Find(ByCluster, cluster.ToString()), groups.Queue);
        }
    }

    private void EnqueueAll<T>(IReadOnlyList<T> entities, WorkQueue<ObjectKey> queue)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        // A thousand of them within two seconds, a few at once.
        var spread = TimeSpan.FromMilliseconds(Math.Min(2000, 2 * entities.Count));
        foreach (var entity in entities)
        {
            queue.AddAfter(ObjectKey.Of(entity), spread * _runtime.Random());
        }
    }

    /// <summary>Whoever claimed the same as one that is gone may have it now.</summary>
    private static void EnqueueRivals<T>(
        StoreChange<T> change, ResourceStore<T> store, Func<T, IEnumerable<string>> claimsOf, WorkQueue<ObjectKey> queue)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        if (change.After is null)
        {
            foreach (var rival in claimsOf(change.Before!).SelectMany(claim => store.Find(ClaimIndex.Name, claim)))
            {
                queue.Add(ObjectKey.Of(rival));
            }
        }
    }

    private Controller<T> Control<T>(
        Informer<T> informer, IEntityController<T> entityController, IEntityFinalizer<T>? finalizer,
        FinalizerWriter<T> finalizers, int workers)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var controller = new Controller<T>(
            informer, entityController, finalizer, finalizers, new ControllerOptions { Workers = workers }, _runtime);
        _controllers.Add(controller);
        _disposables.Add(controller);
        return controller;
    }
}
