using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Weir.Kubernetes.Tests.Pods;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>
/// A thousand topics, and what they cost once they are ready. WEIR_IDLE_PASSES says how often the operator shall look at each of
/// them meanwhile, which it does once a minute.
/// </summary>
[Collection(nameof(PlatformTests))]
public sealed class ThousandTopicsTests(Platform platform)
{
    private const int Topics = 1000;

    private static readonly int Passes = int.Parse(
        Environment.GetEnvironmentVariable("WEIR_IDLE_PASSES") ?? "1", NumberStyles.None, CultureInfo.InvariantCulture);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Thousand_topics_become_ready_and_then_cause_no_write()
    {
        await using var cluster = await platform.InstallClusterAsync(Values.Brokers(3));
        var path = $"/apis/weir.dev/v1alpha1/namespaces/{cluster.Namespace}/topics";
        var started = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, Topics), new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Token },
            async (topic, ct) => await platform.Plane.Api.PostAsync(path, Topic($"t{topic:0000}"), ct));
        await UntilAllAreReadyAsync(path);
        Write($"{Topics} topics: created and ready in {Stopwatch.GetElapsedTime(started).TotalSeconds:F1} s");
        Assert.Equal(
            Topics, (await cluster.ShellAsync("/app/weir topic list --output value")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);

        // The last one that became ready may still be written about.
        var leader = await platform.OperatorLeaderAsync();
        await PassAsync(leader, 1);

        // A broker that has no processor for long changes the state of the cluster, which is written: then it was not idle.
        IReadOnlyList<string> writes;
        var tries = 0;
        do
        {
            writes = await IdleAsync(leader);
        }
        while (writes.Count > 0 && ++tries < 3);
        Assert.Empty(writes);
    }

    /// <summary>What is written while the operator looks at everything.</summary>
    private async Task<IReadOnlyList<string>> IdleAsync(string leader)
    {
        var before = platform.Plane.WritesOf(Platform.OperatorNamespace).Count;
        var (begin, cpu) = (Stopwatch.GetTimestamp(), ProcessorTimeOf(leader));
        await PassAsync(leader, Passes);
        var elapsed = Stopwatch.GetElapsedTime(begin);
        var share = (ProcessorTimeOf(leader) - cpu) / elapsed;
        IReadOnlyList<string> writes = [.. platform.Plane.WritesOf(Platform.OperatorNamespace).Skip(before)];
        Write($"idle for {elapsed.TotalSeconds:F0} s: the operator that leads takes {share:P2} of a core; written: {string.Join(", ", writes)}");
        return writes;
    }

    private static void Write(FormattableString line) =>
        TestContext.Current.TestOutputHelper?.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private static JsonObject Topic(string name) => new()
    {
        ["apiVersion"] = "weir.dev/v1alpha1",
        ["kind"] = "Topic",
        ["metadata"] = new JsonObject { ["name"] = name },
        ["spec"] = new JsonObject { ["clusterRef"] = new JsonObject { ["name"] = "w" }, ["partitions"] = 1, ["replicas"] = 3 },
    };

    private async Task UntilAllAreReadyAsync(string path)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        stop.CancelAfter(TimeSpan.FromMinutes(5));
        var ready = new HashSet<string>();
        await new ResourceWatch(platform.Plane.Api, path, (topic, _) =>
        {
            if (ClusterUnderTest.ConditionOf(topic, "Ready") == "True" && ready.Add((string)topic["metadata"]!["name"]!)
                && ready.Count == Topics)
            {
                stop.Cancel();
            }
        }).RunAsync(stop.Token);
        Assert.True(ready.Count == Topics, $"{ready.Count} are ready\n{platform.Pods.Describe(Platform.OperatorNamespace)}");
    }

    /// <summary>Waits until the operator has looked at every topic so often. It is asked rarely: to answer takes time of its own.</summary>
    private async Task PassAsync(string pod, int passes)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        patience.CancelAfter(TimeSpan.FromMinutes(2 * (passes + 1)));
        var before = await CountPassesAsync(pod);
        while (await CountPassesAsync(pod) < before + (passes * Topics))
        {
            await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System, patience.Token);
        }
    }

    private async Task<double> CountPassesAsync(string pod)
    {
        const string Series = "weir_operator_reconciliations_total{kind=\"Topic\",result=\"success\"} ";
        var figures = await platform.Pods.GetAsync(Platform.OperatorNamespace, pod, "/metrics");
        return figures.Split('\n').Where(static line => line.StartsWith(Series, StringComparison.Ordinal))
            .Sum(static line => double.Parse(line.AsSpan(Series.Length), CultureInfo.InvariantCulture));
    }

    private TimeSpan ProcessorTimeOf(string pod)
    {
        using var process = Process.GetProcessById(platform.Pods.ProcessOf(Platform.OperatorNamespace, pod));
        return process.TotalProcessorTime;
    }
}
