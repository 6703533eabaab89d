using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>From nothing to records in a group, by Helm and kubectl alone.</summary>
[Collection(nameof(PlatformTests))]
public sealed class InstallationTests(Platform platform)
{
    [Fact]
    public async Task Both_charts_lead_to_a_topic_and_a_group_that_clients_use()
    {
        await using var cluster = await platform.InstallClusterAsync(Values.Brokers(3));
        await cluster.CreateTopicAsync("orders", partitions: 6, replicas: 3);
        await cluster.CreateGroupAsync("billing", "orders");

        await cluster.ShellAsync("seq 1 500 | /app/weir produce orders");
        await cluster.UntilAsync(
            "the lag is shown", "consumergroup/billing", static group => (long?)group["status"]?["lag"]?["records"] == 500);
        var table = await cluster.KubectlAsync("get", "weir");
        TestContext.Current.TestOutputHelper?.WriteLine(table);
        Assert.Matches(@"weircluster\S*/w +3 +3 +True", table);
        Assert.Matches(@"topic\S*/orders +w +event +6 +3 +True", table);
        Assert.Matches(@"consumergroup\S*/billing +w +keyed +Empty +0 +500 ", table);

        var read = await cluster.ShellAsync("/app/weir consume orders --group billing --count 500 --output json", broker: 1);
        Assert.Equal(500, read.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        await cluster.UntilAsync(
            "nothing waits", "consumergroup/billing", static group => (long?)group["status"]?["lag"]?["records"] == 0);
    }

    [Fact]
    public async Task Parts_of_a_specification_can_be_taken_away_by_server_side_apply()
    {
        await platform.StartAsync();
        var ns = await platform.Plane.CreateNamespaceAsync();
        await ApplyAsync("retention: {ms: 60000}\n  config: {segment.ms: \"60000\"}");
        await ApplyAsync("deletionPolicy: Retain");
        var topic = await platform.Kubectl.RunAsync("--namespace", ns, "get", "topic", "orders", "--output", "jsonpath={.spec}");
        Assert.DoesNotContain("60000", topic, StringComparison.Ordinal);

        Task<string> ApplyAsync(string more) => platform.Kubectl.RunWithInputAsync(
            Values.Topic("orders", more: more), "--namespace", ns, "apply", "--server-side", "--filename", "-");
    }

    [Fact]
    public async Task Helm_test_publishes_and_reads()
    {
        await using var cluster = await platform.InstallClusterAsync(
            Values.Brokers(1) + """
            topics:
              ping:
                partitions: 1
            tests:
              topic: ping
            """);
        await cluster.WaitAsync("Ready", "topic/ping");

        await platform.HelmTestAsync("w", cluster.Namespace);
        await platform.HelmTestAsync("weir", Platform.OperatorNamespace);
    }
}
