using System.Text.RegularExpressions;
using Weir.Cluster.Tests;
using Weir.Kubernetes.Tests.Charts;
using Weir.Kubernetes.Tests.Pods;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>What is written about the charts is so.</summary>
public sealed partial class ChartDocsTests
{
    /// <summary>Each README and runbook, for theories.</summary>
    public static TheoryData<string, string> Documents => new(
        from chart in (string[])[ChartFiles.Operator, ChartFiles.Cluster]
        from file in Directory.GetFiles(Platform.Chart(chart), "*.md", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        select (chart, Path.GetRelativePath(Platform.Chart(chart), file)));

    [Theory]
    [MemberData(nameof(ChartFiles.Charts), MemberType = typeof(ChartFiles))]
    public void The_readme_lists_every_value_with_its_default_and_no_other(string chart)
    {
        var documented = DocumentedValues.InValues(chart);
        Assert.NotEmpty(documented);
        Assert.Equal(string.Join('\n', documented), string.Join('\n', DocumentedValues.InReadme(chart)));
    }

    [Theory]
    [MemberData(nameof(ChartFiles.Charts), MemberType = typeof(ChartFiles))]
    public void Every_value_is_documented_and_every_documented_value_is_in_the_schema(string chart)
    {
        var documented = DocumentedValues.InValues(chart).Select(static value => value.Path).ToList();
        Assert.DoesNotContain(
            DocumentedValues.Leaves(ChartFiles.Defaults(chart)),
            leaf => !documented.Any(path => leaf == path || leaf.StartsWith($"{path}.", StringComparison.Ordinal)));
        var schema = ChartFiles.Schema(chart);
        Assert.All(documented, path => Assert.True(DocumentedValues.IsInSchema(schema, path), path));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_value_that_a_document_names_exists(string chart, string document)
    {
        var schema = ChartFiles.Schema(chart);
        var settings = File.ReadAllText(ChartFiles.InRepository("docs", "cli.md"));
        var unknown = ValueName().Matches(Text(chart, document)).Select(static match => match.Groups["path"].Value)
            .Where(path => !path.StartsWith("spec.", StringComparison.Ordinal) && !path.EndsWith(".json", StringComparison.Ordinal)
                && !DocumentedValues.IsInSchema(schema, path)
                && !settings.Contains($"| `{path}` |", StringComparison.Ordinal));
        Assert.Equal([], unknown);
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_weir_command_that_a_document_names_exists(string chart, string document)
    {
        var image = Images.Find("weir")!;
        var program = Path.Combine(image.Folder, image.Program);
        var lines = WeirCommand().Matches(Text(chart, document)).Select(static match => match.Groups["line"].Value);
        foreach (var line in lines.Distinct())
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var command = words.TakeWhile(static word => Word().IsMatch(word)).ToArray();
            Assert.True(Machine.TryRun(out var help, program, [.. command, "--help"]), $"weir {line}: {help}");
            Assert.Contains($"weir {string.Join(' ', command)}", help, StringComparison.Ordinal);
            Assert.All(
                words.Where(static word => word.StartsWith("--", StringComparison.Ordinal)),
                option => Assert.Matches($"{Regex.Escape(option)}\\b", help));
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_link_of_a_document_leads_somewhere(string chart, string document)
    {
        var folder = Path.GetDirectoryName(ChartFiles.Of(chart, document))!;
        Assert.All(
            Link().Matches(Text(chart, document)).Select(static match => match.Groups["target"].Value),
            target => Assert.True(Path.Exists(Path.Combine(folder, target)), target));
    }

    [Theory]
    [MemberData(nameof(ChartFiles.Charts), MemberType = typeof(ChartFiles))]
    public void Every_alert_has_a_runbook_and_every_runbook_an_alert(string chart)
    {
        var alerts = Rule.All(chart);
        Assert.Equal(
            alerts.Select(static rule => rule.Name),
            Directory.GetFiles(ChartFiles.Of(chart, "runbooks")).Select(static file => Path.GetFileNameWithoutExtension(file))
                .Order(StringComparer.Ordinal));
        Assert.All(alerts, rule =>
        {
            Assert.Equal(rule.Name, Path.GetFileNameWithoutExtension(rule.File));
            var runbook = File.ReadAllText(ChartFiles.Of(chart, "runbooks", $"{rule.Name}.md"));
            Assert.StartsWith($"# {rule.Name}\n", runbook, StringComparison.Ordinal);
            Assert.Contains("\n## Look\n", runbook, StringComparison.Ordinal);
            Assert.Contains("\n## Do\n", runbook, StringComparison.Ordinal);
        });
    }

    private static string Text(string chart, string document) => File.ReadAllText(ChartFiles.Of(chart, document));

    [GeneratedRegex("`(?<path>[a-z][A-Za-z]*(\\.[a-zA-Z]+)+)(=[^`]*)?`")]
    private static partial Regex ValueName();

    /// <summary>A line of a block, or what stands between backticks.</summary>
    [GeneratedRegex("(^|`|/app/)weir (?<line>[a-z][^`\n]*)", RegexOptions.Multiline)]
    private static partial Regex WeirCommand();

    [GeneratedRegex("^[a-z]+$")]
    private static partial Regex Word();

    [GeneratedRegex(@"\]\((?<target>[^)]+)\)")]
    private static partial Regex Link();
}
