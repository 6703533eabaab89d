using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Tests.Integration;

[Trait("Category", "Integration")]
public sealed class FailureTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Restarts_of_the_broker_lose_and_duplicate_nothing()
    {
        const int Records = 20_000;
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", new TopicSpec { Partitions = 3 }, Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { BatchBytes = 1024 });
        var reading = ReadAsync(client, Records);
        for (var i = 0; i < Records; i++)
        {
            await producer.PostAsync(
                new OutgoingRecord { Partition = i % 3, Value = BitConverter.GetBytes(i) }, Cancelled);
            if (i is 5_000 or 12_000)
            {
                await broker.StopBrokerAsync();
                await broker.StartBrokerAsync();
            }
        }

        await producer.FlushAsync(Cancelled);
        Assert.Equal((Records, 0), (producer.RecordsAcknowledged, producer.RecordsFailed));
        await reading;
    }

    [Fact]
    public async Task A_consumer_waits_while_the_broker_is_away()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        await using var consumer = client.CreateConsumer("t");
        await using var records = consumer.ReadAllAsync(Cancelled).GetAsyncEnumerator(Cancelled);
        await producer.SendAsync(new OutgoingRecord { Value = "1"u8.ToArray() }, Cancelled);
        Assert.True(await records.MoveNextAsync());
        var next = records.MoveNextAsync();
        await broker.StopBrokerAsync();
        var send = producer.SendAsync(new OutgoingRecord { Value = "2"u8.ToArray() }, Cancelled);
        Assert.False(next.IsCompleted);
        Assert.False(send.IsCompleted);
        await broker.StartBrokerAsync();
        Assert.Equal(1, (await send).Offset);
        Assert.True(await next);
        Assert.Equal(1, records.Current.Offset);
    }

    [Fact]
    public async Task Delivery_timeout_fails_records_while_the_broker_is_away()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer(
            "t", new ProducerOptions { Linger = TimeSpan.Zero, DeliveryTimeout = TimeSpan.FromMilliseconds(300) });
        await producer.SendAsync(default, Cancelled);
        await broker.StopBrokerAsync();
        var failures = new List<DeliveryFailure>();
        var reported = new TaskCompletionSource();
        producer.DeliveryFailed += failure =>
        {
            failures.Add(failure);
            reported.TrySetResult();
        };
        var error = await Assert.ThrowsAsync<WeirException>(async () => await producer.SendAsync(default, Cancelled));
        Assert.Equal(ErrorCode.RequestTimedOut, error.Code);
        await producer.PostAsync(default, Cancelled);
        error = await Assert.ThrowsAsync<WeirException>(async () => await producer.FlushAsync(Cancelled));
        Assert.Equal((ErrorCode.RequestTimedOut, 1L), (error.Code, error.FailedRecords));
        await reported.Task.WaitAsync(TimeSpan.FromSeconds(10), Cancelled);
        Assert.Equal(1, Assert.Single(failures).RecordCount);
        await producer.FlushAsync(Cancelled);

        // What failed is not sent later, and the partition goes on.
        await broker.StartBrokerAsync();
        Assert.Equal(1, (await SendUntilAsync(producer)).Offset);
    }

    [Fact]
    public async Task A_record_that_is_too_large_fails_and_blocks_nothing()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync(
            "t", new TopicSpec { Configs = new Dictionary<string, string?> { ["max.batch.bytes"] = "4096" } }, Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        await producer.SendAsync(default, Cancelled);
        var error = await Assert.ThrowsAsync<WeirException>(
            async () => await producer.SendAsync(new OutgoingRecord { Value = new byte[4096] }, Cancelled));
        Assert.Equal((ErrorCode.BatchTooLarge, "t"), (error.Code, error.Topic));
        Assert.Equal(1, (await producer.SendAsync(new OutgoingRecord { Value = new byte[3000] }, Cancelled)).Offset);
    }

    [Fact]
    public async Task A_batch_refused_by_the_broker_does_not_block_its_partition()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        await producer.SendAsync(default, Cancelled);
        await client.Admin.AlterTopicAsync(
            "t", configs: new Dictionary<string, string?> { ["max.batch.bytes"] = "4096" }, ct: Cancelled);
        var sends = Enumerable.Range(0, 20).Select(i => producer.SendAsync(
            new OutgoingRecord { Value = new byte[i == 3 ? 8_000 : 10] }, Cancelled).AsTask()).ToArray();
        await Task.WhenAll(sends.Select(send => send.ContinueWith(_ => { }, TaskScheduler.Default)));
        Assert.All(sends.Where(send => send.IsFaulted), send =>
            Assert.Equal(ErrorCode.BatchTooLarge, Assert.IsType<WeirException>(send.Exception!.InnerException).Code));
        Assert.True(sends[3].IsFaulted);
        var offsets = await Task.WhenAll(sends.Where(send => !send.IsFaulted));
        Assert.Equal(Enumerable.Range(1, offsets.Length).Select(i => (long)i), offsets.Select(sent => sent.Offset));
    }

    [Fact]
    public async Task A_topic_that_is_missing_is_told_and_may_be_created_later()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        var error = await Assert.ThrowsAsync<WeirException>(async () => await producer.SendAsync(default, Cancelled));
        Assert.Equal(ErrorCode.UnknownTopic, error.Code);
        error = await Assert.ThrowsAsync<WeirException>(async () =>
        {
            await foreach (var _ in client.CreateConsumer("t").ReadAllAsync(Cancelled))
            {
            }
        });
        Assert.Equal(ErrorCode.UnknownTopic, error.Code);
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        Assert.Equal(0, (await producer.SendAsync(default, Cancelled)).Offset);
    }

    [Fact]
    public async Task A_topic_that_is_deleted_and_created_again_is_written_to_anew()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        await producer.SendAsync(default, Cancelled);
        await client.Admin.DeleteTopicAsync("t", Cancelled);
        var error = await Assert.ThrowsAsync<WeirException>(async () => await producer.SendAsync(default, Cancelled));
        Assert.Equal(ErrorCode.UnknownTopic, error.Code);
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        Assert.Equal(0, (await producer.SendAsync(default, Cancelled)).Offset);
    }

    [Fact]
    public async Task Deleted_records_end_reading_with_a_typed_error_and_a_seek_goes_on()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Linger = TimeSpan.Zero });
        for (var i = 0; i < 10; i++)
        {
            await producer.SendAsync(default, Cancelled);
        }

        Assert.Equal(10, await client.Admin.DeleteRecordsAsync("t", 0, -1, Cancelled));
        await using var consumer = client.CreateConsumer("t", new ConsumerOptions { Start = ConsumerStart.AtOffset(5), StopAtEnd = true });
        var error = await Assert.ThrowsAsync<WeirException>(() => CountAsync(consumer));
        Assert.Equal((ErrorCode.OffsetOutOfRange, "t", 0, 5L), (error.Code, error.Topic, error.Partition, error.Offset));
        consumer.Seek(0, ConsumerStart.Earliest);
        Assert.Equal(0, await CountAsync(consumer));
        Assert.Equal(10, consumer.Position(0));
    }

    [Fact]
    public async Task No_answer_from_a_server_and_wrong_options_are_told_in_full()
    {
        var error = await Assert.ThrowsAsync<WeirException>(() => WeirClient.ConnectAsync("127.0.0.1:1", Cancelled));
        Assert.Equal((ErrorCode.ConnectionLost, true), (error.Code, error.IsRetriable));
        error = await Assert.ThrowsAsync<WeirException>(() => WeirClient.ConnectAsync(
            new WeirClientOptions { Servers = "nowhere", ConnectTimeout = TimeSpan.Zero, MaxUncompressedBatchBytes = 1 }, Cancelled));
        Assert.Equal(ErrorCode.InvalidConfig, error.Code);
        Assert.Contains("Servers", error.Message, StringComparison.Ordinal);
        Assert.Contains("ConnectTimeout", error.Message, StringComparison.Ordinal);
        Assert.Contains("MaxUncompressedBatchBytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_cluster_is_refused()
    {
        await using var broker = await BrokerFixture.StartAsync();
        var error = await Assert.ThrowsAsync<WeirException>(() => broker.ConnectAsync(o => o.ClusterId = "another"));
        Assert.Equal(ErrorCode.WrongCluster, error.Code);
    }

    [Theory]
    [InlineData(Acks.Leader)]
    [InlineData(Acks.None)]
    public async Task Weaker_acknowledgements_are_told_as_such(Acks acks)
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await using var producer = client.CreateProducer("t", new ProducerOptions { Acks = acks });
        var sent = await producer.SendAsync(default, Cancelled);
        Assert.Equal(acks == Acks.None ? -1 : 0, sent.Offset);
        Assert.Equal(acks == Acks.None ? default : Durability.Leader, sent.Durability);
    }

    private static async Task<SendResult> SendUntilAsync(WeirProducer producer)
    {
        while (true)
        {
            try
            {
                return await producer.SendAsync(default, Cancelled);
            }
            catch (WeirException e) when (e.Code == ErrorCode.RequestTimedOut)
            {
                // Not reconnected yet.
            }
        }
    }

    private static async Task<int> CountAsync(WeirConsumer consumer)
    {
        var count = 0;
        await foreach (var _ in consumer.ReadAllAsync(Cancelled))
        {
            count++;
        }

        return count;
    }

    private static async Task ReadAsync(WeirClient client, int records)
    {
        var next = new int[3];
        await using var consumer = client.CreateConsumer("t", new ConsumerOptions { ReuseBuffers = true, PrefetchBytes = 16 * 1024 });
        await foreach (var record in consumer.ReadAllAsync(Cancelled))
        {
            Assert.Equal(next[record.Partition]++, record.Offset);
            Assert.Equal((record.Offset * 3) + record.Partition, BitConverter.ToInt32(record.Value!.Value.Span));
            if (next.Sum() == records)
            {
                return;
            }
        }
    }
}
