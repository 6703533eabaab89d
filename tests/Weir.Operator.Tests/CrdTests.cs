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
