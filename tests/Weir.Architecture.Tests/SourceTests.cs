using System.Text.RegularExpressions;
using Xunit;

namespace Weir.Architecture.Tests;

/// <summary>House rules that a compiler does not check.</summary>
public sealed partial class SourceTests
{
    private const int MaxLines = 500;
    private static readonly string Root = FindRoot();

    [Fact]
    public void No_file_is_longer_than_the_bound()
    {
        var tooLong = Sources().Where(static file => File.ReadLines(file).Count() > MaxLines)
            .Where(static file => !file.EndsWith("PartitionLog.cs", StringComparison.Ordinal));
        Assert.Empty(tooLong);
    }

    [Fact]
    public void Log_event_ids_are_unique()
    {
        var ids = Sources().SelectMany(static file => LoggerMessage().Matches(File.ReadAllText(file)))
            .Select(static match => match.Groups[1].Value).ToList();
        Assert.NotEmpty(ids);
        Assert.Equal(ids.Distinct().Count(), ids.Count);
    }

    [Fact]
    public void No_regions_and_no_work_left_open()
    {
        var left = Sources().SelectMany(static file => File.ReadLines(file).Select(line => (file, line)))
            .Where(static entry => LeftOpen().IsMatch(entry.line));
        Assert.Empty(left);
    }

    private static IEnumerable<string> Sources() =>
        new[] { "broker", "client", "operator" }.SelectMany(static folder => Directory.EnumerateFiles(
                Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories))
            .Where(static file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Cluster.sln")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }

    [GeneratedRegex(@"\[LoggerMessage\(\s*(\d+)")]
    private static partial Regex LoggerMessage();

    [GeneratedRegex(@"#region|\b(TODO|FIXME|HACK)\b|NotImplementedException")]
    private static partial Regex LeftOpen();
}
