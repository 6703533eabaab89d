using System.Text.Json.Nodes;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>Brokers come and go while clients publish.</summary>
[Collection(nameof(PlatformTests))]
public sealed class ScaleTests(Platform platform)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false, Explicit = true)]
    public async Task From_three_to_five_and_back_under_load_loses_nothing_and_leaves_nothing_behind(bool isOperatorKilled)
    {
        await using var cluster = await platform.InstallClusterAsync(Values.Brokers(3));
        await cluster.CreateTopicAsync("orders", partitions: 6, replicas: 3);
        var load = await cluster.StartLoadAsync("orders", partitions: 6, minIsr: 2);

        await cluster.KubectlAsync("scale", "weircluster/w", "--replicas=5");
        await KillWhenAsync(isOperatorKilled, cluster, "ScaleOut");
        await cluster.UntilStableAsync(5);
        var first = await cluster.PodsAsync();

        // Five brokers share it.
        await cluster.CreateTopicAsync("wide", partitions: 10, replicas: 3);
        Assert.Equal(5, (await HoldersAsync(cluster)).Count);
        var wideLoad = await cluster.StartLoadAsync("wide", partitions: 10, minIsr: 2);

        await cluster.KubectlAsync("scale", "weircluster/w", "--replicas=3");
        await KillWhenAsync(isOperatorKilled, cluster, "ScaleIn");
        await cluster.UntilStableAsync(3);
        Assert.Equal(first.Where(static pod => pod.Key[^1] < '3').ToDictionary(), await cluster.PodsAsync());
        Assert.Equal([0, 1, 2], await HoldersAsync(cluster));
        (await load.StopAsync()).AssertNothingLost();
        (await wideLoad.StopAsync()).AssertNothingLost();

        // The volumes of those that left are still there: whoever comes back on one is a new broker all the same.
        await cluster.KubectlAsync("scale", "weircluster/w", "--replicas=4");
        await cluster.UntilStableAsync(4);
        Assert.Equal([0, 1, 2], await HoldersAsync(cluster));
    }

    [Fact]
    public async Task Scale_in_below_the_replicas_of_a_topic_waits_and_is_called_off_by_scaling_out_again()
    {
        await using var cluster = await platform.InstallClusterAsync(Values.Brokers(3));
        await cluster.CreateTopicAsync("orders", partitions: 3, replicas: 3);
        var before = await cluster.PodsAsync();

        await cluster.KubectlAsync("scale", "weircluster/w", "--replicas=2");
        await cluster.UntilAsync(
            "the operator says why it waits", "weircluster/w",
            static seen => ((string?)seen["status"]?["operation"]?["message"])?.Contains("refuse", StringComparison.Ordinal) == true);
        await cluster.KubectlAsync("scale", "weircluster/w", "--replicas=3");
        await cluster.UntilStableAsync(3);
        Assert.Equal(before, await cluster.PodsAsync());
        Assert.DoesNotContain("cordoned", await cluster.ShellAsync("/app/weir cluster brokers"), StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The brokers with a replica of any topic, those of the brokers' own topics too.</summary>
    private static async Task<SortedSet<int>> HoldersAsync(ClusterUnderTest cluster)
    {
        var brokers = JsonNode.Parse(await cluster.ShellAsync("/app/weir cluster brokers --output json"))!.AsArray();
        TestContext.Current.TestOutputHelper?.WriteLine(brokers.ToJsonString());
        return [.. brokers.Where(static broker => (int)broker!["replicas"]! > 0).Select(static broker => (int)broker!["nodeId"]!)];
    }

    private async Task KillWhenAsync(bool isWanted, ClusterUnderTest cluster, string operation)
    {
        if (isWanted)
        {
            await cluster.UntilAsync(
                $"{operation} goes on", "weircluster/w", seen => (string?)seen["status"]?["operation"]?["type"] == operation);
            await platform.KillOperatorAsync();
        }
    }
}
