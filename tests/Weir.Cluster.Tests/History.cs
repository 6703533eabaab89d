using System.Buffers.Binary;
using System.Diagnostics;
using Weir.Client;
using Weir.Testing.Support.History;
using Xunit;

namespace Weir.Cluster.Tests;

/// <summary>
/// Publishes numbered records, reads them back, and holds all of it against what a log promises. A history that fails is
/// left in a file, for Weir.History.Check.
/// </summary>
public sealed class History(string topic)
{
    private readonly HistoryLog _log = new(Stopwatch.Frequency);
    private long _next;
    private int _nextProcess;
    private int _acknowledged;

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    /// <summary>Publishes until an error or until told to stop; returns the error.</summary>
    public async Task<WeirException?> PublishAsync(WeirClient client, int window, TimeSpan deliveryTimeout, CancellationToken stop)
    {
        await using var producer = client.CreateProducer(
            topic, new ProducerOptions { Linger = TimeSpan.FromMilliseconds(1), DeliveryTimeout = deliveryTimeout });
        using var slots = new SemaphoreSlim(window);
        var process = Interlocked.Increment(ref _nextProcess);
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
            var value = new byte[200];
            BinaryPrimitives.WriteInt64LittleEndian(value, number);
            var send = _log.BeginSend(process, partition: null, number, Stopwatch.GetTimestamp());
            try
            {
                var sent = await target.SendAsync(
                    new OutgoingRecord { Key = value.AsMemory(0, 1), Value = value }, TestContext.Current.CancellationToken);
                _log.Acknowledge(send, new PartitionId(topic, sent.Partition), sent.Offset, Stopwatch.GetTimestamp());
                Interlocked.Increment(ref _acknowledged);
            }
            catch (WeirException e)
            {
                _log.Unknown(send, Stopwatch.GetTimestamp());
                Interlocked.CompareExchange(ref error, e, null);
            }
            finally
            {
                slots.Release();
            }
        }
    }

    /// <summary>Reads the whole topic and checks the history so far.</summary>
    public async Task CheckAsync(WeirClient client)
    {
        var poll = _log.BeginPoll(Interlocked.Increment(ref _nextProcess), Stopwatch.GetTimestamp(), isFinal: true);
        var records = new List<(int Partition, long Offset, long Number)>();
        await using var consumer = client.CreateConsumer(topic, new ConsumerOptions { StopAtEnd = true });
        await foreach (var record in consumer.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            records.Add((record.Partition, record.Offset, BinaryPrimitives.ReadInt64LittleEndian(record.Value!.Value.Span)));
        }

        var result = new PollResult();
        foreach (var partition in records.GroupBy(static record => record.Partition))
        {
            result.Partition(new PartitionId(topic, partition.Key), position: 0);
            foreach (var (_, offset, number) in partition)
            {
                result.Add(offset, number);
            }
        }

        _log.EndPoll(poll, result, Stopwatch.GetTimestamp());
        var report = HistoryChecker.Check(_log);
        if (!report.IsClean)
        {
            var file = Path.Combine(Path.GetTempPath(), $"weir-history-{Guid.NewGuid():N}.jsonl");
            HistoryFile.Write(_log, file);
            Assert.Fail($"{report}the history is in {file}");
        }

        TestContext.Current.SendDiagnosticMessage("{0}", report);
    }
}
