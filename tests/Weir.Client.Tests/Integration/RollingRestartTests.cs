using System.Collections.Concurrent;

namespace Weir.Client.Tests.Integration;

/// <summary>Ten members of a stream group over a hundred partitions, restarted one after the other under load.</summary>
[Trait("Category", "Integration")]
public sealed class RollingRestartTests
{
    private const int Members = 10;
    private const int Partitions = 100;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Each_partition_moves_at_most_twice_and_no_record_is_handled_twice(bool haveInstanceIds)
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", new TopicSpec { Partitions = Partitions }, Cancelled);

        // Nobody is silent for so long, however busy the machine is.
        var patience = new Dictionary<string, string?> { ["session.timeout.ms"] = "120000", ["rebalance.timeout.ms"] = "120000" };
        await client.Admin.CreateGroupAsync("g", new GroupSpec { Topics = ["t"], Configs = patience }, Cancelled);
        var run = new Run(client, haveInstanceIds);
        for (var i = 0; i < Members; i++)
        {
            run.Start(i);
        }

        await run.SharedOutAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var publishing = Task.Run(() => PublishAsync(client, stop.Token), Cancelled);
        run.Moves.Clear();
        for (var i = 0; i < Members; i++)
        {
            await run.HandlesMoreAsync();
            await run.RestartAsync(i);
            await run.SharedOutAsync();
        }

        await stop.CancelAsync();
        var published = await publishing;
        await run.HandledAsync(published);
        var moves = run.Moves.ToArray();
        await run.StopAsync();

        // To another member and back, or with instance ids only to the one that comes back.
        Assert.Equal(Partitions, moves.Length);
        Assert.All(moves, one => Assert.InRange(one.Value, 1, haveInstanceIds ? 1 : 2));
        Assert.Equal(published, run.Handled.Count);
        Assert.All(run.Handled, static one => Assert.Equal(1, one.Value));
        Assert.Equal(0, run.Lost);
    }

    private static async Task<int> PublishAsync(WeirClient client, CancellationToken stop)
    {
        await using var producer = client.CreateProducer("t");
        var published = 0;
        while (!stop.IsCancellationRequested)
        {
            for (var i = 0; i < 1000; i++)
            {
                await producer.PostAsync(new OutgoingRecord { Value = new byte[8], Partition = published++ % Partitions }, Cancelled);
            }

            await producer.FlushAsync(Cancelled);
        }

        return published;
    }

    private sealed class Run(WeirClient client, bool haveInstanceIds)
    {
        private readonly (WeirGroupConsumer Member, Task Reading)[] _members = new (WeirGroupConsumer, Task)[Members];
        private int _lost;
        private int _told;

        public ConcurrentDictionary<(int Partition, long Offset), int> Handled { get; } = [];

        public ConcurrentDictionary<int, int> Moves { get; } = [];

        public int Lost => _lost;

        public void Start(int index)
        {
            var options = new GroupConsumerOptions { InstanceId = haveInstanceIds ? $"m{index}" : null, PrefetchBytes = 16 * 1024 };
            var member = client.CreateGroupConsumer("g", options);
            member.Revoked += partitions => Interlocked.Add(ref _told, -partitions.Count);
            member.Assigned += partitions =>
            {
                Interlocked.Add(ref _told, partitions.Count);
                foreach (var partition in partitions)
                {
                    Moves.AddOrUpdate(partition.Partition, 1, static (_, moves) => moves + 1);
                }
            };
            member.Lost += _ => Interlocked.Increment(ref _lost);
            _members[index] = (member, member.RunAsync(
                (record, _) =>
                {
                    Handled.AddOrUpdate((record.Partition, record.Offset), 1, static (_, times) => times + 1);
                    return ValueTask.CompletedTask;
                },
                maxConcurrency: 2, Cancelled));
        }

        public async Task RestartAsync(int index)
        {
            await StopAsync(index);
            Start(index);
        }

        public async Task StopAsync()
        {
            for (var i = 0; i < Members; i++)
            {
                await StopAsync(i);
            }
        }

        public Task SharedOutAsync() => UntilAsync(
            () => _told == Partitions && _members.All(static one => one.Member.Assignment.Count == Partitions / Members));

        public Task HandlesMoreAsync()
        {
            var more = Handled.Count + 500;
            return UntilAsync(() => Handled.Count >= more);
        }

        public Task HandledAsync(int count) => UntilAsync(() => Handled.Count >= count);

        private static async Task UntilAsync(Func<bool> holds)
        {
            while (!holds())
            {
                await Task.Delay(10, Cancelled);
            }
        }

        private async Task StopAsync(int index)
        {
            await _members[index].Member.DisposeAsync();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => _members[index].Reading);
        }
    }
}
