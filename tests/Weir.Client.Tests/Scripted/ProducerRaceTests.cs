using System.Collections.Concurrent;
using Weir.Protocol.Errors;

namespace Weir.Client.Tests.Scripted;

/// <summary>
/// Many partitions, answers that come, come late or never, and connections that end, while records time out: whatever meets
/// whatever, every record gets an outcome, and those that are acknowledged are where that says.
/// </summary>
[Trait("Category", "Integration")]
public sealed class ProducerRaceTests
{
    private const int Partitions = 32;
    private const int Senders = 128;
    private const int RecordsEach = 60;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Every_record_gets_its_own_outcome_whatever_times_out_and_ends_meanwhile(int seed)
    {
        await using var cluster = new ScriptedCluster(brokers: 1, Partitions);
        var random = new Random(seed);
        cluster.OnProduce = (_, _) => random.Next(6) switch
        {
            0 => Fate.Silent(appends: true),
            1 => Fate.Silent(appends: false),
            2 => Fate.Refused(ErrorCode.NotEnoughReplicas),
            3 => Fate.AppendedBut(ErrorCode.NotLeader),
            _ => Fate.Usual,
        };
        await using var client = await cluster.ConnectAsync(options =>
        {
            options.ReconnectBackoff = TimeSpan.FromMilliseconds(1);
            options.ReconnectBackoffMax = TimeSpan.FromMilliseconds(5);
        });
        await using var producer = client.CreateProducer(
            "t", new ProducerOptions { DeliveryTimeout = TimeSpan.FromMilliseconds(100), Linger = TimeSpan.FromMilliseconds(1), BatchBytes = 1024 });
        var acknowledged = new ConcurrentDictionary<int, SendResult>();
        var failed = 0;
        using var stop = new CancellationTokenSource();
        var dropping = DropAsync(cluster, seed, stop.Token);
        await Task.WhenAll(Enumerable.Range(0, Senders).Select(sender => Task.Run(() => SendAsync(sender))));
        await stop.CancelAsync();
        await dropping;

        var logs = cluster.Partitions.Select(static partition => partition.Values()).ToList();
        Assert.All(acknowledged, one => Assert.Equal(one.Key, logs[one.Value.Partition][(int)one.Value.Offset]));
        Assert.All(logs.Index(), log => Assert.All(log.Item, value => Assert.Equal(log.Index, value % Partitions)));
        Assert.True(failed > 0 && !acknowledged.IsEmpty, $"{failed} failed, {acknowledged.Count} acknowledged");

        async Task SendAsync(int sender)
        {
            for (var i = 0; i < RecordsEach; i++)
            {
                var value = (i * Senders) + sender;
                try
                {
                    acknowledged[value] = await producer.SendAsync(
                        new OutgoingRecord { Partition = value % Partitions, Value = BitConverter.GetBytes(value) }, Cancelled);
                }
                catch (WeirException)
                {
                    Interlocked.Increment(ref failed);
                }
            }
        }
    }

    /// <summary>Ends the connections again and again, as fast as they come.</summary>
    private static async Task DropAsync(ScriptedCluster cluster, int seed, CancellationToken stop)
    {
        var random = new Random(seed + 1);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        while (!stop.IsCancellationRequested)
        {
            if (random.Next(5) == 0)
            {
                cluster[1].DropConnections();
            }

            await timer.WaitForNextTickAsync(stop).AsTask().ContinueWith(
                static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }
}
