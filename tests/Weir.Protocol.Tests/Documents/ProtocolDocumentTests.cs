using Weir.Protocol.Tests.Records;
using Xunit;

namespace Weir.Protocol.Tests.Documents;

/// <summary>docs/protocol.md says what the code does.</summary>
[Trait("Category", "Unit")]
public sealed class ProtocolDocumentTests
{
    private static readonly string DocumentPath = Path.Combine(Repository.Root, "docs", "protocol.md");

    public static TheoryData<string> Sections => [.. ProtocolTables.All.Keys];

    [Theory]
    [MemberData(nameof(Sections))]
    public void A_generated_section_is_as_the_code_has_it(string section)
    {
        var document = File.ReadAllText(DocumentPath);
        var start = $"<!-- generated: {section} -->\n";
        var begin = document.IndexOf(start, StringComparison.Ordinal);
        Assert.True(begin >= 0, $"{DocumentPath} has no marker for {section}");
        begin += start.Length;
        var end = document.IndexOf("<!-- end -->", begin, StringComparison.Ordinal);
        Assert.True(end >= 0, $"the section {section} has no end");
        if (Repository.IsRewriting)
        {
            File.WriteAllText(DocumentPath, string.Concat(document.AsSpan(0, begin), ProtocolTables.All[section], document.AsSpan(end)));
            return;
        }

        Assert.Equal(ProtocolTables.All[section], document[begin..end]);
    }

    [Fact]
    public void The_document_has_the_partitioners_vectors()
    {
        var document = File.ReadAllText(DocumentPath);

        Assert.All(KeyPartitionerTests.Vectors, row =>
        {
            var (key, seed, partitions, partition) = row.Data;
            var shown = key.Length == 0 ? "(empty)" : $"`{key}`";
            Assert.Contains($"| {shown} | {seed} | {partitions} | {partition} |", document, StringComparison.Ordinal);
        });
    }
}
