using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>A change of a setting restarts every broker; nobody who publishes or reads may notice.</summary>
[Collection(nameof(PlatformTests))]
public sealed class RollingRestartTests(Platform platform)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false, Explicit = true)]
    public async Task Change_of_a_setting_under_load_restarts_every_broker_and_loses_nothing(bool isOperatorKilled)
    {
        await using var cluster = await platform.InstallClusterAsync(Values.Brokers(3));
        await cluster.CreateTopicAsync("orders", partitions: 6, replicas: 3);
        var before = await cluster.PodsAsync();
        var load = await cluster.StartLoadAsync("orders", partitions: 6, minIsr: 2);

        await cluster.UpgradeAsync(Values.Brokers(3) + Values.OtherSetting);
        if (isOperatorKilled)
        {
            await Eventually.HoldsAsync(
                "a broker is another pod", async _ => (await cluster.PodsAsync()).Except(before).Any());
            await platform.KillOperatorAsync();
        }

        await cluster.UntilStableAsync(3);
        var report = await load.StopAsync();
        Assert.Empty((await cluster.PodsAsync()).Intersect(before));
        report.AssertNothingLost();
        Assert.True(report.BelowMinIsr == 0, load.Log);
    }

    [Fact]
    public async Task Setting_that_brokers_refuse_takes_one_down_and_the_right_one_brings_it_back()
    {
        await using var cluster = await platform.InstallClusterAsync(Values.Brokers(3));
        await cluster.CreateTopicAsync("orders", partitions: 3, replicas: 3);
        var before = await cluster.PodsAsync();
        var load = await cluster.StartLoadAsync("orders", partitions: 3, minIsr: 2);

        await cluster.UpgradeAsync(Values.Brokers(3) + """
              config:
                NoSuchSetting: "1"

            """);
        await cluster.UntilAsync(
            "the operator says what is wrong", "weircluster/w",
            static seen => seen["status"]!["conditions"]!.ToJsonString().Contains("CrashLoopBackOff", StringComparison.Ordinal));
        Assert.Single((await cluster.PodsAsync()).Except(before));

        await cluster.UpgradeAsync(Values.Brokers(3) + Values.OtherSetting);
        await cluster.UntilStableAsync(3);
        (await load.StopAsync()).AssertNothingLost();
    }
}
