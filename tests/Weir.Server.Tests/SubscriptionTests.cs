using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;
using Xunit;

namespace Weir.Server.Tests;

public sealed class SubscriptionTests
{
    [Fact]
    public async Task Broker_sends_while_there_is_credit_and_stops_without()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        var topic = await client.CreateTopicAsync("credit");
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(ErrorCode.None, await client.ProduceAsync(topic, RawConnection.Batch(topic.TopicId, 10)));
        }

        await SubscribeAsync(client, topic, credit: 0);
        await client.SendAsync(ApiKey.Credit, new CreditPush { SubscriptionId = 1, CreditBytes = 1 }, FrameKind.Push);
        var delivered = Read(await client.ReceiveAsync());
        Assert.NotEmpty(delivered.Batches.ToArray());

        // The one byte is overdrawn: whatever else there is stays until more is granted, and other requests pass.
        await client.CallAsync<PingRequest, EmptyMessage>(new PingRequest());
    }

    [Fact]
    public async Task Every_record_arrives_once_in_order_across_memory_and_files()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        var topic = await client.CreateTopicAsync("order", ("segment.bytes", "65536"));
        for (var i = 0; i < 60; i++)
        {
            await client.ProduceAsync(topic, RawConnection.Batch(topic.TopicId, 50));
        }

        await SubscribeAsync(client, topic, credit: 1 << 20);
        long next = 0;
        while (next < 3000)
        {
            var batches = Read(await client.ReceiveAsync()).Batches;
            while (!batches.IsEmpty)
            {
                var length = (int)RecordBatchHeader.ReadLength(batches.Span);
                var header = RecordBatchHeader.Verify(batches.Span[..length]);
                Assert.Equal(next, header.BaseOffset);
                next = header.NextOffset;
                batches = batches[length..];
            }
        }
    }

    [Fact]
    public async Task Credit_beyond_the_bound_ends_the_subscription()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        var topic = await client.CreateTopicAsync("overflow");
        await SubscribeAsync(client, topic, credit: ProtocolLimits.SubscriptionCreditBytes);
        await client.SendAsync(ApiKey.Credit, new CreditPush { SubscriptionId = 1, CreditBytes = 1 }, FrameKind.Push);
        var frame = await client.ReceiveAsync();
        Assert.Equal(ApiKey.SubscriptionEnded, frame!.Value.Header.Api);
        var ended = WireReader.ReadAll<SubscriptionEndedPush>(frame.Value.Body, 1);
        Assert.Equal(ErrorCode.CreditOverflow, ended.Error.Error);
    }

    [Fact]
    public async Task Deleting_a_topic_ends_its_subscriptions()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        using var admin = await RawConnection.GreetAsync(broker);
        var topic = await client.CreateTopicAsync("gone");
        await SubscribeAsync(client, topic, credit: 1000);
        await admin.CallAsync<DeleteTopicRequest, EmptyMessage>(new DeleteTopicRequest { Name = "gone" });
        var frame = await client.ReceiveAsync();
        Assert.Equal(ApiKey.SubscriptionEnded, frame!.Value.Header.Api);
        Assert.Equal(ErrorCode.UnknownTopic, await client.ProduceAsync(topic, RawConnection.Batch(topic.TopicId)));
    }

    [Fact]
    public async Task Client_that_stops_reading_harms_nobody_and_costs_bounded_memory()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var stalled = await RawConnection.GreetAsync(broker);
        var topic = await stalled.CreateTopicAsync("stalled");
        using var other = await RawConnection.GreetAsync(broker);
        for (var i = 0; i < 40; i++)
        {
            Assert.Equal(ErrorCode.None, await other.ProduceAsync(topic, RawConnection.Batch(topic.TopicId, 1000, 1000)));
        }

        await SubscribeAsync(stalled, topic, credit: 1 << 29);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < 40; i++)
        {
            Assert.Equal(ErrorCode.None, await other.ProduceAsync(topic, RawConnection.Batch(topic.TopicId, 1000, 1000)));
        }

        var growth = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.True(growth < 96 * 1024 * 1024, $"{growth} bytes more are held for a client that does not read");
    }

    [Fact]
    public async Task Offset_out_of_range_and_unknown_subscription_are_refused()
    {
        await using var broker = await RunningBroker.StartAsync();
        using var client = await RawConnection.GreetAsync(broker);
        var topic = await client.CreateTopicAsync("range");
        var refused = await Assert.ThrowsAsync<ProtocolException>(() =>
            client.CallAsync<SubscribeRequest, SubscribeResponse>(new SubscribeRequest
            {
                SubscriptionId = 1,
                TopicId = topic.TopicId,
                Start = StartPosition.Offset,
                StartValue = 5,
            }));
        Assert.Equal(ErrorCode.OffsetOutOfRange, refused.Code);
        var unknown = await Assert.ThrowsAsync<ProtocolException>(() =>
            client.CallAsync<UnsubscribeRequest, EmptyMessage>(new UnsubscribeRequest { SubscriptionId = 9 }));
        Assert.Equal(ErrorCode.InvalidSubscription, unknown.Code);
    }

    private static Task<SubscribeResponse> SubscribeAsync(RawConnection client, TopicInfo topic, long credit) =>
        client.CallAsync<SubscribeRequest, SubscribeResponse>(new SubscribeRequest
        {
            SubscriptionId = 1,
            TopicId = topic.TopicId,
            CreditBytes = credit,
        });

    private static DeliverPush Read((FrameHeader Header, byte[] Body)? frame)
    {
        Assert.NotNull(frame);
        Assert.Equal(ApiKey.Deliver, frame.Value.Header.Api);
        return WireReader.ReadAll<DeliverPush>(frame.Value.Body, 1);
    }
}
