namespace Weir.Client.Tests.Integration;

/// <summary>Partitions are added under load, and no key moves.</summary>
[Trait("Category", "Integration")]
public sealed class TopicGrowthTests
{
    private const int Keys = 200;
    private const int RecordsPerKey = 60;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>
    /// Each key is published to by its own clients, one after the other: those that knew the topic before it grew, and new ones.
    /// </summary>
    [Fact]
    public async Task Each_key_stays_in_its_partition_and_in_order_while_partitions_are_added()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var admin = await broker.ConnectAsync();
        await admin.Admin.CreateTopicAsync("t", new TopicSpec { Partitions = 3 }, Cancelled);
        using var halfway = new SemaphoreSlim(0);
        var producing = Enumerable.Range(0, 4).Select(part => Task.Run(() => ProduceAsync(broker, part, halfway), Cancelled)).ToList();

        foreach (var partitions in (int[])[5, 8])
        {
            // Not before each producer is in the middle, and they go on meanwhile.
            for (var i = 0; i < producing.Count; i++)
            {
                await halfway.WaitAsync(Cancelled);
            }

            await admin.Admin.AlterTopicAsync("t", partitions, ct: Cancelled);
        }

        await Task.WhenAll(producing);
        await using (var unkeyed = admin.CreateProducer("t"))
        {
            for (var i = 0; i < 8; i++)
            {
                await unkeyed.SendAsync(new OutgoingRecord { Value = new byte[1] }, Cancelled);
            }
        }

        var next = new int[Keys];
        var partitionOf = new int?[Keys];
        var withoutKey = new HashSet<int>();
        await foreach (var record in admin.CreateConsumer("t", new ConsumerOptions { StopAtEnd = true }).ReadAllAsync(Cancelled))
        {
            if (record.Key is not { } bytes)
            {
                withoutKey.Add(record.Partition);
                continue;
            }

            var key = BitConverter.ToInt32(bytes.Span);
            Assert.Equal(partitionOf[key] ??= record.Partition, record.Partition);
            Assert.Equal(next[key]++, BitConverter.ToInt32(record.Value!.Value.Span));
        }

        Assert.All(next, static count => Assert.Equal(RecordsPerKey, count));
        Assert.All(partitionOf, static partition => Assert.InRange(partition!.Value, 0, 2));
        Assert.Contains(withoutKey, static partition => partition > 2);
        var topic = Assert.Single((await admin.Admin.GetMetadataAsync(["t"], Cancelled)).Topics);
        Assert.Equal((8, 3), (topic.Partitions.Count, topic.KeyPartitions));
    }

    private static async Task ProduceAsync(BrokerFixture broker, int part, SemaphoreSlim halfway)
    {
        for (int round = 0, value = 0; round < 3; round++)
        {
            await using var client = await broker.ConnectAsync();
            await using var producer = client.CreateProducer("t", new ProducerOptions { BatchBytes = 4096 });
            for (var i = 0; i < RecordsPerKey / 3; i++, value++)
            {
                if (round < 2 && i == RecordsPerKey / 6)
                {
                    halfway.Release();
                }

                for (var key = part; key < Keys; key += 4)
                {
                    await producer.PostAsync(
                        new OutgoingRecord { Key = BitConverter.GetBytes(key), Value = BitConverter.GetBytes(value) }, Cancelled);
                }
            }

            await producer.FlushAsync(Cancelled);
        }
    }
}
