using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Xunit;

namespace Weir.Server.Tests;

/// <summary>What brokers say to each other no client may say (CVE-2018-1288 is why).</summary>
public sealed class PeerApiTests
{
    public static TheoryData<ApiKey> Apis =>
    [
        ApiKey.Vote, ApiKey.BeginEpoch, ApiKey.TransferLeadership, ApiKey.FetchMetadata, ApiKey.FetchSnapshot,
        ApiKey.RegisterBroker, ApiKey.BrokerHeartbeat, ApiKey.AlterPartitions, ApiKey.ReportDamage, ApiKey.FetchReplica,
        ApiKey.FetchRange,
    ];

    [Theory]
    [MemberData(nameof(Apis))]
    public async Task Client_is_refused_by_what_is_for_brokers_alone(ApiKey api)
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        await client.SendAsync(api, new EmptyMessage());
        Assert.Equal(ErrorCode.NotAuthorized, await client.ReceiveErrorAsync());
    }

    [Fact]
    public async Task Client_cannot_prove_to_be_a_broker_with_a_guess()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.OpenAsync(broker);
        await client.CallAsync<HelloRequest, HelloResponse>(new HelloRequest { SdkName = "raw", SdkVersion = "1" });
        var challenge = await client.CallAsync<AuthenticateRequest, AuthenticateResponse>(
            new AuthenticateRequest { Mechanism = "peer-hmac-sha256" });
        Assert.False(challenge.Done);
        await client.SendAsync(ApiKey.Authenticate, new AuthenticateRequest { Mechanism = "peer-hmac-sha256", Proof = new byte[36] });
        Assert.Equal(ErrorCode.AuthenticationFailed, await client.ReceiveErrorAsync());
    }
}
