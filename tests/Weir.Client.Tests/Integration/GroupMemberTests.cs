using System.Collections.Concurrent;
using System.Text;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;

namespace Weir.Client.Tests.Integration;

/// <summary>Members of groups, as applications write them, on a real broker.</summary>
[Trait("Category", "Integration")]
public sealed class GroupMemberTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Record_in_hand_when_an_enumeration_is_left_comes_again_and_no_other_is_skipped()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithRecordsAsync(broker, partitions: 1, records: 50);
        await client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["t"] }, Cancelled);
        await using var member = client.CreateGroupConsumer("g");
        var seen = new List<long>();

        while (seen.Count < 50 + 4)
        {
            await foreach (var record in member.ReadAllAsync(Cancelled))
            {
                seen.Add(record.Offset);
                if (seen.Count % 10 == 0 && seen.Count < 50)
                {
                    break;
                }

                if (record.Offset == 49)
                {
                    member.MarkFinished(record);
                    break;
                }
            }
        }

        Assert.Equal(
            [.. Enumerable.Range(0, 10), .. Enumerable.Range(9, 10), .. Enumerable.Range(18, 10), .. Enumerable.Range(27, 10), .. Enumerable.Range(36, 14)],
            seen.Select(static offset => (int)offset));
        await member.CommitAsync(Cancelled);
        var lag = await client.Admin.DescribeGroupAsync("g", Cancelled);
        Assert.Equal(0, lag.Partitions.Sum(static partition => partition.Lag));
    }

    [Fact]
    public async Task Handlers_run_side_by_side_over_partitions_and_in_order_within_one()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithRecordsAsync(broker, partitions: 4, records: 400);
        await client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["t"] }, Cancelled);
        await using var member = client.CreateGroupConsumer("g");
        var next = new long[4];
        var within = new int[4];
        var all = new CountdownEvent(400);
        using var meeting = new SemaphoreSlim(0);
        var waiting = 0;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);

        var running = member.RunAsync(
            async (record, ct) =>
            {
                Assert.Equal(1, Interlocked.Increment(ref within[record.Partition]));
                Assert.Equal(next[record.Partition]++, record.Offset);
                if (record.Offset == 0)
                {
                    // The first of each partition waits for those of all others: four are handled at once, or none ends.
                    if (Interlocked.Increment(ref waiting) == 4)
                    {
                        meeting.Release(4);
                    }

                    await meeting.WaitAsync(ct);
                }

                Interlocked.Decrement(ref within[record.Partition]);
                if (all.Signal())
                {
                    await end.CancelAsync();
                }
            },
            maxConcurrency: 4, end.Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(400, next.Sum());
    }

    [Fact]
    public async Task Handler_that_throws_ends_the_run_of_a_stream_and_its_record_comes_again()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithRecordsAsync(broker, partitions: 1, records: 5);
        await client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["t"] }, Cancelled);
        var seen = new List<long>();
        await using (var member = client.CreateGroupConsumer("g"))
        {
            var failed = await Assert.ThrowsAsync<InvalidDataException>(() => member.RunAsync(
                (record, _) =>
                {
                    seen.Add(record.Offset);
                    return record.Offset == 3 ? throw new InvalidDataException("poison") : ValueTask.CompletedTask;
                },
                maxConcurrency: 3, Cancelled));
            Assert.Equal("poison", failed.Message);
        }

        await using var next = client.CreateGroupConsumer("g");
        await foreach (var record in next.ReadAllAsync(Cancelled))
        {
            seen.Add(record.Offset);
            if (record.Offset == 4)
            {
                break;
            }
        }

        Assert.Equal([0, 1, 2, 3, 3, 4], seen);
    }

    [Fact]
    public async Task Queue_handlers_acknowledge_by_returning_and_what_throws_is_tried_again_until_it_is_a_dead_letter()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithRecordsAsync(broker, partitions: 2, records: 40);
        await client.Admin.CreateTopicAsync("dead", ct: Cancelled);
        await client.Admin.CreateGroupAsync(
            "q",
            new GroupSpec
            {
                Mode = GroupMode.Queue,
                Topics = ["t"],
                DeadLetterTopic = "dead",
                Configs = new Dictionary<string, string?> { ["max.deliveries"] = "3", ["retry.backoff.ms"] = "1" },
            },
            Cancelled);
        await using var member = client.CreateQueueConsumer("q");
        var times = new ConcurrentDictionary<string, int>();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);

        var running = member.RunAsync(
            (delivery, _) =>
            {
                var value = Encoding.UTF8.GetString(delivery.Value!.Value.Span);
                Assert.Equal(times.AddOrUpdate(value, 1, static (_, old) => old + 1), delivery.DeliveryCount);
                return value == "7" ? throw new InvalidDataException("cannot be seven") : ValueTask.CompletedTask;
            },
            maxConcurrency: 4, end.Token);

        await foreach (var record in client.CreateConsumer("dead").ReadAllAsync(Cancelled))
        {
            Assert.Equal("7", Encoding.UTF8.GetString(record.Value!.Value.Span));
            var reason = record.Headers.Single(static header => header.Name == WellKnownHeaders.DeadLetterReason);
            Assert.Contains("cannot be seven", Encoding.UTF8.GetString(reason.Value!.Value.Span), StringComparison.Ordinal);
            break;
        }

        await AllSettledAsync(client, () => times.Count == 40);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(40, times.Count);
        Assert.All(times, static one => Assert.Equal(one.Key == "7" ? 3 : 1, one.Value));
    }

    [Fact]
    public async Task Lock_of_a_slow_handler_and_of_what_waits_behind_it_is_extended()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithRecordsAsync(broker, partitions: 1, records: 3);
        await client.Admin.CreateGroupAsync(
            "q",
            new GroupSpec { Mode = GroupMode.Queue, Topics = ["t"], Configs = new Dictionary<string, string?> { ["lock.ms"] = "1000" } },
            Cancelled);
        await using var member = client.CreateQueueConsumer("q");
        var seen = new List<(long, int)>();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);

        var running = member.RunAsync(
            async (delivery, _) =>
            {
                seen.Add((delivery.Offset, delivery.DeliveryCount));
                if (delivery.Offset == 0)
                {
                    // Until more than its lock time has passed.
                    var first = delivery.LockedUntil;
                    while (TimeProvider.System.GetUtcNow() < first.AddMilliseconds(300))
                    {
                        await Task.Delay(5, Cancelled);
                    }
                }
            },
            ct: end.Token);

        await AllSettledAsync(client, () => seen.Count >= 3);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal([(0, 1), (1, 1), (2, 1)], seen);
    }

    [Fact]
    public async Task Record_that_cannot_be_deserialized_is_set_aside_where_so_wanted()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithRecordsAsync(broker, partitions: 1, records: 2);
        await client.Admin.CreateTopicAsync("dead", ct: Cancelled);
        await using (var producer = client.CreateProducer("t"))
        {
            await producer.SendAsync(new OutgoingRecord { Value = new byte[] { 0xFF } }, Cancelled);
            await producer.SendAsync(new OutgoingRecord { Value = "2"u8.ToArray() }, Cancelled);
        }

        await client.Admin.CreateGroupAsync("s", new GroupSpec { Topics = ["t"] }, Cancelled);
        await client.Admin.CreateGroupAsync(
            "q", new GroupSpec { Mode = GroupMode.Queue, Topics = ["t"], DeadLetterTopic = "dead" }, Cancelled);
        await using var stream = client.CreateGroupConsumer(
            "s", Serializers.Utf8, new Numbers(), undecodable: UndecodableRecords.SetAside);
        await using var queue = client.CreateQueueConsumer(
            "q", Serializers.Utf8, new Numbers(), undecodable: UndecodableRecords.SetAside);
        var numbers = new List<int>();
        await foreach (var record in stream.ReadAllAsync(Cancelled))
        {
            numbers.Add(record.Value);
            if (numbers.Count == 3)
            {
                break;
            }
        }

        await foreach (var delivery in queue.ReadAllAsync(Cancelled))
        {
            numbers.Add(delivery.Value);
            await delivery.Raw.AcknowledgeAsync();
            if (numbers.Count == 6)
            {
                break;
            }
        }

        Assert.Equal([0, 1, 2, 0, 1, 2], numbers);
        await foreach (var dead in client.CreateConsumer("dead").ReadAllAsync(Cancelled))
        {
            Assert.Equal([0xFF], dead.Value!.Value.ToArray());
            break;
        }

    }

    [Fact]
    public async Task Record_with_a_time_of_delivery_is_not_delivered_before()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithRecordsAsync(broker, partitions: 1, records: 0);
        await client.Admin.CreateGroupAsync("q", new GroupSpec { Mode = GroupMode.Queue, Topics = ["t"] }, Cancelled);
        await using var producer = client.CreateProducer("t");
        var due = TimeProvider.System.GetUtcNow().AddMilliseconds(700);
        await producer.SendAsync(new OutgoingRecord { Value = "later"u8.ToArray(), DeliverAt = due }, Cancelled);
        await producer.SendAsync(new OutgoingRecord { Value = "now"u8.ToArray() }, Cancelled);
        await using var member = client.CreateQueueConsumer("q");
        var seen = new List<string>();
        await foreach (var delivery in member.ReadAllAsync(Cancelled))
        {
            var value = Encoding.UTF8.GetString(delivery.Value!.Value.Span);
            seen.Add(value);
            await delivery.AcknowledgeAsync();
            if (value == "later")
            {
                Assert.True(TimeProvider.System.GetUtcNow() >= due.AddMilliseconds(-1));
                break;
            }
        }

        Assert.Equal(["now", "later"], seen);
    }

    private static async Task AllSettledAsync(WeirClient client, Func<bool> wereDelivered)
    {
        while (!wereDelivered() || (await client.Admin.DescribeGroupAsync("q", Cancelled)).Partitions.Sum(static one => one.Lag) > 0)
        {
            await Task.Delay(5, Cancelled);
        }
    }

    private static async Task<WeirClient> WithRecordsAsync(BrokerFixture broker, int partitions, int records)
    {
        var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", new TopicSpec { Partitions = partitions }, Cancelled);
        await using var producer = client.CreateProducer("t");
        for (var i = 0; i < records; i++)
        {
            await producer.PostAsync(new OutgoingRecord { Value = Encoding.UTF8.GetBytes($"{i}"), Partition = i % partitions }, Cancelled);
        }

        await producer.FlushAsync(Cancelled);
        return client;
    }

    private sealed class Numbers : IDeserializer<int>
    {
        public int Deserialize(ReadOnlySpan<byte> bytes, bool isNull) => int.Parse(bytes, provider: null);
    }
}
