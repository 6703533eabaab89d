using System.Buffers.Binary;
using System.Diagnostics;
using Weir.Client;

namespace Weir.Kubernetes.Load;

/// <summary>What a load saw.</summary>
/// <param name="Partitions">Partitions of the topic.</param>
/// <param name="Acknowledged">Records that were acknowledged.</param>
/// <param name="Failed">Records that were not, for good.</param>
/// <param name="Missing">Acknowledged records that were not read.</param>
/// <param name="Misplaced">Records that were read twice or out of their order.</param>
/// <param name="LongestGapMs">Longest time between two acknowledgements of one partition.</param>
/// <param name="SmallestIsr">The smallest in-sync set that was seen.</param>
/// <param name="BelowMinIsr">How often a partition was seen below the minimum.</param>
/// <param name="Looks">How often was looked.</param>
internal sealed record LoadReport(
    int Partitions, long Acknowledged, long Failed, long Missing, long Misplaced, long LongestGapMs, int SmallestIsr, int BelowMinIsr,
    int Looks);

/// <summary>Numbers the records of each partition, so that what is read can be compared with what was acknowledged.</summary>
internal sealed class Load(WeirClient client, string topic, int minIsr)
{
    private const int Burst = 10;
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);
    private readonly Lock _lock = new();
    private long _failed;
    private TimeSpan _longestGap;
    private int _smallestIsr = int.MaxValue;
    private int _belowMinIsr;
    private int _looks;

    /// <summary>Publishes until told to stop, then reads.</summary>
    public async Task<LoadReport> RunAsync(CancellationToken stop)
    {
        var partitions = (await client.Admin.DescribeTopicAsync(topic, stop)).Partitions.Count;
        long[] acknowledged;
        await using (var producer = client.CreateProducer(topic))
        {
            var watching = WatchAsync(stop);
            acknowledged = await Task.WhenAll(Enumerable.Range(0, partitions).Select(one => PublishAsync(producer, one, stop)));
            await watching;
        }

        var (missing, misplaced) = await CompareAsync(acknowledged);
        return new LoadReport(
            partitions, acknowledged.Sum(), _failed, missing, misplaced, (long)_longestGap.TotalMilliseconds, _smallestIsr,
            _belowMinIsr, _looks);
    }

    private async Task<long> PublishAsync(WeirProducer producer, int partition, CancellationToken stop)
    {
        long sent = 0;
        var sends = new Task<bool>[Burst];
        var last = 0L;
        while (!stop.IsCancellationRequested)
        {
            for (var i = 0; i < Burst; i++)
            {
                sends[i] = SendAsync(producer, partition, sent++);
            }

            if ((await Task.WhenAll(sends)).Contains(false))
            {
                return sent;
            }

            Note(last);
            if (last == 0)
            {
                Console.WriteLine($"partition {partition} acknowledges");
            }

            last = Stopwatch.GetTimestamp();
            await Task.Delay(Pace, TimeProvider.System, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return sent;
    }

    private async Task<bool> SendAsync(WeirProducer producer, int partition, long number)
    {
        var value = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(value, number);
        try
        {
            await producer.SendAsync(new OutgoingRecord { Value = value, Partition = partition });
            return true;
        }
        catch (WeirException e)
        {
            Console.WriteLine($"partition {partition}: record {number}: {e.Message}");
            Interlocked.Increment(ref _failed);
            return false;
        }
    }

    private void Note(long last)
    {
        if (last == 0)
        {
            return;
        }

        var gap = Stopwatch.GetElapsedTime(last);
        lock (_lock)
        {
            if (gap > _longestGap)
            {
                _longestGap = gap;
                Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} a gap of {gap.TotalMilliseconds:F0} ms");
            }
        }
    }

    private async Task WatchAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var seen = (await client.Admin.GetMetadataAsync([topic], stop)).Topics.Single();
                foreach (var partition in seen.Partitions)
                {
                    _smallestIsr = Math.Min(_smallestIsr, partition.Isr.Count);
                    if (partition.Isr.Count < minIsr)
                    {
                        _belowMinIsr++;
                        Console.WriteLine($"partition {partition.Partition} has {partition.Isr.Count} in sync");
                    }
                }

                _looks++;
            }
            catch (Exception e) when (e is WeirException or OperationCanceledException)
            {
                // Another broker is asked the next time.
            }

            await Task.Delay(LookEvery, TimeProvider.System, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<(long Missing, long Misplaced)> CompareAsync(long[] acknowledged)
    {
        var next = new long[acknowledged.Length];
        long misplaced = 0;
        await using var consumer = client.CreateConsumer(topic, new ConsumerOptions { StopAtEnd = true });
        await foreach (var record in consumer.ReadAllAsync())
        {
            var number = BinaryPrimitives.ReadInt64LittleEndian(record.Value!.Value.Span);
            if (number == next[record.Partition])
            {
                next[record.Partition]++;
            }
            else
            {
                misplaced++;
            }
        }

        return (acknowledged.Select((count, partition) => Math.Max(0, count - next[partition])).Sum(), misplaced);
    }
}
