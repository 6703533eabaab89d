using System.Text.Json.Nodes;
using CsCheck;
using k8s;
using Microsoft.Extensions.Logging.Abstractions;
using k8s.Models;
using Weir.Operator.Brokers;
using Weir.Operator.Clusters;
using Weir.Operator.Entities;
using Weir.Operator.Framework;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;
using Weir.Operator.Tests.Support;

namespace Weir.Operator.Tests;

/// <summary>Conditions, events, finalizers, names and settings.</summary>
public sealed class FrameworkTests
{
    private static readonly DateTimeOffset Now = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Time_of_transition_changes_with_the_status_alone()
    {
        var first = StatusConditions.Merge(null, [StatusConditions.Create("Ready", true, "A", "a")], 1, Now);
        var second = StatusConditions.Merge(first, [StatusConditions.Create("Ready", true, "B", "b")], 2, Now.AddHours(1));
        var third = StatusConditions.Merge(second, [StatusConditions.Create("Ready", false, "B", "b")], 2, Now.AddHours(2));
        Assert.Equal(first[0].LastTransitionTime, second[0].LastTransitionTime);
        Assert.Equal(("B", 2L), (second[0].Reason, second[0].ObservedGeneration));
        Assert.Equal(Now.AddHours(2).UtcDateTime, third[0].LastTransitionTime);
    }

    [Fact]
    public void Merging_the_same_again_changes_nothing() =>
        Gen.Select(Gen.OneOf(Gen.Const("Ready"), Gen.Const("Paused")), Gen.Bool.Select(static b => (bool?)b), Gen.String).Array[0, 5]
            .Sample(static values =>
            {
                var wanted = values.DistinctBy(static v => v.Item1)
                    .Select(static v => StatusConditions.Create(v.Item1, v.Item2, "Reason", v.Item3)).ToList();
                var once = StatusConditions.Merge(null, wanted, 3, Now);
                var twice = StatusConditions.Merge(once, wanted, 3, Now.AddDays(1));
                Assert.Equal(KubernetesJson.Serialize(once), KubernetesJson.Serialize(twice));
            });

    [Fact]
    public async Task Status_that_was_written_is_known_before_the_cache_has_it()
    {
        await using var server = await ApiServer.StartAsync();
        using var api = server.Connect(TimeProvider.System, new OperatorMetrics());
        var resource = new KubeResource<V1Alpha1Topic>(api);
        var topic = await PutAsync(server, resource);
        var writer = new StatusWriter<V1Alpha1Topic, TopicSpec, TopicStatus>(resource, TimeProvider.System);
        var ready = StatusConditions.Create("Ready", true, "Synced", "");
        Assert.True(await writer.WriteAsync(topic, new TopicStatus { TopicId = "1" }, [ready], Token));
        Assert.Equal("1", writer.Known(topic)!.TopicId);
        Assert.False(await writer.WriteAsync(topic, new TopicStatus { TopicId = "1" }, [ready], Token));
        server.Change(OperatorBed.Topics + "a", static item => item["status"]!["topicId"] = "2");
        var later = await resource.GetAsync(ObjectKey.Of(topic), Token);
        Assert.Equal("2", writer.Known(later!)!.TopicId);
    }

    [Fact]
    public async Task Status_and_finalizer_do_not_bring_back_an_object_that_is_gone()
    {
        await using var server = await ApiServer.StartAsync();
        using var api = server.Connect(TimeProvider.System, new OperatorMetrics());
        var resource = new KubeResource<V1Alpha1Topic>(api);
        var topic = await PutAsync(server, resource);
        server.Remove(OperatorBed.Topics + "a");
        await new StatusWriter<V1Alpha1Topic, TopicSpec, TopicStatus>(resource, TimeProvider.System)
            .WriteAsync(topic, new TopicStatus(), [], Token);
        var refused = await Assert.ThrowsAsync<KubeApiException>(
            () => new FinalizerWriter<V1Alpha1Topic>(resource).AddAsync(topic, "weir.dev/topic", Token));
        Assert.True(refused.IsConflict);
        Assert.Null(server.Get(OperatorBed.Topics + "a"));
    }

