using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>What becomes of topics and their data when resources, topics or clusters go.</summary>
[Collection(nameof(PlatformTests))]
public sealed class PolicyTests(Platform platform)
{
    [Fact]
    public async Task Data_goes_with_a_topic_only_where_its_policy_says_so()
    {
        await using var cluster = await InstallAsync();
        await cluster.CreateTopicAsync("kept", more: "deletionPolicy: Retain");
        await cluster.CreateTopicAsync("gone", more: "deletionPolicy: Delete");
        await cluster.CreateTopicAsync("full", more: "deletionPolicy: Delete\n  deleteOnlyIfEmpty: true");
        foreach (var topic in (string[])["kept", "gone", "full"])
        {
            await cluster.ShellAsync($"seq 1 100 | /app/weir produce {topic}");
        }

        await cluster.KubectlAsync("delete", "topic", "kept", "gone", "--timeout=60s");
        await cluster.KubectlAsync("delete", "topic", "full", "--wait=false");
        await cluster.UntilAsync(
            "the topic that holds records stays", "topic/full",
            static topic => topic["status"]!["conditions"]!.ToJsonString().Contains("NotEmpty", StringComparison.Ordinal));
        Assert.Equal(["full", "kept"], await TopicsAsync(cluster));
        Assert.Equal(100, Lines(await cluster.ShellAsync("/app/weir consume kept --output value")));

        await cluster.ShellAsync("/app/weir topic trim full --partition 0 --before 100");
        await cluster.UntilGoneAsync("topic/full");
        Assert.Equal(["kept"], await TopicsAsync(cluster));

        // The same resource again takes over what is there.
        await cluster.CreateTopicAsync("kept", more: "deletionPolicy: Retain");
        Assert.Equal(100, Lines(await cluster.ShellAsync("/app/weir consume kept --output value")));
    }

    [Fact]
    public async Task Topic_that_somebody_deleted_is_restored_or_reported_as_its_policy_says()
    {
        await using var cluster = await InstallAsync();
        await cluster.CreateTopicAsync("restored");
        await cluster.CreateTopicAsync("reported", more: "missingPolicy: Report");
        var first = await cluster.GetAsync("topic/restored");

        await cluster.ShellAsync("/app/weir topic delete restored && /app/weir topic delete reported");
        await cluster.UntilAsync(
            "the topic is another one", "topic/restored",
            topic => (string?)topic["status"]!["topicId"] != (string?)first["status"]!["topicId"]
                && ClusterUnderTest.ConditionOf(topic, "Ready") == "True");
        await cluster.UntilAsync(
            "its absence is reported", "topic/reported", static topic => ClusterUnderTest.ConditionOf(topic, "Ready") == "False"
                && topic["status"]!["conditions"]!.ToJsonString().Contains("\"Missing\"", StringComparison.Ordinal));
        Assert.Equal(["restored"], await TopicsAsync(cluster));
    }

    [Fact]
    public async Task Cluster_that_is_gone_holds_up_no_topic_and_no_group()
    {
        await using var cluster = await InstallAsync();
        await cluster.CreateTopicAsync("orders", more: "deletionPolicy: Delete");
        await cluster.CreateGroupAsync("billing", "orders", more: "deletionPolicy: Delete");

        await cluster.UninstallAsync();
        await cluster.KubectlAsync("delete", "topic/orders", "consumergroup/billing", "--timeout=60s");
        Assert.Empty(await cluster.KubectlAsync("get", "weir", "--output", "name"));

        // The volume was not deleted with the cluster, so the data is there for a cluster of the same name.
        await cluster.InstallAsync(Values.Brokers(1));
        await cluster.WaitAsync("Ready", "weircluster/w");
        Assert.Equal(["orders"], await TopicsAsync(cluster));
    }

    [Fact]
    public async Task Namespace_goes_with_everything_in_it_whatever_the_policies_are()
    {
        var cluster = await platform.InstallClusterAsync(Values.Brokers(1) + "  deletionProtection: true\n");
        await cluster.CreateTopicAsync("orders", more: "deletionPolicy: Delete");
        await cluster.CreateTopicAsync("full", more: "deletionPolicy: Delete\n  deleteOnlyIfEmpty: true");
        await cluster.CreateGroupAsync("billing", "orders", more: "deletionPolicy: Delete");
        await cluster.ShellAsync("seq 1 100 | /app/weir produce full");

        await platform.Kubectl.RunAsync("delete", "namespace", cluster.Namespace, "--timeout=120s");
    }

    private static int Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;

    private static async Task<IEnumerable<string>> TopicsAsync(ClusterUnderTest cluster) =>
        (await cluster.ShellAsync("/app/weir topic list --output value")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Order();

    private Task<ClusterUnderTest> InstallAsync() => platform.InstallClusterAsync(Values.Brokers(1));
}
