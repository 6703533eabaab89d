using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Whether a broker may be stopped or is back: a yes needs every fact.</summary>
[Trait("Category", "Unit")]
public sealed class BrokerCheckTests
{
    private readonly TestCluster _cluster = new TestCluster(3).WithTopic([1, 2, 3]);

    [Fact]
    public void Broker_of_a_sound_cluster_may_be_stopped_and_is_back()
    {
        Assert.Empty(Before(1));
        Assert.Empty(After(1));
    }

    [Fact]
    public void Broker_is_not_stopped_while_another_is_down_or_draining()
    {
        Assert.Contains("broker 3 is down", Before(1, _cluster.Fence(3))[0], StringComparison.Ordinal);
        _cluster.Unfence(3).InSync(1, 2, 3).Change(3, BrokerAction.Drain);
        Assert.Equal(["broker 3 is draining"], Before(1));
    }

    [Fact]
    public void Broker_is_not_stopped_below_min_isr()
    {
        _cluster.InSync(1, 2);
        Assert.Contains("below min.insync.replicas=2", Assert.Single(Before(2)), StringComparison.Ordinal);
        Assert.Empty(Before(3));
    }

    [Fact]
    public void Broker_is_not_stopped_while_a_partition_has_no_leader()
    {
        _cluster.Damage(1).Damage(2).Damage(3);
        Assert.Contains("t-0 has no leader", Before(1));
    }

    [Fact]
    public void Broker_is_not_stopped_if_the_quorum_would_lose_its_majority()
    {
        Assert.Empty(Before(1, _cluster, Voter(1, 0), Voter(2, 100), Voter(3, 1999)));
        Assert.Contains("quorum", Before(1, _cluster, Voter(1, 0), Voter(2, 100), Voter(3, 2000))[0], StringComparison.Ordinal);
        Assert.Contains("quorum", Before(1, _cluster, Voter(1, 0), Voter(2, 100), Voter(3, -1))[0], StringComparison.Ordinal);
        Assert.Empty(Before(3, new TestCluster(3), Voter(1, 0), Voter(2, 100)));
    }

    [Fact]
    public void Broker_is_back_once_it_is_unfenced_and_all_its_replicas_are_in_sync()
    {
        _cluster.Fence(2);
        Assert.Equal(2, After(2).Length);
        Assert.Contains("1 of its 1 replicas", Assert.Single(After(2, _cluster.Return(2))), StringComparison.Ordinal);
        var check = MetadataController.CheckBroker(
            _cluster.Image, new CheckBrokerRequest { NodeId = 2, Check = BrokerCheck.PostRestart }, []);
        Assert.Equal((false, 0), (check.IsOk, check.CaughtUpPercent));
        Assert.Empty(After(2, _cluster.InSync(1, 2, 3)));
    }

    [Fact]
    public void Unknown_broker_gets_no_yes() => Assert.Equal(
        ErrorCode.UnknownBroker, Assert.Throws<ProtocolException>(() => Before(9)).Code);

    [Fact]
    public void Many_reasons_are_cut_and_stay_a_no()
    {
        for (var i = 10; i < 200; i++)
        {
            _cluster.Add(Broker(i, epoch: 1000 + i)).Add(new BrokerStateChanged { NodeId = i, BrokerEpoch = 1000 + i, Fenced = true });
        }

        Assert.InRange(Before(1).Length, 1, Weir.Protocol.Wire.ProtocolLimits.CheckReasons);
    }

    private static VoterInfo Voter(int node, long silentMs) => new() { NodeId = node, LastFetchMsAgo = silentMs };

    private static string[] Ask(TestCluster cluster, int node, BrokerCheck check, VoterInfo[] voters)
    {
        var response = MetadataController.CheckBroker(
            cluster.Image, new CheckBrokerRequest { NodeId = node, Check = check }, voters);
        Assert.Equal(response.IsOk, response.Reasons.Length == 0);
        return response.Reasons;
    }

    private string[] Before(int node, TestCluster? cluster = null, params VoterInfo[] voters) =>
        Ask(cluster ?? _cluster, node, BrokerCheck.PreRestart, voters);

    private string[] After(int node, TestCluster? cluster = null) => Ask(cluster ?? _cluster, node, BrokerCheck.PostRestart, []);
}
