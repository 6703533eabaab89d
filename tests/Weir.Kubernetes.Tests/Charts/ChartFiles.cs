using System.Text.Json.Nodes;
using Weir.Kubernetes.Tests.Control;
using Weir.Kubernetes.Tests.Pods;
using Xunit;

namespace Weir.Kubernetes.Tests.Charts;

/// <summary>The charts as they lie in the repository, and what helm makes of them without a server.</summary>
internal static class ChartFiles
{
    public const string Operator = "weir-operator";
    public const string Cluster = "weir-cluster";

    /// <summary>The charts, for theories.</summary>
    public static TheoryData<string> Charts => [Operator, Cluster];

    /// <summary>Each chart with each of its files of values, for theories.</summary>
    public static TheoryData<string, string> Values => new(
        from chart in (string[])[Operator, Cluster]
        from file in Directory.GetFiles(Path.Combine(Platform.Chart(chart), "ci")).Order(StringComparer.Ordinal)
        select (chart, Path.GetFileName(file)));

    /// <summary>A file of a chart.</summary>
    public static string Of(string chart, params string[] path) => Path.Combine([Platform.Chart(chart), .. path]);

    /// <summary>A file of the repository.</summary>
    public static string InRepository(params string[] path) => Path.Combine([Images.Repository, .. path]);

    public static JsonNode Defaults(string chart) => Yaml.Parse(File.ReadAllText(Of(chart, "values.yaml")))[0];

    public static JsonNode Schema(string chart) => JsonNode.Parse(File.ReadAllText(Of(chart, "values.schema.json")))!;

    /// <summary>What helm renders with one of the files below ci.</summary>
    public static Task<string> RenderFileAsync(string chart, string values, params string[] arguments) =>
        RenderAsync(chart, string.Empty, ["--values", Of(chart, "ci", values), .. arguments]);

    /// <summary>What helm renders with values, given as YAML, for the release w in the namespace named test.</summary>
    public static Task<string> RenderAsync(string chart, string values, params string[] arguments) =>
        RenderReleaseAsync("w", chart, values, arguments);

    /// <summary>As <see cref="RenderAsync"/>, under another name.</summary>
    public static async Task<string> RenderReleaseAsync(string release, string chart, string values, params string[] arguments)
    {
        Binaries.Require("helm");
        return await Tool.Helm().RunWithInputAsync(
            values, ["template", release, Platform.Chart(chart), "--namespace", "test", "--values", "-", .. arguments]);
    }

    /// <summary>Specifications of pods in rendered objects: whatever has containers.</summary>
    public static IEnumerable<(string Name, JsonObject Spec)> Pods(string rendered) =>
        from document in Yaml.Parse(rendered)
        from spec in Yaml.All(document).OfType<JsonObject>()
        where spec["containers"] is JsonArray
        select ($"{document["kind"]}/{document["metadata"]!["name"]}", spec);
}
