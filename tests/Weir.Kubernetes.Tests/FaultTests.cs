using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>Brokers that cannot be reached, and an operator that comes, goes and changes.</summary>
[Collection(nameof(PlatformTests))]
public sealed class FaultTests(Platform platform) : IDisposable
{
    public void Dispose() => platform.Heal();

    [Fact]
    public async Task Broker_that_is_cut_off_is_reported_and_nothing_is_restarted_for_it()
    {
        await using var cluster = await platform.InstallClusterAsync(Values.Brokers(3));
        await cluster.CreateTopicAsync("orders", partitions: 6, replicas: 3);
        var before = await cluster.PodsAsync();
        var load = await cluster.StartLoadAsync("orders", partitions: 6, minIsr: 2);

        platform.Pods.Faults.Isolate(platform.Pods.NodeOf(cluster.Namespace, ClusterUnderTest.BrokerPod(1)));
        await cluster.UntilAsync(
            "the broker is reported as down", "weircluster/w", static seen => ClusterUnderTest.ConditionOf(seen, "Degraded") == "True"
                && seen["status"]!["brokers"]!.AsArray().Any(static broker => (string?)broker!["state"] == "Down"));
        platform.Pods.Faults.Heal();
        await cluster.UntilStableAsync(3);
        Assert.Equal(before, await cluster.PodsAsync());
        (await load.StopAsync()).AssertNothingLost();
    }

    [Fact]
    public async Task Operator_that_reaches_no_broker_touches_nothing_until_it_does()
    {
        await using var cluster = await platform.InstallClusterAsync(Values.Brokers(3));
        await cluster.CreateTopicAsync("orders", partitions: 3, replicas: 3, more: "deletionPolicy: Delete");
        var before = await cluster.PodsAsync();

        await PartitionOperatorAsync(cluster);
        await cluster.UpgradeAsync(Values.Brokers(3) + Values.OtherSetting);
        await cluster.KubectlAsync("delete", "topic/orders", "--wait=false");
        await cluster.UntilAsync(
            "the cluster's status says so", "weircluster/w", static seen => seen["status"]!["conditions"]!.ToJsonString().Contains(
                "no broker answers", StringComparison.Ordinal));
        await cluster.UntilAsync(
            "the topic's status says so", "topic/orders", static seen => seen["status"]!["conditions"]!.ToJsonString().Contains(
                "BrokersUnreachable", StringComparison.Ordinal));
        Assert.Equal(before, await cluster.PodsAsync());

        platform.Pods.Faults.Heal();
        await cluster.UntilStableAsync(3);
        await cluster.UntilGoneAsync("topic/orders");
        Assert.Empty((await cluster.PodsAsync()).Intersect(before));
    }

    [Fact]
    public async Task Operator_that_is_upgraded_or_made_anew_restarts_no_broker_and_deletes_no_topic()
    {
        await using var cluster = await platform.InstallClusterAsync(Values.Brokers(3));
        await cluster.CreateTopicAsync("orders", partitions: 3, replicas: 3, more: "deletionPolicy: Delete");
        var before = await cluster.PodsAsync();
        var topic = await cluster.GetAsync("topic/orders");
        var load = await cluster.StartLoadAsync("orders", partitions: 3, minIsr: 3);

        // Whoever came by an older release has older definitions: the new one brings its own.
        await platform.Kubectl.RunAsync(
            "patch", "crd", "topics.weir.dev", "--type=json",
            "--patch=[{\"op\": \"remove\", \"path\": \"/spec/versions/0/additionalPrinterColumns\"}]");
        await platform.HelmOperatorAsync("upgrade", "logLevel=Debug", "brokerImage.tag=9.9.9");
        await AssertAlignedAsync(cluster, "upgraded");
        Assert.Contains("PARTITIONS", await cluster.KubectlAsync("get", "topics"), StringComparison.Ordinal);

        await platform.Helm.RunAsync("uninstall", "weir", "--namespace", Platform.OperatorNamespace);
        Assert.Contains("topic.weir.dev/orders", await cluster.KubectlAsync("get", "weir", "--output", "name"), StringComparison.Ordinal);
        await platform.HelmOperatorAsync("install");
        await AssertAlignedAsync(cluster, "anew");

        Assert.Equal(before, await cluster.PodsAsync());
        Assert.Equal((string?)topic["status"]!["topicId"], (string?)(await cluster.GetAsync("topic/orders"))["status"]!["topicId"]);
        var report = await load.StopAsync();
        report.AssertNothingLost();
        Assert.Equal(0, report.BelowMinIsr);
    }

    /// <summary>The operator that runs now does what is asked: it has looked at the cluster and its topics.</summary>
    private static async Task AssertAlignedAsync(ClusterUnderTest cluster, string proof)
    {
        await cluster.CreateTopicAsync(proof, replicas: 3);
        await cluster.UntilStableAsync(3);
    }

    private async Task PartitionOperatorAsync(ClusterUnderTest cluster)
    {
        var operators = await platform.OperatorPodsAsync();
        foreach (var pod in operators)
        {
            foreach (var broker in (await cluster.PodsAsync()).Keys)
            {
                platform.Pods.Faults.Partition(
                    platform.Pods.NodeOf(Platform.OperatorNamespace, pod), platform.Pods.NodeOf(cluster.Namespace, broker));
            }
        }
    }
}