    [Fact]
    public async Task Finalizers_of_others_stay()
    {
        await using var server = await ApiServer.StartAsync();
        using var api = server.Connect(TimeProvider.System, new OperatorMetrics());
        var resource = new KubeResource<V1Alpha1Topic>(api);
        var topic = await PutAsync(server, resource);
        server.Change(OperatorBed.Topics + "a", static item => item["metadata"]!["finalizers"] = new JsonArray("others/own"));
        var writer = new FinalizerWriter<V1Alpha1Topic>(resource);
        await writer.AddAsync(topic, "weir.dev/topic", Token);
        topic = (await resource.GetAsync(ObjectKey.Of(topic), Token))!;
        Assert.Equal(["others/own", "weir.dev/topic"], topic.Metadata.Finalizers.Order());
        await writer.RemoveAsync(topic, "weir.dev/topic", Token);
        topic = (await resource.GetAsync(ObjectKey.Of(topic), Token))!;
        Assert.Equal(["others/own"], topic.Metadata.Finalizers);
    }

    /// <summary>Operators that wrote an Event with every pass.</summary>
    [Fact]
    public async Task Same_event_again_is_counted_and_a_flood_is_bounded()
    {
        var clock = new TestClock();
        await using var server = await ApiServer.StartAsync();
        using var api = server.Connect(clock, new OperatorMetrics());
        var topic = await PutAsync(server, new KubeResource<V1Alpha1Topic>(api));
        var events = new EventRecorder(new KubeResource<Eventsv1Event>(api), "me", clock, NullLogger.Instance);
        for (var i = 0; i < 10; i++)
        {
            await events.PublishAsync(topic, EventType.Warning, "Conflict", "the same", Token);
        }

        Assert.Null(Assert.Single(server.List("apis/events.k8s.io/v1/"))["series"]);
        clock.Advance(TimeSpan.FromMinutes(2));
        await events.PublishAsync(topic, EventType.Warning, "Conflict", "the same", Token);
        Assert.Equal(11, (int?)Assert.Single(server.List("apis/events.k8s.io/v1/"))["series"]!["count"]);
        for (var i = 0; i < 100; i++)
        {
            await events.PublishAsync(topic, EventType.Warning, "Conflict", $"another {i}", Token);
        }

        Assert.Equal(26, server.List("apis/events.k8s.io/v1/").Count);
    }

    [Fact]
    public async Task Event_that_cannot_be_written_fails_nothing()
    {
        await using var server = await ApiServer.StartAsync();
        using var api = server.Connect(TimeProvider.System, new OperatorMetrics());
        var topic = await PutAsync(server, new KubeResource<V1Alpha1Topic>(api));
        server.Intercept = static async context =>
        {
            await ApiServer.FailAsync(context, 403, "Forbidden", "events are");
            return true;
        };
        await new EventRecorder(new KubeResource<Eventsv1Event>(api), "me", TimeProvider.System, NullLogger.Instance)
            .PublishAsync(topic, EventType.Normal, "Created", "it", Token);
    }

