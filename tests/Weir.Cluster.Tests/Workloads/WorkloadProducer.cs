using System.Buffers.Binary;
using System.Diagnostics;
using Weir.Client;

namespace Weir.Cluster.Tests.Workloads;

/// <summary>One producer of a workload, at a steady pace, in turn to each partition, whatever happens to its records.</summary>
internal sealed class WorkloadProducer(WeirClient client, WorkloadOptions options, WorkloadHistory history)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);
    private readonly int _process = history.NewProcess();

    public async Task RunAsync(CancellationToken stop)
    {
        using var slots = new SemaphoreSlim(options.Window);
        await using var producer = client.CreateProducer(
            options.Topic,
            new ProducerOptions
            {
                Acks = options.Acks,
                Linger = TimeSpan.FromMilliseconds(1),
                DeliveryTimeout = options.DeliveryTimeout,
            });

        using var ticks = new PeriodicTimer(Tick, TimeProvider.System);
        var sends = new List<Task>();
        var start = Stopwatch.GetTimestamp();
        try
        {
            for (long sent = 0; await ticks.WaitForNextTickAsync(stop); sends.RemoveAll(static send => send.IsCompleted))
            {
                var due = (long)(Stopwatch.GetElapsedTime(start).TotalSeconds * options.RecordsPerSecond);
                for (; sent < due && slots.Wait(0, CancellationToken.None); sent++)
                {
                    sends.Add(SendAsync(producer, (int)(sent % options.Partitions), slots));
                }

                // What a full window held up is not made good for: a dead cluster must not be met by a flood.
                sent = Math.Max(sent, due);
            }
        }
        catch (OperationCanceledException)
        {
            // Told to stop; what is on its way still gets its outcome.
        }

        await Task.WhenAll(sends);
    }

    private async Task SendAsync(WeirProducer producer, int partition, SemaphoreSlim slots)
    {
        var (id, value) = history.BeginSend(_process, partition);
        try
        {
            var bytes = new byte[options.ValueBytes];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            history.Acknowledge(id, await producer.SendAsync(new OutgoingRecord { Value = bytes, Partition = partition }));
        }
        catch (Exception e) when (e is WeirException or ObjectDisposedException)
        {
            history.EndSend(id, e);
        }
        finally
        {
            slots.Release();
        }
    }
}
