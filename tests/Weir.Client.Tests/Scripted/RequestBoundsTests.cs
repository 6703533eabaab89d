using Microsoft.Extensions.Time.Testing;
using Weir.Protocol.Errors;

namespace Weir.Client.Tests.Scripted;

/// <summary>Requests that break a bound of the protocol.</summary>
[Trait("Category", "Integration")]
public sealed class RequestBoundsTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Request_that_breaks_a_bound_fails_with_a_typed_error_and_costs_the_connection_nothing()
    {
        var time = new FakeTimeProvider();
        await using var cluster = new ScriptedCluster(brokers: 1);
        await using var client = await cluster.ConnectAsync(options => options.TimeProvider = time);

        var e = await Assert.ThrowsAsync<WeirException>(() => client.Admin.CreateTopicAsync(new string('a', 300), ct: Cancelled));
        Assert.Equal(ErrorCode.InvalidRequest, e.Code);
        Assert.Contains("249", e.Message, StringComparison.Ordinal);

        // Long enough for whoever looks at what is unanswered.
        for (var second = 0; second < 300; second++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
        }

        await client.Admin.GetMetadataAsync([], Cancelled);
        Assert.Equal(1, cluster[1].Accepted);
    }
}