    /// <summary>Brokers decommissioned because an ordinal was taken for an id.</summary>
    [Theory]
    [InlineData("c-broker-3", 3)]
    [InlineData("c-broker-3.c-brokers.ns.svc:9650", 3)]
    [InlineData("c-broker-3.c-brokers.other.svc:9650", null)]
    [InlineData("d-broker-3.d-brokers.ns.svc:9650", null)]
    [InlineData("c-broker-x.c-brokers.ns.svc:9650", null)]
    [InlineData("10.0.0.3:9650", null)]
    public void Only_an_address_of_this_cluster_is_one_of_its_pods(string address, int? ordinal) =>
        Assert.Equal(ordinal, new ClusterNames(new ObjectKey("ns", "c")).OrdinalOf(address));

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(3, 3)]
    [InlineData(4, 3)]
    [InlineData(5, 5)]
    [InlineData(9, 5)]
    public void Voters_are_odd_in_number(int brokers, int voters) =>
        Assert.Equal(voters, new ClusterNames(new ObjectKey("ns", "c")).Peers(brokers).Split(',').Length);

    [Fact]
    public void Pods_are_admitted_where_pod_security_is_restricted()
    {
        var pod = DesiredStatefulSet.Create(new V1Alpha1WeirCluster
        {
            Metadata = new V1ObjectMeta { Name = "c", NamespaceProperty = "ns", Uid = "1" },
            Spec = new WeirClusterSpec { Brokers = 3 },
        }, "weir:1", 3, "1Gi")["spec"]!["template"]!["spec"]!;
        Assert.True((bool)pod["securityContext"]!["runAsNonRoot"]!);
        Assert.Equal("RuntimeDefault", (string?)pod["securityContext"]!["seccompProfile"]!["type"]);
        var container = pod["containers"]![0]!["securityContext"]!;
        Assert.False((bool)container["allowPrivilegeEscalation"]!);
        Assert.True((bool)container["readOnlyRootFilesystem"]!);
        Assert.Equal("ALL", (string?)container["capabilities"]!["drop"]![0]);
        Assert.False((bool)pod["automountServiceAccountToken"]!);
    }

    [Fact]
    public void Template_hash_follows_what_pods_are_made_from_and_nothing_else()
    {
        V1Alpha1WeirCluster Create(Action<V1Alpha1WeirCluster> change)
        {
            var cluster = new V1Alpha1WeirCluster
            {
                Metadata = new V1ObjectMeta { Name = "c" },
                Spec = new WeirClusterSpec { Config = new() { ["a"] = "1", ["b"] = "2" } },
            };
            change(cluster);
            return cluster;
        }

        var hash = TemplateHash.Of(Create(static _ => { }));
        Assert.Equal(hash, TemplateHash.Of(Create(static c => c.Spec.Config = new() { ["b"] = "2", ["a"] = "1" })));
        Assert.Equal(hash, TemplateHash.Of(Create(static c => c.Spec.Brokers = 9)));
        Assert.Equal(hash, TemplateHash.Of(Create(static c => c.Spec.Storage.Size = "9Gi")));
        Assert.NotEqual(hash, TemplateHash.Of(Create(static c => c.Spec.Config!["a"] = "2")));
        Assert.NotEqual(hash, TemplateHash.Of(Create(static c => c.Spec.Version = "2")));
        Assert.NotEqual(hash, TemplateHash.Of(Create(static c => c.Metadata.Annotations = new Dictionary<string, string> { ["weir.dev/restart"] = "1" })));
    }

    [Theory]
    [InlineData("weir", "weir")]
    [InlineData("weir:1", "weir")]
    [InlineData("registry:5000/a/weir:1", "registry:5000/a/weir")]
    [InlineData("registry:5000/a/weir", "registry:5000/a/weir")]
    [InlineData("a/weir:1@sha256:00", "a/weir")]
    public void Repository_of_an_image_is_what_stands_before_its_tag(string image, string repository) =>
        Assert.Equal(repository, ClusterController.Repository(image));

    [Fact]
    public void Values_that_brokers_write_in_another_way_are_no_difference()
    {
        Weir.Client.ConfigValue[] live = [new("a", "7", false), new("b", "true", false), new("c", "x", false), new("d", "1", true)];
        var wanted = new Dictionary<string, string> { ["a"] = "007", ["b"] = "True", ["c"] = "y" };
        Assert.Equal(new Dictionary<string, string?> { ["c"] = "y" }, ConfigDiff.Of(wanted, ["d"], live));
        Assert.Equal(new Dictionary<string, string?> { ["c"] = null }, ConfigDiff.Of(new Dictionary<string, string>(), ["c", "d"], live));
    }

    [Fact]
    public void Settings_come_from_the_environment_and_faults_are_named()
    {
        var environment = new Dictionary<string, string> { ["WEIR_OPERATOR_NAMESPACES"] = "a, b,a", ["POD_NAME"] = "me" };
        var options = OperatorOptions.Read(environment.GetValueOrDefault);
        Assert.Equal(["a", "b"], options.Namespaces);
        Assert.Equal(("me", true, 8080), (options.PodName, options.LeaderElection, options.HttpPort));
        environment["WEIR_OPERATOR_LEADER_ELECTION"] = "perhaps";
        Assert.Throws<FormatException>(() => OperatorOptions.Read(environment.GetValueOrDefault));
    }

    /// <summary>A controller whose passes throw forgot the entity after five times.</summary>
    [Fact]
    public async Task Entity_whose_passes_fail_comes_back_until_one_succeeds()
    {
        await using var server = await ApiServer.StartAsync();
        var metrics = new OperatorMetrics();
        using var api = server.Connect(TimeProvider.System, metrics);
        var resource = new KubeResource<V1Alpha1Topic>(api);
        await PutAsync(server, resource);
        var runtime = new OperatorRuntime(TimeProvider.System, static () => 0, metrics, NullLogger.Instance);
        var informer = new Informer<V1Alpha1Topic>(
            resource, [], string.Empty, new ReflectorOptions(), runtime.Time, runtime.Random, metrics, NullLogger.Instance);
        var failing = new FailingController(failures: 6);
        using var controller = new Controller<V1Alpha1Topic>(
            informer, failing, null, new FinalizerWriter<V1Alpha1Topic>(resource), new ControllerOptions(), runtime);
        using var stop = new CancellationTokenSource();
        var running = Task.WhenAll(informer.RunAsync(stop.Token), controller.RunAsync(stop.Token));
        await failing.Succeeded.WaitAsync(TimeSpan.FromSeconds(60), Token);
        await stop.CancelAsync();
        await running;
    }

    /// <summary>A reset with a time to live of a day would be there for hours more.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Entity_comes_back_no_later_than_its_pass_asked_for(double random)
    {
        var (delay, slack) = Controller<V1Alpha1Topic>.Spread(TimeSpan.FromDays(1), random);
        Assert.InRange(delay + slack, TimeSpan.FromHours(18), TimeSpan.FromDays(1));
    }

    private static async Task<V1Alpha1Topic> PutAsync(ApiServer server, KubeResource<V1Alpha1Topic> resource)
    {
        server.Put(OperatorBed.Topics + "a", new JsonObject
        {
            ["apiVersion"] = "weir.dev/v1alpha1",
            ["kind"] = "Topic",
            ["metadata"] = new JsonObject(),
            ["spec"] = new JsonObject { ["clusterRef"] = new JsonObject { ["name"] = "c" } },
        });
        return (await resource.GetAsync(new ObjectKey("ns", "a"), Token))!;
    }

    private sealed class FailingController(int failures) : IEntityController<V1Alpha1Topic>
    {
        private readonly TaskCompletionSource _succeeded = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _passes;

        public Task Succeeded => _succeeded.Task;

        public Task<ReconciliationResult<V1Alpha1Topic>> ReconcileAsync(V1Alpha1Topic entity, CancellationToken cancellationToken)
        {
            if (++_passes <= failures)
            {
                return _passes % 2 == 0
                    ? throw new InvalidOperationException("on purpose")
                    : Task.FromResult(ReconciliationResult<V1Alpha1Topic>.Failure(entity, "on purpose"));
            }

            _succeeded.TrySetResult();
            return Task.FromResult(ReconciliationResult<V1Alpha1Topic>.Success(entity));
        }

        public Task<ReconciliationResult<V1Alpha1Topic>> DeletedAsync(V1Alpha1Topic entity, CancellationToken cancellationToken) =>
            Task.FromResult(ReconciliationResult<V1Alpha1Topic>.Success(entity));
    }
}
