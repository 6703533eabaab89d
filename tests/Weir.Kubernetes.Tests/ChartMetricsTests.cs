using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Weir.Cluster.Tests;
using Weir.Cluster.Tests.Harness;
using Weir.Kubernetes.Tests.Charts;
using Weir.Kubernetes.Tests.Control;
using Weir.Kubernetes.Tests.Pods;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>What alerts and dashboards ask for is what the programs tell.</summary>
public sealed partial class ChartMetricsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(ChartFiles.Charts), MemberType = typeof(ChartFiles))]
    public void Every_metric_and_label_that_is_asked_for_is_in_the_code(string chart)
    {
        var metrics = CodeMetrics.Of(chart);
        var queries = Queries.All(chart);
        Assert.NotEmpty(queries);
        Assert.All(queries, query =>
        {
            var asked = Queries.Metrics(query.Expression).ToList();
            Assert.NotEmpty(asked);
            Assert.All(asked, name => Assert.True(metrics.ContainsKey(name), $"{query.Where}: there is no metric {name}"));
            var labels = asked.SelectMany(name => metrics[name]).ToHashSet();
            Assert.All(Queries.LabelsOf(query.Expression), label => Assert.True(
                (label.Metric is null ? labels : [.. metrics[label.Metric]]).Contains(label.Label),
                $"{query.Where}: {label.Metric ?? string.Join(", ", asked)} has no label {label.Label}"));
        });
    }

    [Theory]
    [MemberData(nameof(ChartFiles.Charts), MemberType = typeof(ChartFiles))]
    public void Every_label_that_an_alert_shows_is_left_by_its_expression(string chart)
    {
        var metrics = CodeMetrics.Of(chart);
        Assert.All(Rule.All(chart), rule =>
        {
            var isSummed = Aggregation().IsMatch(rule.Expression);
            var left = isSummed
                ? Queries.Grouped(rule.Expression)
                : Queries.Metrics(rule.Expression).SelectMany(name => metrics[name]);
            Assert.Subset(left.ToHashSet(), Queries.ShownLabels(rule.Annotations).ToHashSet());
        });
    }

    [Fact]
    public void Every_result_that_an_alert_waits_for_is_one_of_the_protocol()
    {
        var waited = Rule.All(ChartFiles.Cluster).SelectMany(static rule => Queries.ValuesOf(rule.Expression, "result"))
            .ToHashSet();
        Assert.NotEmpty(waited);
        Assert.Subset(CodeMetrics.Results(), waited);
    }

    [Fact]
    public async Task Rules_ask_for_the_pods_of_their_own_cluster_alone()
    {
        var rendered = Yaml.Parse(await ChartFiles.RenderAsync(
            ChartFiles.Cluster, "{nameOverride: shop, monitoring: {prometheusRule: {enabled: true}}}"));
        var rules = RulesIn(rendered);
        Assert.Equal(Rule.All(ChartFiles.Cluster).Count, rules.Count);
        Assert.All(rules, static rule =>
        {
            var expression = (string)rule!["expr"]!;
            Assert.All(
                Queries.ValuesOf(expression, "namespace"), static value => Assert.Equal("test", value));
            Assert.Equal(Queries.Metrics(expression).Count(), Queries.ValuesOf(expression, "namespace").Count());
            Assert.All(Queries.ValuesOf(expression, "pod"), static value => Assert.Equal("shop-broker-[0-9]+", value));
            Assert.All(Queries.ValuesOf(expression, "statefulset"), static value => Assert.Equal("shop-broker", value));
            Assert.DoesNotMatch("CLUSTER|NAMESPACE", rule.ToJsonString());
        });
    }

    [Theory]
    [MemberData(nameof(ChartFiles.Charts), MemberType = typeof(ChartFiles))]
    public async Task An_alert_that_is_disabled_is_left_out_alone(string chart)
    {
        var all = Rule.All(chart).Select(static rule => rule.Name).ToList();
        var rule = $"prometheusRule: {{enabled: true, disabled: [{all[1]}]}}";
        var rendered = Yaml.Parse(await ChartFiles.RenderAsync(
            chart, $"{(chart == ChartFiles.Operator ? "metrics" : "monitoring")}: {{{rule}}}"));
        var rules = RulesIn(rendered);
        Assert.Equal(all.Except([all[1]]), rules.Select(static item => (string)item!["alert"]!));
    }

    [Fact]
    public async Task Three_brokers_that_are_well_tell_all_figures_and_no_partition_that_is_offline()
    {
        using var lease = Lease.Take();
        var ports = Enumerable.Range(0, 6).Select(static _ => FreePort.Find()).ToArray();
        var peers = string.Join(',', Enumerable.Range(0, 3).Select(id => $"{id}@127.0.0.1:{ports[id]}"));
        var brokers = new List<ServerProcess>();
        using var http = new HttpClient();
        try
        {
            for (var id = 0; id < 3; id++)
            {
                brokers.Add(new ServerProcess(
                    Path.Combine(lease.Directory, $"{id}.log"), WeirProgram, "broker",
                    "--data", Path.Combine(lease.Directory, $"{id}"), "--listen", $"127.0.0.1:{ports[id]}",
                    "--http", $"127.0.0.1:{ports[3 + id]}", "--node-id", $"{id}", "--cluster-peers", peers));
            }

            // Brokers 1 and 2 follow where broker 0 leads: they do not take its records, and nothing is wrong.
            await Eventually.HoldsAsync(
                "all three brokers are up",
                _ => Task.FromResult(
                    Machine.TryRun(out var table, WeirProgram, "cluster", "status", "--server", $"127.0.0.1:{ports[0]}")
                        && table.Contains("3 of 3 up", StringComparison.Ordinal)),
                state: () => string.Join("\n\n", brokers.Select(static broker => broker.Tail)));
            Machine.Run(
                WeirProgram, "topic", "create", "t", "--partitions", "3", "--replicas", "3", "--server", $"127.0.0.1:{ports[0]}");
            for (var id = 0; id < 3; id++)
            {
                var text = string.Empty;
                await Eventually.HoldsAsync(
                    $"broker {id} has its replicas, and none of them counts as offline",
                    async ct =>
                    {
                        text = await http.GetStringAsync(new Uri($"http://127.0.0.1:{ports[3 + id]}/metrics"), ct);
                        return Regex.Count(text, "^weir_high_watermark{", RegexOptions.Multiline) == 3
                            && text.Contains("\nweir_offline_partitions 0\n", StringComparison.Ordinal);
                    },
                    state: () => text);
                var told = Told().Matches(text)
                    .SelectMany(static match => NamesOf(match.Groups["name"].Value, match.Groups["type"].Value))
                    .Concat(CodeMetrics.Of(ChartFiles.Cluster).Keys.Where(
                        static name => name.StartsWith("kube_", StringComparison.Ordinal)))
                    .ToHashSet();
                Assert.Subset(
                    told,
                    Queries.All(ChartFiles.Cluster).SelectMany(static query => Queries.Metrics(query.Expression)).ToHashSet());
            }
        }
        finally
        {
            brokers.ForEach(static broker => broker.Dispose());
        }
    }

    private static string WeirProgram => Path.Combine(Images.Find("weir")!.Folder, Images.Find("weir")!.Program);

    private static string[] NamesOf(string name, string type) =>
        type == "histogram" ? [$"{name}_bucket", $"{name}_sum", $"{name}_count"] : [name];

    private static JsonArray RulesIn(IEnumerable<JsonNode> rendered) => rendered
        .Single(static item => (string?)item["kind"] == "PrometheusRule")["spec"]!["groups"]![0]!["rules"]!.AsArray();

    [GeneratedRegex(@"\b(sum|max|min|avg|count)\b")]
    private static partial Regex Aggregation();

    [GeneratedRegex(@"^# TYPE (?<name>\w+) (?<type>\w+)$", RegexOptions.Multiline)]
    private static partial Regex Told();
}
