using System.Buffers.Binary;
using System.Collections.Concurrent;
using Weir.Client;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>
/// Publishes numbered records, remembers which were acknowledged, and holds what is read later against it: every
/// acknowledged one there, none twice, in order for each partition.
/// </summary>
public sealed class History(string topic)
{
    private readonly ConcurrentDictionary<long, (int Partition, long Offset)> _acknowledged = new();
    private long _next;

    public int Acknowledged => _acknowledged.Count;

    /// <summary>Publishes until an error or until told to stop; returns the error.</summary>
    public async Task<WeirException?> PublishAsync(WeirClient client, int window, TimeSpan deliveryTimeout, CancellationToken stop)
    {
        await using var producer = client.CreateProducer(
            topic, new ProducerOptions { Linger = TimeSpan.FromMilliseconds(1), DeliveryTimeout = deliveryTimeout });
        using var slots = new SemaphoreSlim(window);
        WeirException? error = null;
        var sends = new List<Task>();
        while (!stop.IsCancellationRequested && Volatile.Read(ref error) is null)
        {
            await slots.WaitAsync(TestContext.Current.CancellationToken);
            sends.Add(SendAsync(producer, Interlocked.Increment(ref _next)));
        }

        await Task.WhenAll(sends);
        return error;

        async Task SendAsync(WeirProducer target, long number)
        {
            try
            {
                var value = new byte[200];
                BinaryPrimitives.WriteInt64LittleEndian(value, number);
                var sent = await target.SendAsync(
                    new OutgoingRecord { Key = value.AsMemory(0, 1), Value = value }, TestContext.Current.CancellationToken);
                _acknowledged[number] = (sent.Partition, sent.Offset);
            }
            catch (WeirException e)
            {
                Interlocked.CompareExchange(ref error, e, null);
            }
            finally
            {
                slots.Release();
            }
        }
    }

    /// <summary>Reads the whole topic and checks it.</summary>
    public async Task CheckAsync(WeirClient client)
    {
        var seen = new Dictionary<long, (int Partition, long Offset)>();
        var lastOfPartition = new Dictionary<(int Partition, long Key), long>();
        await using var consumer = client.CreateConsumer(topic, new ConsumerOptions { StopAtEnd = true });
        await foreach (var record in consumer.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            var number = BinaryPrimitives.ReadInt64LittleEndian(record.Value!.Value.Span);
            Assert.True(seen.TryAdd(number, (record.Partition, record.Offset)), $"record {number} was read twice");
            var key = (record.Partition, number & 0xFF);
            Assert.True(number > lastOfPartition.GetValueOrDefault(key), $"record {number} came after a later one of its key");
            lastOfPartition[key] = number;
        }

        foreach (var (number, place) in _acknowledged)
        {
            Assert.True(seen.TryGetValue(number, out var found), $"record {number}, acknowledged at {place}, is missing");
            Assert.Equal(place, found);
        }
    }
}
