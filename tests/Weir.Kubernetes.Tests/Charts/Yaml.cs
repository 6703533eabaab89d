using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Weir.Kubernetes.Tests.Charts;

/// <summary>YAML as JSON. A key that stands twice in a mapping fails it: some readers refuse that, others take either.</summary>
internal static class Yaml
{
    /// <summary>The documents of a text, without empty ones.</summary>
    public static IReadOnlyList<JsonNode> Parse(string text)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new InvalidDataException($"{e.Start}: {e.Message}\n{text}", e);
        }

        return [.. stream.Documents.Select(static document => Convert(document.RootNode)).OfType<JsonNode>()];
    }

    /// <summary>Every node below this one, and this one.</summary>
    public static IEnumerable<JsonNode> All(JsonNode? node) => node switch
    {
        JsonObject fields => fields.SelectMany(static field => All(field.Value)).Prepend(fields),
        JsonArray items => items.SelectMany(All).Prepend(items),
        null => [],
        _ => [node],
    };

    private static JsonNode? Convert(YamlNode node) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Select(
            static pair => KeyValuePair.Create(((YamlScalarNode)pair.Key).Value!, Convert(pair.Value)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Select(Convert)]),
        YamlScalarNode { Style: ScalarStyle.Plain } scalar => Plain(scalar.Value ?? string.Empty),
        YamlScalarNode scalar => JsonValue.Create(scalar.Value),
        _ => throw new InvalidDataException($"{node.Start}: {node.NodeType}"),
    };

    private static JsonValue? Plain(string text) => text switch
    {
        "" or "~" or "null" => null,
        "true" => JsonValue.Create(true),
        "false" => JsonValue.Create(false),
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) =>
            JsonValue.Create(number),
        _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => JsonValue.Create(number),
        _ => JsonValue.Create(text),
    };
}
