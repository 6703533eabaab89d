using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Weir.Kubernetes.Tests.Charts;

/// <summary>A value with its default as JSON, and what it means.</summary>
/// <param name="Path">Its name, with those of what it is in.</param>
/// <param name="Default">Its default.</param>
/// <param name="Meaning">For people.</param>
internal sealed record DocumentedValue(string Path, string Default, string Meaning)
{
    public override string ToString() => $"| `{Path}` | `{Default}` | {Meaning} |";
}

/// <summary>Values as values.yaml documents them, by comments that begin with --, and as a README lists them.</summary>
internal static partial class DocumentedValues
{
    public static List<DocumentedValue> InValues(string chart)
    {
        var defaults = ChartFiles.Defaults(chart);
        var found = new List<DocumentedValue>();
        var path = new List<string>();
        string? meaning = null;
        foreach (var line in File.ReadLines(ChartFiles.Of(chart, "values.yaml")))
        {
            var comment = Comment().Match(line);
            var key = Key().Match(line);
            if (comment.Success)
            {
                var text = comment.Groups["text"].Value;
                meaning = text.StartsWith("-- ", StringComparison.Ordinal) ? text[3..]
                    : meaning is null ? null : $"{meaning} {text}";
                continue;
            }

            if (key.Success)
            {
                path.RemoveRange(key.Groups["indent"].Length / 2, path.Count - (key.Groups["indent"].Length / 2));
                path.Add(key.Groups["name"].Value);
                if (meaning is not null)
                {
                    var value = path.Aggregate<string, JsonNode?>(defaults, static (node, name) => node![name]);
                    found.Add(new DocumentedValue(string.Join('.', path), value?.ToJsonString() ?? "null", meaning));
                }
            }

            meaning = null;
        }

        return found;
    }

    public static List<DocumentedValue> InReadme(string chart) =>
    [
        .. Row().Matches(File.ReadAllText(ChartFiles.Of(chart, "README.md"))).Select(static row => new DocumentedValue(
            row.Groups["path"].Value, row.Groups["default"].Value, row.Groups["meaning"].Value)),
    ];

    /// <summary>Paths of everything in the defaults that is no map with something in it.</summary>
    public static IEnumerable<string> Leaves(JsonNode? node, string path = "") => node is JsonObject { Count: > 0 } map
        ? map.SelectMany(field => Leaves(field.Value, path.Length == 0 ? field.Key : $"{path}.{field.Key}"))
        : [path];

    /// <summary>Whether the schema knows a path.</summary>
    public static bool IsInSchema(JsonNode schema, string path) =>
        path.Split('.').Aggregate<string, JsonNode?>(schema, static (node, name) => node?["properties"]?[name]) is not null;

    [GeneratedRegex(@"^ *# ?(?<text>.*)$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"^(?<indent> *)(?<name>[A-Za-z][\w-]*):")]
    private static partial Regex Key();

    [GeneratedRegex(@"^\| `(?<path>[^`]+)` \| `(?<default>[^`]*)` \| (?<meaning>.*) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
