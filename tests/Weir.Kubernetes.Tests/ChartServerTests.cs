using System.IO.Compression;
using System.Text;
using Weir.Kubernetes.Tests.Charts;
using Weir.Kubernetes.Tests.Control;
using Xunit;

namespace Weir.Kubernetes.Tests;

/// <summary>What a real API server says to the charts.</summary>
public sealed class ChartServerTests(ChartServer server) : IClassFixture<ChartServer>
{
    /// <summary>A quarter of what a Secret may hold, which Kubernetes bounds at 1 MiB.</summary>
    private const int LargestRelease = 256 * 1024;

    [Theory]
    [MemberData(nameof(ChartFiles.Values), MemberType = typeof(ChartFiles))]
    public async Task Every_rendered_object_is_accepted(string chart, string values)
    {
        await server.PrepareAsync();
        var ns = await server.Plane.CreateNamespaceAsync();
        var rendered = await ChartFiles.RenderFileAsync(chart, values, "--namespace", ns, "--kube-version", server.Version);
        await server.AcceptsAsync(rendered, ns);
    }

    /// <summary>Helm keeps each release in a Secret: the chart and what it rendered, as JSON, compressed, in base64.</summary>
    [Theory]
    [InlineData(ChartFiles.Operator, "ha-values.yaml")]
    [InlineData(ChartFiles.Cluster, "topics-values.yaml")]
    public async Task A_release_is_far_from_what_its_secret_may_hold(string chart, string values)
    {
        await server.PrepareAsync();
        var release = await Tool.Helm(server.Plane).RunAsync(
        [
            "install", "weir", Platform.Chart(chart), "--namespace", Platform.OperatorNamespace, "--values",
            ChartFiles.Of(chart, "ci", values), "--dry-run", "--output", "json", .. server.Plane.HelmArguments,
        ]);
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            gzip.Write(Encoding.UTF8.GetBytes(release));
        }

        var size = Convert.ToBase64String(compressed.ToArray()).Length;
        TestContext.Current.TestOutputHelper?.WriteLine($"{chart}: {size} bytes of {release.Length}");
        Assert.InRange(size, 10_000, LargestRelease);
    }
}
