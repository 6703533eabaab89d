using System.Diagnostics;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests.HarnessTests;

/// <summary>The proxy before a broker delays, holds, resets and cuts what it is told to.</summary>
public sealed class FaultProxyTests(SharedCluster shared) : IClassFixture<SharedCluster>, IAsyncLifetime
{
    private static readonly TestClusterOptions Options = new() { Brokers = 1, AreIndependent = true, BehindProxies = true };
    private readonly string _topic = $"t-{Guid.NewGuid():N}";
    private TestCluster _cluster = null!;
    private WeirClient _client = null!;
    private WeirProducer _producer = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private FaultProxy Proxy => _cluster[1].Proxy!;

    public async ValueTask InitializeAsync()
    {
        _cluster = await shared.GetAsync(Options);
        _client = await _cluster.ConnectAsync();
        await _client.Admin.CreateTopicAsync(_topic, null, Token);
        _producer = _client.CreateProducer(_topic, new ProducerOptions { Linger = TimeSpan.Zero });
        await SendAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Proxy.Release();
        Proxy.Accept();
        Proxy.Delay(TimeSpan.Zero);
        await _client.DisposeAsync();
        shared.WriteOutput();
    }

    [Fact]
    public async Task Request_that_is_held_takes_effect_when_it_is_released()
    {
        Proxy.Hold(ProxyDirection.ToBroker);
        var sending = SendAsync();
        await _cluster.EventuallyAsync("the request is held", () => Proxy.Pending(ProxyDirection.ToBroker) > 0);
        Assert.Equal(1, await HighWatermarkAsync());
        Assert.False(sending.IsCompleted);
        Proxy.Release(ProxyDirection.ToBroker);
        Assert.Equal(1, await sending);
    }

    [Fact]
    public async Task Answer_that_is_held_leaves_the_sender_in_doubt_of_what_was_done()
    {
        Proxy.Hold(ProxyDirection.FromBroker);
        var sending = SendAsync();
        await _cluster.EventuallyAsync("the record is appended", async _ => await HighWatermarkAsync() == 2);
        await _cluster.EventuallyAsync("the answer is held", () => Proxy.Pending(ProxyDirection.FromBroker) > 0);
        Assert.False(sending.IsCompleted);
        Proxy.Release(ProxyDirection.FromBroker);
        Assert.Equal(1, await sending);
    }

    [Fact]
    public async Task Delay_holds_up_every_request()
    {
        Proxy.Delay(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(100), ProxyDirection.ToBroker);
        Proxy.Delay(TimeSpan.FromMilliseconds(50), direction: ProxyDirection.FromBroker);
        var start = Stopwatch.GetTimestamp();
        await SendAsync();
        Assert.True(Stopwatch.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(150));
    }

    [Fact]
    public async Task Connections_that_are_reset_are_made_again_as_soon_as_they_are_accepted()
    {
        Proxy.Refuse();
        Proxy.Reset();
        var sending = SendAsync();
        await _cluster.EventuallyAsync("no connection is left", () => Proxy.Connections == 0);
        Assert.False(sending.IsCompleted);
        Proxy.Accept();
        Assert.Equal(1, await sending);
    }

    [Fact]
    public async Task Request_that_is_cut_off_in_the_middle_is_sent_again_and_lies_there_once()
    {
        var before = Proxy.Delivered(ProxyDirection.ToBroker);
        Proxy.CutAfter(1000, ProxyDirection.ToBroker);
        Assert.Equal(1, await SendAsync(10_000));
        Assert.True(Proxy.Delivered(ProxyDirection.ToBroker) > before + 1000 + 10_000);
        Assert.Equal(2, await HighWatermarkAsync());
    }

    private async Task<long> SendAsync(int bytes = 10) =>
        (await _producer.SendAsync(new OutgoingRecord { Value = new byte[bytes] }, Token)).Offset;

    /// <summary>As the broker tells it to one who does not come through the proxy.</summary>
    private async Task<long> HighWatermarkAsync()
    {
        await using var direct = await WeirClient.ConnectAsync(_cluster[1].ListenAddress, Token);
        return (await direct.Admin.DescribeTopicAsync(_topic, Token)).Partitions[0].HighWatermark;
    }
}
