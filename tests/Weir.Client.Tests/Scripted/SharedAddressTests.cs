namespace Weir.Client.Tests.Scripted;

/// <summary>Clients that know one address which leads to every broker, as that of a Kubernetes Service.</summary>
public sealed class SharedAddressTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Broker_that_was_found_through_a_shared_address_is_found_again_when_that_leads_elsewhere()
    {
        await using var cluster = new ScriptedCluster(brokers: 2);
        await using var service = new ScriptedService(cluster[1]);
        await using var client = await cluster.ConnectAsync(options => options.Servers = service.Address);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        await producer.SendAsync(Record(1), Cancelled);

        service.Target = cluster[2];
        cluster[1].DropConnections();
        await producer.SendAsync(Record(2), Cancelled);
        cluster[1].DropConnections();
        await producer.SendAsync(Record(3), Cancelled);
        Assert.Equal([1, 2, 3], cluster.Partitions[0].Values());
    }

    [Fact]
    public async Task Address_that_was_dialed_is_used_again_where_the_advertised_one_leads_nowhere()
    {
        await using var cluster = new ScriptedCluster(brokers: 1);
        await using var service = new ScriptedService(cluster[1]);
        cluster[1].Advertised = new Protocol.Messages.BrokerInfo { NodeId = 1, Host = "127.0.0.1", Port = 1 };
        await using var client = await cluster.ConnectAsync(options => options.Servers = service.Address);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        for (var i = 1; i <= 5; i++)
        {
            await producer.SendAsync(Record(i), Cancelled);
            cluster[1].DropConnections();
        }

        Assert.Equal([1, 2, 3, 4, 5], cluster.Partitions[0].Values());
    }

    private static OutgoingRecord Record(int value) => new() { Value = BitConverter.GetBytes(value) };
}
