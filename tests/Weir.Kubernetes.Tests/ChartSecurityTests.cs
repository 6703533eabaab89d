using System.Text.Json.Nodes;
using Weir.Kubernetes.Tests.Charts;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>What the charts' READMEs say of security, shown in what is rendered.</summary>
public sealed class ChartSecurityTests
{
    [Theory]
    [MemberData(nameof(ChartFiles.Values), MemberType = typeof(ChartFiles))]
    public async Task Every_pod_is_admitted_where_pod_security_is_restricted(string chart, string values)
    {
        var pods = ChartFiles.Pods(await ChartFiles.RenderFileAsync(chart, values)).ToList();
        Assert.Equal(PodsIn(chart, values), pods.Count);
        Assert.All(pods, static pod => Assert.Equal([], PodSecurity.Violations(pod.Spec)));
    }

    [Theory]
    [MemberData(nameof(ChartFiles.Values), MemberType = typeof(ChartFiles))]
    public async Task Every_container_has_bounds_and_a_file_system_that_it_cannot_write(string chart, string values)
    {
        foreach (var (name, pod) in ChartFiles.Pods(await ChartFiles.RenderFileAsync(chart, values)))
        {
            Assert.False((bool?)pod["automountServiceAccountToken"] ?? true, $"{name} gets a token that it does not ask for");
            Assert.All(PodSecurity.ContainersOf(pod), container =>
            {
                Assert.True((bool?)container["securityContext"]!["readOnlyRootFilesystem"], $"{name} can write its image");
                Assert.NotNull(container["resources"]!["requests"]!["cpu"]);
                Assert.NotNull(container["resources"]!["requests"]!["memory"]);
                Assert.NotNull(container["resources"]!["limits"]!["memory"]);
            });
        }
    }

    [Fact]
    public async Task An_operator_of_some_namespaces_has_rights_in_those_alone()
    {
        var rendered = Yaml.Parse(await ChartFiles.RenderAsync(
            ChartFiles.Operator, "{namespaces: [shop, bank], rbac: {aggregate: false}}"));
        Assert.DoesNotContain(rendered, static item => ((string)item["kind"]!).StartsWith("ClusterRole", StringComparison.Ordinal));
        var bindings = rendered.Where(static item => (string?)item["kind"] == "RoleBinding")
            .Select(static item => ((string?)item["metadata"]!["namespace"], (string?)item["subjects"]![0]!["namespace"]))
            .Order();
        Assert.Equal([("bank", "test"), ("shop", "test"), ("test", "test")], bindings);
    }

    [Fact]
    public async Task The_operator_can_neither_run_commands_in_pods_nor_list_secrets()
    {
        var rules = Yaml.Parse(await ChartFiles.RenderAsync(ChartFiles.Operator, "rbac: {aggregate: false}"))
            .Where(static item => (string?)item["kind"] is "Role" or "ClusterRole")
            .SelectMany(static role => role["rules"]!.AsArray()).OfType<JsonObject>().ToList();
        Assert.NotEmpty(rules);
        Assert.All(rules, static rule =>
        {
            Assert.DoesNotContain("*", rule.ToJsonString(), StringComparison.Ordinal);
            Assert.DoesNotContain("pods/exec", rule.ToJsonString(), StringComparison.Ordinal);
        });
        var verbs = rules.Where(static rule => rule["resources"]!.ToJsonString().Contains("\"secrets\"", StringComparison.Ordinal))
            .SelectMany(static rule => rule["verbs"]!.AsArray().Select(static verb => (string)verb!));
        Assert.Equal(["create", "get"], verbs.Order(StringComparer.Ordinal));
    }

    /// <summary>The operator's, and that of helm test where it is wanted.</summary>
    private static int PodsIn(string chart, string values) =>
        (chart == ChartFiles.Operator ? 1 : 0) + (values is "restricted-values.yaml" or "single-values.yaml" ? 0 : 1);
}
