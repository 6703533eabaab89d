using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Weir.Protocol.Errors;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Brokers that are replaced, come back late, or are not who they say: row 17 of the fault table.</summary>
public sealed class MembershipScenarios
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Brokers_whose_disks_are_replaced_one_after_the_other_get_everything_again()
    {
        await using var scenario = await Scenario.StartAsync();
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Kill();
            broker.Wipe();
            await scenario.Workload.ProgressAsync($"without broker {broker.Id}", 500);
            broker.Start();
            await scenario.InSyncAsync();
        }

        await scenario.EndAsync();
    }

    /// <summary>It led, and has appended what nobody else has; meanwhile everything has gone on, and a topic was made anew.</summary>
    [Fact]
    public async Task Broker_that_comes_back_after_long_gives_up_what_only_it_had()
    {
        await using var scenario = await Scenario.StartAsync(
            new TestClusterOptions { OwnNetworks = true }, static load => load with { DeliveryTimeout = TimeSpan.FromSeconds(3) });
        await using var client = await scenario.Cluster.ConnectAsync();
        await client.Admin.CreateTopicAsync("again", new TopicSpec { ReplicationFactor = 3 }, Token);
        await using (var producer = client.CreateProducer("again"))
        {
            await producer.SendAsync(new OutgoingRecord { Value = "old"u8.ToArray() }, Token);
        }

        var stale = await scenario.LeaderAsync();
        scenario.Cluster.Network.Isolate(stale.Id, alsoFromClients: false);
        await scenario.Cluster.EventuallyAsync("sends fail", () => scenario.Workload.Missed > 0);
        stale.Kill();
        scenario.Cluster.Network.Heal();
        await scenario.LedByOthersAsync(stale);
        await scenario.Workload.ProgressAsync("without the broker", 2000);
        await scenario.Cluster.EventuallyAsync("the topic is deleted", async token =>
        {
            await client.Admin.DeleteTopicAsync("again", token);
            return true;
        });
        await client.Admin.CreateTopicAsync("again", new TopicSpec { ReplicationFactor = 2 }, Token);
        stale.Start();
        await scenario.InSyncAsync();
        await using var consumer = client.CreateConsumer("again", new ConsumerOptions { StopAtEnd = true });
        await foreach (var record in consumer.ReadAllAsync(Token))
        {
            Assert.Fail($"a record of the deleted topic is read at {record.Offset}");
        }

        await scenario.EndAsync(sendsMayTimeOut: true);
    }

    [Fact]
    public async Task Second_broker_with_the_id_of_a_live_one_is_refused_and_harms_nothing()
    {
        await using var scenario = await Scenario.StartAsync();
        var original = scenario.Except(await scenario.ControllerAsync())[0];
        var arguments = BrokerArguments.Of(scenario.Cluster, original);
        arguments[Array.IndexOf(arguments, "--data") + 1] = original.DataDirectory + "-impostor";
        arguments[Array.IndexOf(arguments, "--listen") + 1] = original.ListenAddress.Replace($".{original.Id}:", ".200:", StringComparison.Ordinal);
        using var impostor = WeirProcess.Start(arguments);
        await Eventually.HoldsAsync(
            "the second one is told why it does not take part",
            () => impostor.Output.Contains($"node id {original.Id} is in use by the broker at {original.Address}", StringComparison.Ordinal), state: () => impostor.Output + impostor.Error);
        await scenario.Workload.ProgressAsync("with the second one", 1000);
        Assert.DoesNotContain("serves: it is no longer fenced", impostor.Output, StringComparison.Ordinal);
        await using var client = await scenario.Cluster.ConnectAsync();
        var metadata = await client.Admin.GetMetadataAsync(ct: Token);
        Assert.Equal(original.Address, $"{metadata.Brokers.Single(broker => broker.NodeId == original.Id).Host}:9650");
        await scenario.EndAsync();
    }

    [Fact]
    public async Task Broker_and_client_of_another_cluster_are_refused_and_harm_nothing()
    {
        await using var other = await TestCluster.StartAsync(new TestClusterOptions { Brokers = 1, AreIndependent = true });
        await other[1].StopAsync();
        await using var scenario = await Scenario.StartAsync();
        var victim = scenario.Cluster[3];
        victim.Kill();
        await scenario.Workload.ProgressAsync("without the broker", 500);
        var arguments = BrokerArguments.Of(scenario.Cluster, victim);
        arguments[Array.IndexOf(arguments, "--data") + 1] = other[1].DataDirectory;
        using (var stranger = WeirProcess.Start(arguments))
        {
            var outcome = await stranger.WaitAsync();
            Assert.NotEqual(0, outcome.ExitCode);
            TestContext.Current.TestOutputHelper?.WriteLine(outcome.Output + outcome.Error);
        }

        var error = await Assert.ThrowsAsync<WeirException>(
            () => WeirClient.ConnectAsync(
                new WeirClientOptions { Servers = scenario.Cluster[1].Address, ClusterId = "another" }, Token));
        Assert.Equal(ErrorCode.WrongCluster, error.Code);
        await scenario.EndAsync();
    }
}
