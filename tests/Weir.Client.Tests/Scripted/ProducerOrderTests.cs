namespace Weir.Client.Tests.Scripted;

[Trait("Category", "Integration")]
public sealed class ProducerOrderTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Sends_that_begin_before_the_topic_is_known_keep_their_order()
    {
        for (var round = 0; round < 10; round++)
        {
            await using var cluster = new ScriptedCluster(brokers: 1);
            await using var client = await cluster.ConnectAsync();
            await using var producer = client.CreateProducer("t");
            await SendAsync(producer, 5000);
            Assert.Equal(Enumerable.Range(0, 5000), cluster.Partitions[0].Values());
        }
    }

    [Fact]
    public async Task Sends_that_wait_for_buffer_space_keep_their_order()
    {
        await using var cluster = new ScriptedCluster(brokers: 1);
        await using var client = await cluster.ConnectAsync();
        await using var producer = client.CreateProducer(
            "t", new ProducerOptions { BufferBytes = 64 * 1024, BatchBytes = 1024, Linger = TimeSpan.Zero });
        await SendAsync(producer, 20_000);
        Assert.Equal(Enumerable.Range(0, 20_000), cluster.Partitions[0].Values());
    }

    private static async Task SendAsync(WeirProducer producer, int records)
    {
        var key = "key"u8.ToArray();
        var sends = new List<Task>(records);
        for (var i = 0; i < records; i++)
        {
            sends.Add(producer.SendAsync(
                new OutgoingRecord { Key = key, Value = BitConverter.GetBytes(i) }, Cancelled).AsTask());
        }

        await Task.WhenAll(sends);
    }
}
