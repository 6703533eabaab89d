using System.Text.RegularExpressions;
using Weir.Cluster.Tests.Harness;
using Weir.Kubernetes.Tests.Control;
using Xunit;

namespace Weir.Kubernetes.Tests.Charts;

/// <summary>The API server of the tests with the definitions that the charts' objects need.</summary>
public sealed partial class ChartServer(ControlPlane plane)
{
    private Task? _preparing;

    public ControlPlane Plane => plane;

    public Tool Kubectl { get; } = Tool.Kubectl(plane);

    /// <summary>The server's version, as --kube-version takes it: it decides which APIs a chart uses.</summary>
    public string Version { get; private set; } = string.Empty;

    /// <summary>
    /// A server before 1.25 does not know all fields of a definition: it drops those, and kubectl would refuse them.
    /// </summary>
    public string[] DefinitionArguments => plane.Minor < 25 ? ["--validate=false"] : [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Installs what is missing. Skips the test where there is no server, and fails it in CI.</summary>
    public Task PrepareAsync()
    {
        plane.Require();
        return _preparing ??= InstallAsync();
    }

    /// <summary>What the server says to objects, without keeping them. Each of them must be accepted.</summary>
    public async Task AcceptsAsync(string rendered, string ns)
    {
        var documents = Documents().Split(rendered).Where(static text => Yaml.Parse(text).Count > 0)
            .Select(static text => (Text: text, Object: Yaml.Parse(text)[0])).ToList();
        var said = string.Empty;
        foreach (var part in documents.GroupBy(item => (
            IsDefinition: (string?)item.Object["kind"] == "CustomResourceDefinition",
            Namespace: (string?)item.Object["metadata"]!["namespace"] ?? ns)))
        {
            if (await plane.Api.FindAsync($"/api/v1/namespaces/{part.Key.Namespace}", Token) is null)
            {
                await Kubectl.RunAsync("create", "namespace", part.Key.Namespace);
            }

            said += await Kubectl.RunWithInputAsync(
                string.Join("\n---\n", part.Select(static item => item.Text)),
                [
                    "apply", "--dry-run=server", "--namespace", part.Key.Namespace, "--filename", "-",
                    .. part.Key.IsDefinition ? DefinitionArguments : [],
                ]);
        }

        Assert.Equal(documents.Count, Accepted().Count(said));
    }

    private async Task InstallAsync()
    {
        Version = ((string)(await plane.Api.GetAsync("/version", Token))["gitVersion"]!).TrimStart('v').Split('-', '+')[0];
        await Kubectl.RunWithInputAsync(MonitoringDefinitions.Text, "apply", "--filename", "-");
        if (await plane.Api.FindAsync(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/weirclusters.weir.dev", Token) is null)
        {
            await InstallDefinitionsAsync();
        }

        // Only then kubectl and the server know the fields; before, a resource is taken with any.
        var kinds = Directory.GetFiles(ChartFiles.Of(ChartFiles.Operator, "files", "crds"))
            .Select(static file => Yaml.Parse(File.ReadAllText(file))[0]).Concat(Yaml.Parse(MonitoringDefinitions.Text))
            .Select(static item => $"\"{(string)item["spec"]!["names"]!["kind"]!}\"").ToList();
        await Eventually.HoldsAsync(
            $"the server describes {string.Join(", ", kinds)}",
            async ct =>
            {
                var text = await plane.Api.GetTextAsync("/openapi/v2", ct);
                return kinds.TrueForAll(kind => text.Contains(kind, StringComparison.Ordinal));
            });
    }

    /// <summary>As the release of the tests that run an operator would: it takes them over when it is installed later.</summary>
    private async Task InstallDefinitionsAsync()
    {
        var rendered = await Tool.Helm().RunAsync(
            "template", "weir", Platform.Chart(ChartFiles.Operator), "--namespace", Platform.OperatorNamespace,
            "--show-only", "templates/crds.yaml");
        await Kubectl.RunWithInputAsync(rendered, ["create", "--filename", "-", .. DefinitionArguments]);
        string[] names = [.. Yaml.Parse(rendered).Select(static item => (string)item["metadata"]!["name"]!)];
        await Kubectl.RunAsync(
        [
            "annotate", "crd", .. names, "meta.helm.sh/release-name=weir",
            $"meta.helm.sh/release-namespace={Platform.OperatorNamespace}",
        ]);
    }

    [GeneratedRegex(@"^---.*$", RegexOptions.Multiline)]
    private static partial Regex Documents();

    [GeneratedRegex(@"^\S+ (created|configured|unchanged) \(server dry run\)$", RegexOptions.Multiline)]
    private static partial Regex Accepted();
}
