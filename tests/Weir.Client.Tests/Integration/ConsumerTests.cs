using System.Text.Json.Serialization;
using Weir.Protocol.Errors;

namespace Weir.Client.Tests.Integration;

[Trait("Category", "Integration")]
public sealed class ConsumerTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reading_starts_where_it_is_told()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await ProduceAsync(client, partitions: 1, records: 100);
        Assert.Equal(0, await FirstAsync(client, ConsumerStart.Earliest));
        Assert.Equal(57, await FirstAsync(client, ConsumerStart.AtOffset(57)));
        Assert.Equal(30, await FirstAsync(client, ConsumerStart.AtTimestamp(DateTimeOffset.FromUnixTimeMilliseconds(30))));
        Assert.Equal(100, (await client.Admin.ListOffsetAsync("t", 0, ConsumerStart.Latest, Cancelled)).Offset);
        Assert.Equal(30, (await client.Admin.ListOffsetAsync(
            "t", 0, ConsumerStart.AtTimestamp(DateTimeOffset.FromUnixTimeMilliseconds(30)), Cancelled)).Offset);
        await using var latest = client.CreateConsumer("t", new ConsumerOptions { Start = ConsumerStart.Latest, StopAtEnd = true });
        await foreach (var record in latest.ReadAllAsync(Cancelled))
        {
            Assert.Fail($"offset {record.Offset} came after the end");
        }
    }

    [Fact]
    public async Task A_seek_takes_effect_at_the_next_record()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await ProduceAsync(client, partitions: 1, records: 100);
        await using var consumer = client.CreateConsumer("t");
        var seen = new List<long>();
        await foreach (var record in consumer.ReadAllAsync(Cancelled))
        {
            seen.Add(record.Offset);
            Assert.Equal(record.Offset + 1, consumer.Position(0));
            if (seen.Count == 3)
            {
                consumer.Seek(0, ConsumerStart.AtOffset(50));
            }
            else if (seen.Count == 5)
            {
                consumer.Seek(0, ConsumerStart.AtOffset(1));
            }
            else if (seen.Count == 7)
            {
                break;
            }
        }

        Assert.Equal([0, 1, 2, 50, 51, 1, 2], seen);

        // A later enumeration goes on where the last one stopped.
        Assert.Equal(3, consumer.Position(0));
        await using var more = consumer.ReadAllAsync(Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.True(await more.MoveNextAsync());
        Assert.Equal(3, more.Current.Offset);
        Assert.Throws<InvalidOperationException>(() => consumer.ReadAllAsync(Cancelled).GetAsyncEnumerator(Cancelled));
    }

    [Fact]
    public async Task A_paused_partition_gives_nothing_and_loses_nothing()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await ProduceAsync(client, partitions: 2, records: 200);
        await using var consumer = client.CreateConsumer("t", new ConsumerOptions { StopAtEnd = true });
        var seen = new List<(int Partition, long Offset)>();
        var paused = -1;
        await foreach (var record in consumer.ReadAllAsync(Cancelled))
        {
            seen.Add((record.Partition, record.Offset));
            Assert.NotEqual(paused, record.Partition);
            if (seen.Count == 10)
            {
                paused = record.Partition;
                consumer.Pause(paused);
            }
            else if (paused >= 0 && seen.Count(found => found.Partition != paused) == 100)
            {
                consumer.Resume(paused);
                paused = -1;
            }
        }

        foreach (var partition in new[] { 0, 1 })
        {
            Assert.Equal(
                Enumerable.Range(0, 100).Select(i => (long)i),
                seen.Where(found => found.Partition == partition).Select(found => found.Offset));
        }
    }

    [Fact]
    public async Task A_consumer_that_stands_still_holds_up_nobody_on_its_connection()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer("t");
        for (var i = 0; i < 20_000; i++)
        {
            await producer.PostAsync(new OutgoingRecord { Value = new byte[100] }, Cancelled);
        }

        await producer.FlushAsync(Cancelled);
        await using var still = client.CreateConsumer("t", new ConsumerOptions { PrefetchBytes = 4096 });
        await using var stalled = still.ReadAllAsync(Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.True(await stalled.MoveNextAsync());
        await using var other = client.CreateConsumer("t", new ConsumerOptions { StopAtEnd = true });
        var count = 0;
        await foreach (var _ in other.ReadAllAsync(Cancelled))
        {
            count++;
        }

        Assert.Equal(20_000, count);
        for (var i = 1; i < 20_000; i++)
        {
            Assert.True(await stalled.MoveNextAsync());
            Assert.Equal(i, stalled.Current.Offset);
        }
    }

    [Fact]
    public async Task Typed_records_round_trip_and_a_poison_record_is_told_and_passed()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        var json = Serializers.Json(TestJson.Default.Order);
        await using var producer = client.CreateProducer("t", Serializers.Utf8, json, new ProducerOptions { Linger = TimeSpan.Zero });
        await producer.SendAsync("a", new Order(1, "x"), ct: Cancelled);
        await producer.Producer.SendAsync(new OutgoingRecord { Value = "{"u8.ToArray() }, Cancelled);
        await producer.SendAsync("a", null, ct: Cancelled);
        await using var consumer = client.CreateConsumer("t", Serializers.Utf8, json, new ConsumerOptions { StopAtEnd = true });
        var values = new List<Order?>();
        var poison = await Assert.ThrowsAsync<RecordDeserializationException>(async () =>
        {
            await foreach (var record in consumer.ReadAllAsync(Cancelled))
            {
                Assert.Equal("a", record.Key);
                values.Add(record.Value);
            }
        });
        Assert.Equal((1L, "{"), (poison.Offset, System.Text.Encoding.UTF8.GetString(poison.Value!)));
        await foreach (var record in consumer.ReadAllAsync(Cancelled))
        {
            values.Add(record.Value);
        }

        Assert.Equal([new Order(1, "x"), null], values);
    }

    [Fact]
    public async Task Cancelling_and_disposing_end_an_enumeration_that_waits()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        using var stop = new CancellationTokenSource();
        var consumer = client.CreateConsumer("t");
        await using (var waiting = consumer.ReadAllAsync(stop.Token).GetAsyncEnumerator(Cancelled))
        {
            var next = waiting.MoveNextAsync();
            await stop.CancelAsync();
            await Assert.ThrowsAsync<OperationCanceledException>(async () => await next);
        }

        await using (var waiting = consumer.ReadAllAsync(Cancelled).GetAsyncEnumerator(Cancelled))
        {
            var next = waiting.MoveNextAsync();
            await client.DisposeAsync();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await next);
        }
    }

    [Fact]
    public async Task Disposing_the_client_fails_sends_that_wait_and_later_ones()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        await producer.SendAsync(default, Cancelled);
        await broker.StopBrokerAsync();
        var send = producer.SendAsync(default, Cancelled);
        var dispose = client.DisposeAsync();
        var error = await Assert.ThrowsAsync<WeirException>(async () => await send);
        Assert.Equal(ErrorCode.ConnectionLost, error.Code);
        await dispose;
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await producer.SendAsync(default, Cancelled));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await producer.PostAsync(default, Cancelled));
        Assert.Throws<ObjectDisposedException>(() => client.CreateProducer("t"));
    }

    private static async Task ProduceAsync(WeirClient client, int partitions, int records)
    {
        await client.Admin.CreateTopicAsync("t", new TopicSpec { Partitions = partitions }, Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { BatchBytes = 1024 });
        for (var i = 0; i < records; i++)
        {
            await producer.PostAsync(
                new OutgoingRecord
                {
                    Partition = i % partitions,
                    Value = new byte[50],
                    Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(i),
                },
                Cancelled);
        }

        await producer.FlushAsync(Cancelled);
    }

    private static async Task<long> FirstAsync(WeirClient client, ConsumerStart start)
    {
        await foreach (var record in client.CreateConsumer("t", new ConsumerOptions { Start = start }).ReadAllAsync(Cancelled))
        {
            return record.Offset;
        }

        return -1;
    }
}

internal sealed record Order(int Id, string Name);

[JsonSerializable(typeof(Order))]
internal sealed partial class TestJson : JsonSerializerContext;
