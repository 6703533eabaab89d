using System.Reflection;
using Xunit;

namespace Weir.Architecture.Tests;

/// <summary>References go one way: Server to Metadata to Storage to Protocol; the client sees Protocol alone, the operator the client.</summary>
public sealed class ReferenceTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Weir.Protocol"] = [],
        ["Weir.Storage"] = ["Weir.Protocol"],
        ["Weir.Metadata"] = ["Weir.Protocol", "Weir.Storage"],
        ["Weir.Replication"] = ["Weir.Protocol", "Weir.Storage", "Weir.Metadata"],
        ["Weir.Groups"] = ["Weir.Protocol", "Weir.Storage", "Weir.Metadata"],
        ["Weir.Server"] = ["Weir.Protocol", "Weir.Storage", "Weir.Metadata", "Weir.Replication", "Weir.Groups"],
        ["Weir.Client"] = ["Weir.Protocol"],
        ["weir-operator"] = ["Weir.Protocol", "Weir.Client"],
        ["weir"] = ["Weir.Protocol", "Weir.Storage", "Weir.Metadata", "Weir.Replication", "Weir.Groups", "Weir.Server", "Weir.Client"],
    };

    public static TheoryData<string> Modules => [.. Allowed.Keys];

    [Theory]
    [MemberData(nameof(Modules))]
    public void Module_references_only_what_lies_below_it(string module)
    {
        var references = Assembly.Load(module).GetReferencedAssemblies().Select(static name => name.Name!)
            .Where(static name => name.StartsWith("Weir", StringComparison.OrdinalIgnoreCase));
        Assert.Empty(references.Except(Allowed[module]));
    }

    [Theory]
    [InlineData("Weir.Protocol")]
    [InlineData("Weir.Storage")]
    [InlineData("Weir.Metadata")]
    [InlineData("Weir.Replication")]
    [InlineData("Weir.Groups")]
    public void Module_below_the_server_has_no_sockets_and_no_host(string module)
    {
        var references = Assembly.Load(module).GetReferencedAssemblies().Select(static name => name.Name!);
        Assert.DoesNotContain("System.Net.Sockets", references);
        Assert.DoesNotContain("Microsoft.Extensions.Hosting.Abstractions", references);
        Assert.DoesNotContain(references, static name => name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));
    }

    [Fact]
    public void Protocol_has_no_logger()
    {
        var references = Assembly.Load("Weir.Protocol").GetReferencedAssemblies().Select(static name => name.Name!);
        Assert.DoesNotContain("Microsoft.Extensions.Logging.Abstractions", references);
    }
}
