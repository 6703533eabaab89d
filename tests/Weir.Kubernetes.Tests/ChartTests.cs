using System.Text.Json.Nodes;
using Weir.Kubernetes.Tests.Charts;
using Weir.Kubernetes.Tests.Control;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>What helm makes of the charts' values, without a server.</summary>
public sealed class ChartTests
{
    [Theory]
    [MemberData(nameof(ChartFiles.Values), MemberType = typeof(ChartFiles))]
    public async Task Helm_lint_finds_nothing(string chart, string values)
    {
        Binaries.Require("helm");
        await Tool.Helm().RunAsync("lint", "--strict", Platform.Chart(chart), "--values", ChartFiles.Of(chart, "ci", values));
    }

    [Theory]
    [MemberData(nameof(ChartFiles.Values), MemberType = typeof(ChartFiles))]
    public async Task Rendering_twice_gives_the_same_text(string chart, string values)
    {
        var first = await ChartFiles.RenderFileAsync(chart, values);
        Assert.NotEmpty(Yaml.Parse(first));
        Assert.Equal(first, await ChartFiles.RenderFileAsync(chart, values));
    }

    [Theory]
    [InlineData(ChartFiles.Operator, "replica: 3", "")]
    [InlineData(ChartFiles.Operator, "replicas: -1", "replicas")]
    [InlineData(ChartFiles.Operator, "replicas: two", "replicas")]
    [InlineData(ChartFiles.Operator, "image: {pullPolicy: Sometimes}", "image.pullPolicy")]
    [InlineData(ChartFiles.Operator, "image: {digest: latest}", "image.digest")]
    [InlineData(ChartFiles.Operator, "brokerImage: {name: weir}", "brokerImage")]
    [InlineData(ChartFiles.Operator, "logLevel: debug", "logLevel")]
    [InlineData(ChartFiles.Operator, "namespaces: shop", "namespaces")]
    [InlineData(ChartFiles.Operator, "crds: {kept: false}", "crds")]
    [InlineData(ChartFiles.Operator, "commonLabels: {tier: 1}", "commonLabels.tier")]
    [InlineData(ChartFiles.Operator, "terminationGracePeriodSeconds: 1", "terminationGracePeriodSeconds")]
    [InlineData(ChartFiles.Operator, "networkPolicy: {apiServerPorts: [0]}", "networkPolicy.apiServerPorts.0")]
    [InlineData(ChartFiles.Operator, "metrics: {serviceMonitor: {interval: 30}}", "metrics.serviceMonitor.interval")]
    [InlineData(ChartFiles.Cluster, "brokers: 3", "")]
    [InlineData(ChartFiles.Cluster, "cluster: {broker: 3}", "cluster")]
    [InlineData(ChartFiles.Cluster, "cluster: {brokers: 0}", "cluster.brokers")]
    [InlineData(ChartFiles.Cluster, "cluster: {storage: {size: 10 GB}}", "cluster.storage.size")]
    [InlineData(ChartFiles.Cluster, "cluster: {config: {MaxConnections: 5}}", "cluster.config.MaxConnections")]
    [InlineData(ChartFiles.Cluster, "cluster: {podTemplate: {runAsUser: 0}}", "cluster.podTemplate.runAsUser")]
    [InlineData(ChartFiles.Cluster, "cluster: {listeners: [{name: weir, type: Ingress}]}", "cluster.listeners.0.type")]
    [InlineData(ChartFiles.Cluster, "topics: {Orders: {}}", "topics")]
    [InlineData(ChartFiles.Cluster, "topics: {orders: {partitions: 0}}", "topics.orders.partitions")]
    [InlineData(ChartFiles.Cluster, "topics: {orders: {durability: disk}}", "topics.orders.durability")]
    [InlineData(ChartFiles.Cluster, "topics: {orders: {clusterRef: {name: w}}}", "topics.orders")]
    [InlineData(ChartFiles.Cluster, "topicDefaults: {retention: {days: 7}}", "topicDefaults.retention")]
    [InlineData(ChartFiles.Cluster, "groups: {billing: {mode: keyed}}", "groups.billing")]
    [InlineData(ChartFiles.Cluster, "groups: {billing: {topics: []}}", "groups.billing.topics")]
    [InlineData(ChartFiles.Cluster, "groups: {billing: {topics: [orders], mode: shared}}", "groups.billing.mode")]
    [InlineData(ChartFiles.Cluster, "tests: {topic: [a]}", "tests.topic")]
    public async Task What_breaks_the_schema_is_refused_with_its_path(string chart, string values, string path)
    {
        Binaries.Require("helm");
        var outcome = await Tool.Helm().TryAsync(values, "template", "w", Platform.Chart(chart), "--values", "-");
        Assert.NotEqual(0, outcome.ExitCode);

        // As helm says it before 3.18, and since.
        string[] said = [$"- {(path.Length == 0 ? "(root)" : path)}:", $"- at '/{path.Replace('.', '/')}'"];
        Assert.True(said.Any(text => outcome.Error.Contains(text, StringComparison.Ordinal)), $"{path}: {outcome}");
    }

