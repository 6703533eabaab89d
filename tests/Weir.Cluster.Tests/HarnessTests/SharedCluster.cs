using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests.HarnessTests;

/// <summary>
/// One cluster for the tests of a class, made by the first of them: a test that is skipped must be so in the test itself.
/// </summary>
public sealed class SharedCluster : IAsyncDisposable
{
    private TestCluster? _cluster;

    /// <summary>The tests of a class, which run one after the other, all ask for the same.</summary>
    public async Task<TestCluster> GetAsync(TestClusterOptions options) =>
        _cluster ??= await TestCluster.StartAsync(options);

    /// <summary>Shows, if the present test fails, what the brokers printed.</summary>
    public void WriteOutput() => TestContext.Current.TestOutputHelper?.WriteLine(_cluster?.DescribeOutput() ?? "no cluster");

    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? ValueTask.CompletedTask;
}
