using Microsoft.Extensions.Logging.Abstractions;
using k8s.Models;
using Weir.Operator.Hosting;
using Weir.Operator.Kubernetes;
using Weir.Operator.Tests.Support;

namespace Weir.Operator.Tests;

/// <summary>Who leads, on a clock that stands still unless told.</summary>
public sealed class LeaseElectorTests
{
    private const string Path = "apis/coordination.k8s.io/v1/namespaces/ns/leases/weir-operator";
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task First_one_leads_and_a_second_one_waits_until_the_lease_is_old()
    {
        var clock = new TestClock();
        await using var server = await ApiServer.StartAsync();
        using var api = server.Connect(clock, new OperatorMetrics());
        var first = Create(api, clock, "one");
        await first.AcquireAsync(Token);
        Assert.True(first.IsLeader);
        var second = Create(api, clock, "two");
        var acquiring = second.AcquireAsync(Token);
        for (var passed = TimeSpan.Zero; passed < TimeSpan.FromSeconds(16); passed += Retry)
        {
            Assert.False(acquiring.IsCompleted);
            await clock.PassAsync(Retry);
        }

        await acquiring;
        Assert.Equal("two", (string?)server.Get(Path)!["spec"]!["holderIdentity"]);
        Assert.Equal(1, second.Transitions);
    }

    /// <summary>A lease that a chart made, empty, was never taken.</summary>
    [Fact]
    public async Task Lease_that_is_there_and_empty_is_taken()
    {
        var clock = new TestClock();
        await using var server = await ApiServer.StartAsync();
        server.Put(Path, []);
        using var api = server.Connect(clock, new OperatorMetrics());
        await Create(api, clock, "one").AcquireAsync(Token);
        Assert.Equal("one", (string?)server.Get(Path)!["spec"]!["holderIdentity"]);
    }

    /// <summary>The library's own elector ends with the first connection that is refused.</summary>
    [Fact]
    public async Task Server_that_does_not_answer_is_tried_again()
    {
        var clock = new TestClock();
        await using var server = await ApiServer.StartAsync();
        var requests = 0;
        server.Intercept = context =>
        {
            if (Interlocked.Increment(ref requests) <= 3)
            {
                context.Abort();
                return Task.FromResult(true);
            }

            return Task.FromResult(false);
        };
        using var api = server.Connect(clock, new OperatorMetrics());
        var elector = Create(api, clock, "one");
        var acquiring = elector.AcquireAsync(Token);
        while (!acquiring.IsCompleted && requests < 4)
        {
            await Task.WhenAny(acquiring, clock.PassAsync(Retry));
        }

        await acquiring;
        Assert.True(elector.IsLeader);
    }

    /// <summary>The library's own elector wrote the lease once more after it had told that it leads no longer.</summary>
    [Fact]
    public async Task Leader_that_cannot_renew_gives_up_in_time_and_writes_no_more()
    {
        var clock = new TestClock();
        await using var server = await ApiServer.StartAsync();
        using var api = server.Connect(clock, new OperatorMetrics());
        var elector = Create(api, clock, "one");
        await elector.AcquireAsync(Token);
        server.Intercept = static async context =>
        {
            await ApiServer.FailAsync(context, 500, "InternalError", "etcd is gone");
            return true;
        };
        var began = clock.GetUtcNow();
        var holding = elector.HoldAsync(Token);
        while (!holding.IsCompleted)
        {
            await Task.WhenAny(holding, clock.PassAsync(Retry));
        }

        await holding;
        Assert.False(elector.IsLeader);
        Assert.True(clock.GetUtcNow() - began < TimeSpan.FromSeconds(15));
        server.Intercept = static _ => Task.FromResult(false);
        var version = (string?)server.Get(Path)!["metadata"]!["resourceVersion"];
        await elector.ReleaseAsync();
        Assert.Equal(version, (string?)server.Get(Path)!["metadata"]!["resourceVersion"]);
    }

    [Fact]
    public async Task Leader_whose_lease_another_one_took_gives_up_at_once()
    {
        var clock = new TestClock();
        await using var server = await ApiServer.StartAsync();
        using var api = server.Connect(clock, new OperatorMetrics());
        var elector = Create(api, clock, "one");
        await elector.AcquireAsync(Token);
        var holding = elector.HoldAsync(Token);
        await clock.PassAsync(Retry);
        server.Change(Path, static lease => lease["spec"]!["holderIdentity"] = "two");
        while (!holding.IsCompleted)
        {
            await Task.WhenAny(holding, clock.PassAsync(Retry));
        }

        Assert.False(elector.IsLeader);
        Assert.Equal("two", (string?)server.Get(Path)!["spec"]!["holderIdentity"]);
    }

    [Fact]
    public async Task Lease_that_is_given_back_is_taken_at_once()
    {
        var clock = new TestClock();
        await using var server = await ApiServer.StartAsync();
        using var api = server.Connect(clock, new OperatorMetrics());
        var first = Create(api, clock, "one");
        await first.AcquireAsync(Token);
        await first.ReleaseAsync();
        Assert.False(first.IsLeader);
        var second = Create(api, clock, "two");
        await second.AcquireAsync(Token);
        Assert.True(second.IsLeader);
    }

    private static LeaseElector Create(KubeApi api, TestClock clock, string identity) => new(
        new KubeResource<V1Lease>(api),
        new LeaseOptions { Lease = new ObjectKey("ns", "weir-operator"), Identity = identity }, clock, NullLogger.Instance);
}