    [Fact]
    public async Task A_monitor_without_the_service_that_it_reads_is_refused()
    {
        Binaries.Require("helm");
        var outcome = await Tool.Helm().TryAsync(
            "metrics: {service: {enabled: false}, serviceMonitor: {enabled: true}}",
            "template", "w", Platform.Chart(ChartFiles.Operator), "--values", "-");
        Assert.NotEqual(0, outcome.ExitCode);
        Assert.Contains("metrics.serviceMonitor needs metrics.service", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", true)]
    [InlineData("crds: {keep: false}", false)]
    [InlineData("commonAnnotations: {a: b}", true)]
    public async Task Definitions_outlive_the_release_unless_told_otherwise(string values, bool isKept)
    {
        var definitions = Yaml.Parse(await ChartFiles.RenderAsync(ChartFiles.Operator, values))
            .Where(static item => (string?)item["kind"] == "CustomResourceDefinition").ToList();
        Assert.Equal(
            Directory.GetFiles(ChartFiles.Of(ChartFiles.Operator, "files", "crds")).Length, definitions.Count);
        Assert.All(definitions, item => Assert.Equal(
            isKept ? "keep" : null, (string?)item["metadata"]!["annotations"]?["helm.sh/resource-policy"]));
    }

    [Fact]
    public async Task Definitions_that_somebody_else_installs_are_left_out() => Assert.DoesNotContain(
        Yaml.Parse(await ChartFiles.RenderAsync(ChartFiles.Operator, "crds: {create: false}")),
        static item => (string?)item["kind"] == "CustomResourceDefinition");

    [Fact]
    public async Task A_topic_and_a_group_may_have_false_and_zero_where_the_defaults_have_more()
    {
        var rendered = Yaml.Parse(await ChartFiles.RenderAsync(
            ChartFiles.Cluster,
            """
            topicDefaults: {deleteOnlyIfEmpty: true, replicas: 3, retention: {ms: 5, bytes: 10}, labels: {a: default, b: default}}
            topics:
              orders: {deleteOnlyIfEmpty: false, retention: {ms: 604800000}, labels: {a: own}}
              plain: {}
            groupDefaults: {paused: true, retry: {maxDeliveries: 3, backoffMs: 100}}
            groups:
              billing: {topics: [orders], paused: false, retry: {backoffMs: 0}}
            """));
        JsonNode Find(string kind, string name) => rendered.Single(
            item => (string?)item["kind"] == kind && (string?)item["metadata"]!["name"] == name);
        AssertJson(
            """{"clusterRef":{"name":"w"},"deleteOnlyIfEmpty":false,"replicas":3,"retention":{"bytes":10,"ms":604800000}}""",
            Find("Topic", "orders")["spec"]);
        AssertJson(
            """{"clusterRef":{"name":"w"},"deleteOnlyIfEmpty":true,"replicas":3,"retention":{"bytes":10,"ms":5}}""",
            Find("Topic", "plain")["spec"]);
        AssertJson(
            """{"clusterRef":{"name":"w"},"paused":false,"retry":{"backoffMs":0,"maxDeliveries":3},"topics":["orders"]}""",
            Find("ConsumerGroup", "billing")["spec"]);
        Assert.Equal("own", (string?)Find("Topic", "orders")["metadata"]!["labels"]!["a"]);
        Assert.Equal("default", (string?)Find("Topic", "orders")["metadata"]!["labels"]!["b"]);
    }

    [Theory]
    [InlineData(ChartFiles.Operator)]
    [InlineData(ChartFiles.Cluster)]
    public async Task Labels_of_users_stand_once_and_leave_selectors_alone(string chart)
    {
        const string Labels = "{team: TEAM, app.kubernetes.io/name: TEAM, app.kubernetes.io/component: TEAM}";
        const string OfOperator = """
            commonLabels: COMMON
            podLabels: OWN
            metrics:
              serviceMonitor: {enabled: true, labels: OWN}
              prometheusRule: {enabled: true, labels: OWN}
              dashboard: {enabled: true, labels: OWN}
            """;
        const string OfCluster = """
            commonLabels: COMMON
            cluster: {labels: OWN}
            topics: {orders: {labels: OWN}}
            monitoring:
              podMonitor: {enabled: true, labels: OWN}
              prometheusRule: {enabled: true, labels: OWN}
              dashboard: {enabled: true, labels: OWN}
            """;
        var rendered = Yaml.Parse(await ChartFiles.RenderAsync(chart, (chart == ChartFiles.Operator ? OfOperator : OfCluster)
            .Replace("COMMON", Labels.Replace("TEAM", "common", StringComparison.Ordinal), StringComparison.Ordinal)
            .Replace("OWN", Labels.Replace("TEAM", "own", StringComparison.Ordinal), StringComparison.Ordinal)));
        Assert.DoesNotContain(
            rendered.SelectMany(Yaml.All).OfType<JsonObject>().Where(static node => node["matchLabels"] is not null),
            static selector => selector.ToJsonString().Contains("common", StringComparison.Ordinal)
                || selector.ToJsonString().Contains("own", StringComparison.Ordinal));
        var kinds = rendered.Where(static item => (string?)item["metadata"]!["labels"]?["team"] == "own")
            .Select(static item => (string?)item["kind"]).Order(StringComparer.Ordinal);
        if (chart == ChartFiles.Operator)
        {
            Assert.Equal(["ConfigMap", "PrometheusRule", "ServiceMonitor"], kinds);
            var deployment = rendered.Single(static item => (string?)item["kind"] == "Deployment")["spec"]!;
            var labels = deployment["template"]!["metadata"]!["labels"]!;
            Assert.Equal("own", (string?)labels["team"]);
            Assert.All(
                deployment["selector"]!["matchLabels"]!.AsObject(),
                pair => AssertJson(pair.Value!.ToJsonString(), labels[pair.Key]));
            Assert.Equal("operator", (string?)labels["app.kubernetes.io/component"]);
        }
        else
        {
            Assert.Equal(["ConfigMap", "PodMonitor", "PrometheusRule", "Topic", "WeirCluster"], kinds);
        }
    }

    [Theory]
    [InlineData(ChartFiles.Operator)]
    [InlineData(ChartFiles.Cluster)]
    public async Task A_release_with_dots_has_names_that_services_may_have(string chart)
    {
        var rendered = Yaml.Parse(await ChartFiles.RenderReleaseAsync("shop.v2", chart, "{}"));
        var names = rendered.Where(static item => (string?)item["kind"] is "Service" or "WeirCluster")
            .Select(static item => (string)item["metadata"]!["name"]!).ToList();
        Assert.NotEmpty(names);
        Assert.All(names, static name => Assert.Matches("^[a-z]([-a-z0-9]*[a-z0-9])?$", name));
    }

    [Theory]
    [InlineData(ChartFiles.Operator, "networkPolicy: {metricsFrom: [{podSelector: {matchLabels: {a: b}}}]}", 8080)]
    [InlineData(ChartFiles.Cluster, "networkPolicy: {enabled: true, clients: [{podSelector: {matchLabels: {a: b}}}]}", 0)]
    public async Task A_network_policy_lets_the_pod_of_helm_test_in(string chart, string values, int port)
    {
        var rendered = Yaml.Parse(await ChartFiles.RenderAsync(chart, values));
        var pod = rendered.Single(static item => (string?)item["kind"] == "Pod")["metadata"]!["labels"]!;
        var policy = rendered.Single(static item => (string?)item["kind"] == "NetworkPolicy");
        var wanted = port == 0 ? "weir" : port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        Assert.Contains(
            policy["spec"]!["ingress"]!.AsArray(),
            rule => rule!["ports"]!.AsArray().Any(item => item!["port"]!.ToString() == wanted)
                && rule["from"]!.AsArray().Any(peer => peer!["namespaceSelector"] is null
                    && peer["podSelector"]!["matchLabels"]!.AsObject().All(
                        label => (string?)pod[label.Key] == (string?)label.Value)));
    }

    [Fact]
    public async Task Objects_of_helm_test_are_gone_after_it()
    {
        var hooks = Yaml.Parse(await ChartFiles.RenderFileAsync(ChartFiles.Cluster, "topics-values.yaml"))
            .Where(static item => item["metadata"]!["annotations"]?["helm.sh/hook"] is not null).ToList();
        Assert.Equal(2, hooks.Count);
        Assert.All(hooks, static hook => Assert.Contains(
            "hook-succeeded", (string)hook["metadata"]!["annotations"]!["helm.sh/hook-delete-policy"]!, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("cluster", "weirclusters")]
    [InlineData("topicDefaults", "topics")]
    [InlineData("groupDefaults", "consumergroups")]
    public void The_chart_takes_what_the_resource_takes(string value, string resource)
    {
        var definition = Yaml.Parse(File.ReadAllText(
            ChartFiles.Of(ChartFiles.Operator, "files", "crds", $"weir.dev_{resource}.yaml")))[0];
        var spec = definition["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!["spec"]!;
        string[] metadata = ["labels", "annotations"];
        Assert.Equal(
            Paths(spec).Except(["clusterRef", "clusterRef.name", "clusterRef.namespace"]).Concat(metadata)
                .Order(StringComparer.Ordinal),
            Paths(ChartFiles.Schema(ChartFiles.Cluster)["properties"]![value]!).Order(StringComparer.Ordinal));

        // Down to what Kubernetes itself defines, of which only one of the two has the fields.
        static IEnumerable<string> Paths(JsonNode schema, string prefix = "") =>
            from property in (JsonObject)(schema["properties"] ?? schema["items"]?["properties"] ?? new JsonObject())
            let path = prefix + property.Key
            from found in path is "resources" or "podTemplate.affinity" or "podTemplate.tolerations" or "podTemplate.env"
                or "podTemplate.topologySpreadConstraints"
                ? [path]
                : Paths(property.Value!, $"{path}.").Prepend(path)
            select found;
    }

    private static void AssertJson(string expected, JsonNode? actual) =>
        Assert.True(
            JsonNode.DeepEquals(JsonNode.Parse(expected), actual), $"expected {expected}, but it is {actual?.ToJsonString()}");
}
