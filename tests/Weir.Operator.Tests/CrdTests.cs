using Weir.Operator.Crds;
using YamlDotNet.Serialization;

namespace Weir.Operator.Tests;

/// <summary>The definitions of the kinds.</summary>
public sealed class CrdTests
{
    public static TheoryData<string> Files => [.. CrdFiles.Generate().Keys];

    [Theory]
    [MemberData(nameof(Files))]
    public void Committed_file_is_what_the_types_say(string name)
    {
        var path = Path.Combine(FindRoot(), "charts", "weir-operator", "files", "crds", name);
        Assert.True(
            File.Exists(path) && File.ReadAllText(path) == CrdFiles.Generate()[name],
            $"{name} is old: run `weir-operator crds --output charts/weir-operator/files/crds`");
    }

    /// <summary>A release with its definitions must fit into a Secret of 1 MiB.</summary>
    [Fact]
    public void Definitions_are_small() => Assert.InRange(CrdFiles.Generate().Values.Sum(static text => text.Length), 1, 200_000);

    /// <summary>Fields that the API server drops or adds make tools see a difference for ever.</summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void Definition_has_nothing_that_is_read_back_differently(string name)
    {
        var text = CrdFiles.Generate()[name];
        Assert.DoesNotContain("nullable", text, StringComparison.Ordinal);
        Assert.DoesNotContain("deprecated", text, StringComparison.Ordinal);
        Assert.DoesNotContain("properties: {}", text, StringComparison.Ordinal);
        Assert.DoesNotContain("default:", text, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_list_and_map_is_bounded(string name)
    {
        Walk(new DeserializerBuilder().Build().Deserialize<Dictionary<object, object>>(CrdFiles.Generate()[name]), name);

        static void Walk(object node, string path)
        {
            if (node is List<object> list)
            {
                list.ForEach(item => Walk(item, path));
            }

            if (node is Dictionary<object, object> map)
            {
                if (map.TryGetValue("type", out var type))
                {
                    Assert.True(type as string != "array" || map.ContainsKey("maxItems"), $"{path}: maxItems is missing");
                    Assert.True(!map.ContainsKey("additionalProperties") || map.ContainsKey("maxProperties"), $"{path}: maxProperties is missing");
                }

                foreach (var (key, value) in map)
                {
                    Walk(value, $"{path}.{key}");
                }
            }
        }
    }

    /// <summary>
    /// Server-side apply makes null of an object or list that is merged by its parts when the last of them goes, and the schema
    /// then refuses it: resources and statuses that cannot be written any more.
    /// </summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void Whatever_is_optional_can_be_taken_away_again(string name)
    {
        var version = CrdFiles.Generate()[name];
        var root = new DeserializerBuilder().Build().Deserialize<Dictionary<object, object>>(version);
        var versions = (List<object>)((Dictionary<object, object>)root["spec"])["versions"];
        var schema = (Dictionary<object, object>)((Dictionary<object, object>)((Dictionary<object, object>)versions[0])["schema"])["openAPIV3Schema"];
        var properties = (Dictionary<object, object>)schema["properties"];
        Walk((Dictionary<object, object>)properties["spec"], "spec");
        Walk((Dictionary<object, object>)properties["status"], "status");

        static void Walk(Dictionary<object, object> node, string path)
        {
            if (!node.TryGetValue("properties", out var children))
            {
                return;
            }

            var required = node.TryGetValue("required", out var names) ? (List<object>)names : [];
            foreach (var (key, value) in (Dictionary<object, object>)children)
            {
                var child = (Dictionary<object, object>)value;
                var type = (string)child["type"];
                var merge = child.GetValueOrDefault(type == "array" ? "x-kubernetes-list-type" : "x-kubernetes-map-type");
                Assert.True(
                    required.Contains(key) || type is not ("object" or "array") || merge is "atomic"
                        || key is "conditions" || (type == "array" && merge is null),
                    $"{path}.{key} is merged by its parts");
                Walk(child, $"{path}.{key}");
            }
        }
    }

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Cluster.sln")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }
}
