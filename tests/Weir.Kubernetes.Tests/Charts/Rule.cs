using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Weir.Kubernetes.Tests.Charts;

/// <summary>An alert of a chart.</summary>
/// <param name="File">Where it is.</param>
/// <param name="Name">Its name.</param>
/// <param name="Expression">What it asks Prometheus.</param>
/// <param name="Annotations">What it says to people, all together.</param>
internal sealed record Rule(string File, string Name, string Expression, string Annotations)
{
    public static IReadOnlyList<Rule> All(string chart) =>
    [
        .. from file in Directory.GetFiles(ChartFiles.Of(chart, "rules")).Order(StringComparer.Ordinal)
           let rule = Yaml.Parse(System.IO.File.ReadAllText(file)).Single()
           select new Rule(
               file, (string)rule["alert"]!, (string)rule["expr"]!,
               string.Join('\n', rule["annotations"]!.AsObject().Select(static pair => (string)pair.Value!))),
    ];
}

/// <summary>What a chart asks Prometheus: its alerts and its dashboard.</summary>
internal static partial class Queries
{
    private static readonly string[] Words =
    [
        "sum", "max", "min", "avg", "count", "by", "without", "or", "and", "unless", "on", "ignoring", "rate", "increase", "absent",
        "histogram_quantile", "label_values",
    ];

    /// <summary>All expressions with where they stand.</summary>
    public static IReadOnlyList<(string Where, string Expression)> All(string chart)
    {
        var rules = Rule.All(chart).Select(static rule => (rule.Name, rule.Expression));
        var dashboards =
            from file in Directory.GetFiles(ChartFiles.Of(chart, "dashboards"))
            from node in Yaml.All(JsonNode.Parse(File.ReadAllText(file))).OfType<JsonObject>()
            from field in (string[])["expr", "query"]
            where node[field] is JsonValue && (string?)node["type"] != "datasource"
            select ($"{Path.GetFileName(file)}, {node["title"] ?? node["name"] ?? node["legendFormat"]}", (string)node[field]!);
        return [.. rules, .. dashboards];
    }

    /// <summary>
    /// Names of metrics in an expression: every word that is neither of the language nor a label. So whatever is misspelt counts
    /// as one.
    /// </summary>
    public static IEnumerable<string> Metrics(string expression) => Name().Matches(Labels().Replace(expression, " "))
        .Select(static match => match.Value).Where(static word => !Words.Contains(word)).Distinct();

    /// <summary>Names of labels in an expression, each with its metric where it stands in braces.</summary>
    public static IEnumerable<(string? Metric, string Label)> LabelsOf(string expression)
    {
        var text = Quoted().Replace(expression, "\"\"");
        var inBraces = Braces().Matches(text).SelectMany(static match => Name().Matches(match.Groups["inside"].Value)
            .Select(label => ((string?)match.Groups["metric"].Value, label.Value)));
        return inBraces.Concat(Grouped(text).Select(static label => ((string?)null, label)));
    }

    /// <summary>Labels by which an expression groups.</summary>
    public static IEnumerable<string> Grouped(string expression) => By().Matches(expression)
        .SelectMany(static match => Name().Matches(match.Groups["inside"].Value)).Select(static label => label.Value);

    /// <summary>Texts with which a label is compared, taken apart where there are several.</summary>
    public static IEnumerable<string> ValuesOf(string expression, string label) =>
        Regex.Matches(expression, $"\\b{label}=~?\"(?<values>[^\"]*)\"")
            .SelectMany(static match => match.Groups["values"].Value.Split('|'));

    /// <summary>Labels that an annotation shows.</summary>
    public static IEnumerable<string> ShownLabels(string annotations) =>
        Shown().Matches(annotations).Select(static match => match.Groups["label"].Value);

    [GeneratedRegex(@"\b[A-Za-z_]\w*\b")]
    private static partial Regex Name();

    /// <summary>Matchers, ranges, lists of labels, strings, and label_values' second argument.</summary>
    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|(?<=\b(by|without|on|ignoring) ?)\([^)]*\)|""[^""]*""|,\s*\w+\)$")]
    private static partial Regex Labels();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"(?<metric>\w+)\{(?<inside>[^}]*)\}")]
    private static partial Regex Braces();

    [GeneratedRegex(@"\bby ?\((?<inside>[^)]*)\)")]
    private static partial Regex By();

    [GeneratedRegex(@"\$labels\.(?<label>\w+)")]
    private static partial Regex Shown();
}
