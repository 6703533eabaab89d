using System.Text.Json;
using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>What a load saw; see the program that runs in the pod.</summary>
public sealed record LoadReport(
    int Partitions, long Acknowledged, long Failed, long Missing, long Misplaced, long LongestGapMs, int SmallestIsr, int BelowMinIsr,
    int Looks)
{
    /// <summary>Nothing that was acknowledged is missing, twice or out of order, and nothing was refused.</summary>
    public void AssertNothingLost()
    {
        Assert.True(Acknowledged > 0, ToString());
        Assert.True((Failed, Missing, Misplaced) == (0, 0, 0), ToString());
    }
}

/// <summary>A pod that publishes until it is told to stop, and then compares what is there with what was acknowledged.</summary>
public sealed class LoadPod(ClusterUnderTest cluster, Platform platform, string name)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>What it wrote.</summary>
    public string Log => platform.Pods.LogOf(cluster.Namespace, name);

    internal async Task StartAsync(string topic, int partitions, int minIsr)
    {
        await cluster.ApplyAsync($"""
            apiVersion: v1
            kind: Pod
            metadata:
              name: {name}
            spec:
              restartPolicy: Never
              terminationGracePeriodSeconds: 5
              automountServiceAccountToken: false
              containers:
                - name: load
                  image: weir-load
                  args: ["{cluster.Server}", "{topic}", "{minIsr}"]
            """);
        await Eventually.HoldsAsync(
            "every partition acknowledges",
            _ => Task.FromResult(Log.Split('\n').Count(static line => line.EndsWith("acknowledges", StringComparison.Ordinal)) >= partitions),
            Patience, () => $"{Log}\n{platform.Pods.Describe(cluster.Namespace)}");
    }

    /// <summary>Stops it and waits for what it says.</summary>
    public async Task<LoadReport> StopAsync()
    {
        platform.Pods.Signal(cluster.Namespace, name, ProcessSignals.Terminate);
        await cluster.UntilAsync(
            "the load has ended", $"pod/{name}", static pod => (string?)pod["status"]?["phase"] is "Succeeded" or "Failed");
        var report = Log.Split('\n').LastOrDefault(static line => line.StartsWith('{'));
        Assert.True(report is not null, Log);
        var read = JsonSerializer.Deserialize<LoadReport>(report)!;
        TestContext.Current.TestOutputHelper?.WriteLine(read.ToString());
        return read;
    }
}
