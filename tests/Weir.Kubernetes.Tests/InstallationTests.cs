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
        await cluster.ApplyAsync(Values.Topic("orders", partitions: 6, replicas: 3));
        await cluster.ApplyAsync(Values.Group("billing", "orders"));
        await cluster.WaitAsync("Ready", "topic/orders");
        await cluster.WaitAsync("Ready", "consumergroup/billing");

        await cluster.ShellAsync("seq 1 500 | /app/weir produce orders --file -");
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

        var output = await platform.Helm.RunAsync("test", "w", "--namespace", cluster.Namespace, "--timeout", "2m");
        Assert.Contains("Succeeded", output, StringComparison.Ordinal);
        output = await platform.Helm.RunAsync("test", "weir", "--namespace", Platform.OperatorNamespace, "--timeout", "2m");
        Assert.Contains("Succeeded", output, StringComparison.Ordinal);
    }
}
