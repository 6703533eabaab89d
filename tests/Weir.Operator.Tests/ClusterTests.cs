using System.Text.Json.Nodes;
using Weir.Operator.Tests.Support;

namespace Weir.Operator.Tests;

/// <summary>A cluster of one real broker, its objects on the scripted API server.</summary>
public sealed class ClusterTests
{
    private const string Cluster = OperatorBed.Clusters + "c";
    private const string Ns = "namespaces/ns";

    [Fact]
    public async Task Cluster_gets_its_objects_and_becomes_ready_and_stable()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, "{}");
        bed.Run();
        var cluster = await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        Assert.Equal("True", (string?)ApiServer.FindCondition(cluster, "Ready")!["status"]);
        Assert.Equal("c-broker-0", (string?)cluster["status"]!["brokers"]![0]!["pod"]);
        Assert.Equal("Up", (string?)cluster["status"]!["brokers"]![0]!["state"]);
        Assert.Equal("c.ns.svc:9650", (string?)cluster["status"]!["servers"]);
        Assert.NotNull(bed.Server.Get($"api/v1/{Ns}/services/c-brokers"));
        Assert.NotNull(bed.Server.Get($"api/v1/{Ns}/services/c"));
        Assert.NotNull(bed.Server.Get($"api/v1/{Ns}/configmaps/c-config"));
        Assert.NotNull(bed.Server.Get($"api/v1/{Ns}/secrets/c-secret"));
        var set = bed.Server.Get(PodKeeper.StatefulSet)!["spec"]!;
        Assert.Equal("OnDelete", (string?)set["updateStrategy"]!["type"]);
        Assert.Equal("Parallel", (string?)set["podManagementPolicy"]);
        Assert.Equal("registry:5000/weir:1", (string?)set["template"]!["spec"]!["containers"]![0]!["image"]);
    }

    /// <summary>A budget that held up every drain of the only broker's node.</summary>
    [Fact]
    public async Task Single_broker_has_no_disruption_budget()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, "{}");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        Assert.Empty(bed.Server.List("apis/policy/"));
    }

    [Fact]
    public async Task Nothing_is_written_once_all_is_as_specified()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, "{}");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        bed.Server.ClearWrites();

        // A new instance makes a whole pass over everything; the topic says that it has begun to work.
        await bed.RestartAsync();
        await bed.Server.WaitForConditionAsync(bed.PutTopic("orders"), "Ready", "True");
        Assert.DoesNotContain(bed.Server.Writes, static write => !write.Contains("/topics/", StringComparison.Ordinal)
            && !write.Contains("/weirclusters/c/status", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Change_of_a_setting_restarts_the_broker_once()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, "{}");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        var before = Uid(bed);
        Put(bed, """{"config":{"MaxConnections":"100"}}""");
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        Assert.NotEqual(before, Uid(bed));
        Assert.Equal(2, pods.Made);
        var config = (string?)bed.Server.Get($"api/v1/{Ns}/configmaps/c-config")!["data"]!["config.json"];
        Assert.Equal("100", (string?)JsonNode.Parse(config!)!["MaxConnections"]);
    }

    /// <summary>Operators whose new version restarted every cluster at once.</summary>
    [Fact]
    public async Task New_version_of_the_operator_restarts_nothing()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, "{}");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");

        // A newer one has another image, and would make the pods a little differently.
        bed.Server.Change(PodKeeper.StatefulSet, static set => set["spec"]!["template"]!["spec"]!["hostname"] = "of-an-older-operator");
        var set = bed.Server.Get(PodKeeper.StatefulSet)!["spec"]!.ToJsonString();
        bed.BrokerImage = "registry:5000/weir:2";
        await bed.RestartAsync();
        await bed.Server.WaitForConditionAsync(bed.PutTopic("orders"), "Ready", "True");
        Put(bed, """{"clusterConfig":{"declare.groups.on.use":"true"}}""");
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        Assert.Equal(set, bed.Server.Get(PodKeeper.StatefulSet)!["spec"]!.ToJsonString());
        Assert.Equal(1, pods.Made);
    }

    [Fact]
    public async Task Version_is_a_tag_of_the_operators_image()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, """{"version":"7.1"}""");
        bed.Run();
        var cluster = await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        Assert.Equal("registry:5000/weir:7.1", (string?)cluster["status"]!["image"]);
    }

    [Fact]
    public async Task Broker_that_does_not_answer_is_not_restarted_while_its_pod_is_ready()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, "{}");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        await bed.Broker.StopAsync();
        Put(bed, """{"config":{"MaxConnections":"100"}}""");
        var cluster = await bed.Server.WaitForConditionAsync(Cluster, "Progressing", "True", "Restart");
        Assert.Equal("False", (string?)ApiServer.FindCondition(cluster, "Ready")!["status"]);
        Assert.Equal(1, pods.Made);
        await bed.Broker.StartAgainAsync();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        Assert.Equal(2, pods.Made);
    }

    [Theory]
    [InlineData("""{"brokers":0}""")]
    [InlineData("""{"storage":{"size":"lots"}}""")]
    [InlineData("""{"config":{"clusterpeers":"0@elsewhere:9650"}}""")]
    [InlineData("""{"listeners":[{"name":"weir","tls":{"secretName":"cert"}}]}""")]
    [InlineData("""{"podTemplate":{"labels":{"weir.dev/cluster":"other"}}}""")]
    public async Task Specification_that_cannot_be_carried_out_changes_nothing(string spec)
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        Put(bed, spec);
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Ready", "False", "InvalidSpec");
        Assert.All(bed.Server.Writes, static write => Assert.Equal("PATCH apis/weir.dev/v1alpha1/namespaces/ns/weirclusters/c/status", write));
    }

    [Theory]
    [InlineData("apis/policy/v1", "apis/policy/v1beta1/", null)]
    [InlineData("apis/policy/v1 apis/policy/v1beta1", null, "PodDisruptionBudget")]
    public async Task Api_that_is_not_served_does_not_stop_the_rest(string notServed, string? expected, string? warning)
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        bed.Server.NotServed.UnionWith(notServed.Split(' '));
        Put(bed, """{"disruptionBudget":{"enabled":true}}""");
        bed.Run();
        var cluster = await bed.Server.WaitForConditionAsync(Cluster, "Ready", "True");
        Assert.Equal(expected is null ? 0 : 1, bed.Server.List(expected ?? "apis/policy/").Count);
        Assert.Contains(
            warning ?? "nothing is wrong", (string?)ApiServer.FindCondition(cluster, "Degraded")!["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Volumes_grow_and_the_StatefulSet_is_made_again_around_its_pods()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, """{"storage":{"size":"1Gi"}}""");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        var pod = Uid(bed);
        Put(bed, """{"storage":{"size":"2Gi"}}""");
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        Assert.Equal("2Gi", Size(bed.Server.Get(PodKeeper.Claims + "data-c-broker-0")!["spec"]!));
        Assert.Equal("2Gi", Size(bed.Server.Get(PodKeeper.StatefulSet)!["spec"]!["volumeClaimTemplates"]![0]!["spec"]!));
        Assert.Equal(pod, Uid(bed));
    }

    [Fact]
    public async Task Volume_that_was_resized_by_hand_is_left_so()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, """{"storage":{"size":"1Gi"}}""");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        bed.Server.Change(
            PodKeeper.Claims + "data-c-broker-0", static claim => claim["spec"]!["resources"]!["requests"]!["storage"] = "5Gi");
        Put(bed, """{"storage":{"size":"1Gi"},"deletionProtection":true}""");
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        Assert.Equal("5Gi", Size(bed.Server.Get(PodKeeper.Claims + "data-c-broker-0")!["spec"]!));
    }

    [Fact]
    public async Task Volume_that_cannot_grow_is_reported_and_stops_nothing_else()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        bed.Server.Intercept = async context =>
        {
            if (context.Request.Method != "PATCH" || !context.Request.Path.Value!.Contains("persistentvolumeclaims", StringComparison.Ordinal))
            {
                return false;
            }

            await ApiServer.FailAsync(context, 403, "Forbidden", "the storage class must support resize");
            return true;
        };
        Put(bed, """{"storage":{"size":"1Gi"}}""");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        Put(bed, """{"storage":{"size":"2Gi"},"config":{"MaxConnections":"100"}}""");
        var cluster = await bed.Server.WaitForConditionAsync(Cluster, "Progressing", "False");
        Assert.Contains("must support resize", (string?)ApiServer.FindCondition(cluster, "Degraded")!["message"], StringComparison.Ordinal);
        Assert.Equal(2, pods.Made);
    }

    [Fact]
    public async Task Protected_cluster_stays_until_the_protection_is_taken_back()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        bed.Server.Put("api/v1/namespaces/ns", []);
        Put(bed, """{"deletionProtection":true}""");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        bed.Server.Delete(Cluster);
        await bed.Server.WaitAsync(
            "the refusal is told",
            () => bed.Server.List("apis/events.k8s.io/v1/").FirstOrDefault(static e => (string?)e["reason"] == "DeletionProtected"));
        await bed.Server.WaitForConditionAsync(bed.PutTopic("orders"), "Ready", "True");
        Put(bed, "{}");
        await bed.Server.WaitAsync("the cluster is gone", () => bed.Server.Get(Cluster) is null ? "gone" : null);
    }

    [Fact]
    public async Task Protected_cluster_does_not_hold_up_the_end_of_its_namespace()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        bed.Server.Put(
            "api/v1/namespaces/ns",
            new JsonObject
            {
                ["metadata"] = new JsonObject
                {
                    ["deletionTimestamp"] = "2026-01-01T00:00:00Z", ["finalizers"] = new JsonArray("kubernetes"),
                },
            });
        Put(bed, """{"deletionProtection":true}""");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        bed.Server.Delete(Cluster);
        await bed.Server.WaitAsync("the cluster is gone", () => bed.Server.Get(Cluster) is null ? "gone" : null);
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 0)]
    public async Task Volumes_stay_unless_the_specification_says_otherwise(bool deleteClaim, int left)
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, $$$"""{"storage":{"deleteClaim":{{{(deleteClaim ? "true" : "false")}}}}}""");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        await pods.DisposeAsync();
        bed.Server.Delete(Cluster);
        await bed.Server.WaitAsync("the cluster is gone", () => bed.Server.Get(Cluster) is null ? "gone" : null);
        Assert.Equal(left, bed.Server.List(PodKeeper.Claims).Count);
    }

    /// <summary>A StatefulSet that somebody deleted came back with fewer pods than there were.</summary>
    [Fact]
    public async Task StatefulSet_that_was_deleted_comes_back_with_as_many_brokers_as_there_were()
    {
        await using var bed = await OperatorBed.CreateForClusterAsync();
        await using var pods = new PodKeeper(bed.Server);
        Put(bed, "{}");
        bed.Run();
        await bed.Server.WaitForConditionAsync(Cluster, "Stable", "True");
        await pods.DisposeAsync();
        var pod = bed.Server.Get(PodKeeper.Pods + "c-broker-0")!;
        foreach (var path in new[] { "uid", "resourceVersion" })
        {
            pod["metadata"]!.AsObject().Remove(path);
        }

        bed.Server.Put(PodKeeper.Pods + "c-broker-2", pod);
        bed.Server.Remove(PodKeeper.StatefulSet);
        var set = await bed.Server.WaitAsync("the StatefulSet is back", () => bed.Server.Get(PodKeeper.StatefulSet));
        Assert.Equal(3, (int?)set["spec"]!["replicas"]);
    }

    private static void Put(OperatorBed bed, string spec)
    {
        var content = (JsonObject)JsonNode.Parse(spec)!;
        content["brokers"] ??= 1;
        if (bed.Server.Get(Cluster) is not null)
        {
            bed.Server.Change(Cluster, cluster => cluster["spec"] = content);
            return;
        }

        bed.PutCluster("c", cluster =>
        {
            cluster["metadata"] = new JsonObject();
            cluster["spec"] = content;
        });
    }

    private static string Uid(OperatorBed bed) => (string)bed.Server.Get(PodKeeper.Pods + "c-broker-0")!["metadata"]!["uid"]!;

    private static string Size(JsonNode spec) => (string)spec["resources"]!["requests"]!["storage"]!;
}
