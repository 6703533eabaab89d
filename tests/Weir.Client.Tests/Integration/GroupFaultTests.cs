using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Tests.Integration;

/// <summary>What members of groups are told, and what they do, when something is wrong.</summary>
[Trait("Category", "Integration")]
public sealed class GroupFaultTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Group_that_is_unknown_or_of_another_mode_ends_the_enumeration_with_a_typed_error()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithGroupAsync(broker, GroupMode.Stream, records: 1);
        Assert.Equal(ErrorCode.UnknownGroup, await FaultOfAsync(client.CreateGroupConsumer("none").ReadAllAsync(Cancelled)));
        Assert.Equal(ErrorCode.UnknownGroup, await FaultOfAsync(client.CreateQueueConsumer("none").ReadAllAsync(Cancelled)));
        Assert.Equal(ErrorCode.WrongGroupMode, await FaultOfAsync(client.CreateQueueConsumer("g").ReadAllAsync(Cancelled)));
        var run = client.CreateQueueConsumer("g", new QueueConsumerOptions { IsKeyed = true });
        var e = await Assert.ThrowsAsync<WeirException>(() => run.RunAsync(static (_, _) => ValueTask.CompletedTask, ct: Cancelled));
        Assert.Equal(ErrorCode.WrongGroupMode, e.Code);
    }

    [Fact]
    public async Task Second_member_of_an_instance_takes_the_place_of_the_first_which_is_told()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithGroupAsync(broker, GroupMode.Stream, records: 3);
        await using var first = client.CreateGroupConsumer("g", new GroupConsumerOptions { InstanceId = "one" });
        var reading = first.ReadAllAsync(Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.True(await reading.MoveNextAsync());
        await using var second = client.CreateGroupConsumer("g", new GroupConsumerOptions { InstanceId = "one" });
        await foreach (var record in second.ReadAllAsync(Cancelled))
        {
            // It was in hand there and not committed.
            Assert.Equal(0, record.Offset);
            break;
        }

        var e = await Assert.ThrowsAsync<WeirException>(async () =>
        {
            while (await reading.MoveNextAsync())
            {
            }
        });
        Assert.Equal(ErrorCode.FencedInstance, e.Code);
    }

    [Fact]
    public async Task Acknowledging_after_the_lock_expired_is_told_and_another_member_has_the_record()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithGroupAsync(broker, GroupMode.Queue, records: 1, ("lock.ms", "200"), ("retry.backoff.ms", "0"));
        await using var slow = client.CreateQueueConsumer("g");
        await using var other = client.CreateQueueConsumer("g");
        var first = await NextAsync(slow);
        await slow.DisposeAsync();
        var again = await NextAsync(other);
        Assert.Equal((first.Offset, 0L), (again.Offset, first.Offset));
        await again.AcknowledgeAsync();
        await other.DisposeAsync();

        await using var third = client.CreateQueueConsumer("g");
        await using (var producer = client.CreateProducer("t"))
        {
            await producer.SendAsync(new OutgoingRecord { Value = new byte[1] }, Cancelled);
        }

        // Held by hand, no lock is extended: it comes again, counted, and the first delivery is worth nothing any more.
        var late = await NextAsync(third);
        var counted = await NextAsync(third);
        Assert.Equal((late.Offset, 2), (counted.Offset, counted.DeliveryCount));
        await counted.AcknowledgeAsync();
        var e = await Assert.ThrowsAsync<WeirException>(late.AcknowledgeAsync);
        Assert.Equal(ErrorCode.LockExpired, e.Code);
    }

    [Fact]
    public async Task Topic_that_is_deleted_leaves_the_others_of_the_group_alone()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithGroupAsync(broker, GroupMode.Stream, records: 1);
        await client.Admin.CreateTopicAsync("t2", ct: Cancelled);
        await client.Admin.AlterGroupAsync("g", new GroupChange { Topics = ["t", "t2"] }, Cancelled);
        await using var producer = client.CreateProducer("t2");
        await using var member = client.CreateGroupConsumer("g");
        await using var reading = member.ReadAllAsync(Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.True(await reading.MoveNextAsync());
        Assert.Equal("t", reading.Current.Topic);
        await client.Admin.DeleteTopicAsync("t", Cancelled);
        for (var i = 0; i < 3; i++)
        {
            await producer.SendAsync(new OutgoingRecord { Value = new byte[1] }, Cancelled);
            Assert.True(await reading.MoveNextAsync());
            Assert.Equal(("t2", (long)i), (reading.Current.Topic, reading.Current.Offset));
        }
    }

    [Theory]
    [InlineData(GroupMode.Stream)]
    [InlineData(GroupMode.Keyed)]
    public async Task Members_go_on_by_themselves_after_the_broker_was_away(GroupMode mode)
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithGroupAsync(broker, mode, records: 200, ("heartbeat.interval.ms", "100"));
        var seen = new HashSet<long>();
        var count = 0;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        using var halfway = new SemaphoreSlim(0);
        using var goOn = new SemaphoreSlim(0);
        var running = mode == GroupMode.Stream
            ? client.CreateGroupConsumer("g").RunAsync((record, ct) => HandleAsync(record.Offset, ct), ct: end.Token)
            : client.CreateQueueConsumer("g", new QueueConsumerOptions { IsKeyed = true })
                .RunAsync((delivery, ct) => HandleAsync(delivery.Offset, ct), ct: end.Token);

        await halfway.WaitAsync(Cancelled);
        await broker.StopBrokerAsync();
        await broker.StartBrokerAsync();
        goOn.Release();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(200, seen.Count);

        async ValueTask HandleAsync(long offset, CancellationToken ct)
        {
            if (++count == 100)
            {
                halfway.Release();
                await goOn.WaitAsync(ct);
            }

            seen.Add(offset);
            if (seen.Count == 200)
            {
                await end.CancelAsync();
            }
        }
    }

    [Theory]
    [InlineData(GroupMode.Stream)]
    [InlineData(GroupMode.Queue)]
    public async Task Member_is_disposed_in_time_while_its_coordinator_is_away(GroupMode mode)
    {
        const int GroupInterrupted = 7022;
        await using var broker = await BrokerFixture.StartAsync();
        await using (var setup = await WithGroupAsync(broker, mode, records: 2))
        {
            // Only topic, group and records are wanted.
        }

        using var interrupted = new LoggedEvent(GroupInterrupted);
        await using var client = await broker.ConnectAsync(options => options.LoggerFactory = interrupted);
        var settled = Task.CompletedTask;
        IAsyncDisposable member;
        if (mode == GroupMode.Stream)
        {
            // The first record is finished, and not committed.
            var stream = client.CreateGroupConsumer("g", new GroupConsumerOptions { ShutdownTimeout = TimeSpan.FromSeconds(1) });
            await using var reading = stream.ReadAllAsync(Cancelled).GetAsyncEnumerator(Cancelled);
            Assert.True(await reading.MoveNextAsync() && await reading.MoveNextAsync());
            await broker.StopBrokerAsync();
            member = stream;
        }
        else
        {
            var queue = client.CreateQueueConsumer("g", new QueueConsumerOptions { ShutdownTimeout = TimeSpan.FromSeconds(1) });
            var delivery = await NextAsync(queue);
            await broker.StopBrokerAsync();
            await interrupted.Reached.WaitAsync(Cancelled);
            settled = delivery.AcknowledgeAsync();
            member = queue;
        }

        await member.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Cancelled);
        if (mode == GroupMode.Queue)
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(
                () => settled.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Cancelled));
        }
    }

    [Fact]
    public async Task Reason_that_is_longer_than_a_dead_letter_has_room_for_is_cut_and_holds_up_nothing()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await WithGroupAsync(broker, GroupMode.Queue, records: 2);
        await client.Admin.CreateTopicAsync("dead", ct: Cancelled);
        await client.Admin.AlterGroupAsync("g", new GroupChange { DeadLetterTopic = "dead" }, Cancelled);
        await using var member = client.CreateQueueConsumer("g");
        var reason = "x" + string.Concat(Enumerable.Repeat("\U0001F4A5", 5000));
        var rejected = (await NextAsync(member)).RejectAsync(reason);
        var acknowledged = (await NextAsync(member)).AcknowledgeAsync();
        await Task.WhenAll(rejected, acknowledged).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Cancelled);

        await using var dead = client.CreateConsumer("dead");
        await foreach (var record in dead.ReadAllAsync(Cancelled))
        {
            Assert.True(DeadLetter.TryRead(record, out var letter));
            Assert.StartsWith(letter.Reason, reason, StringComparison.Ordinal);
            Assert.Equal(499, letter.Reason.Length);
            break;
        }
    }

    private static async Task<ErrorCode> FaultOfAsync<T>(IAsyncEnumerable<T> records)
    {
        var e = await Assert.ThrowsAsync<WeirException>(async () =>
        {
            await foreach (var record in records)
            {
            }
        });
        return e.Code;
    }

    private static async Task<Delivery> NextAsync(WeirQueueConsumer consumer)
    {
        await foreach (var delivery in consumer.ReadAllAsync(Cancelled))
        {
            return delivery;
        }

        throw new InvalidOperationException("the enumeration ended");
    }

    private static async Task<WeirClient> WithGroupAsync(
        BrokerFixture broker, GroupMode mode, int records, params (string Name, string Value)[] configs)
    {
        var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", ct: Cancelled);
        await client.Admin.CreateGroupAsync(
            "g",
            new GroupSpec { Mode = mode, Topics = ["t"], Configs = configs.ToDictionary(static one => one.Name, static one => (string?)one.Value) },
            Cancelled);
        await using var producer = client.CreateProducer("t");
        for (var i = 0; i < records; i++)
        {
            await producer.PostAsync(new OutgoingRecord { Key = BitConverter.GetBytes(i % 7), Value = BitConverter.GetBytes(i) }, Cancelled);
        }

        await producer.FlushAsync(Cancelled);
        return client;
    }
}
