using System.Diagnostics;
using Weir.Client;
using Weir.Protocol.Messages;

namespace Weir.Cli.Perf;

/// <summary>Publishes records that are due later, evenly spread over a time, and measures how late a queue group delivers them.</summary>
internal sealed class DelayedLoad(WeirClient client, string topic)
{
    private readonly string _group = $"perf-{Guid.NewGuid():N}";
    private readonly LatencyRecorder _lateness = new();
    private long _left;
    private long _early;

    /// <summary>Runs until all are acknowledged. Those that came before their time count as failed.</summary>
    public async Task<PerfResult> RunAsync(long records, TimeSpan delay, TimeSpan over, int members, CancellationToken cancellationToken)
    {
        await client.Admin.CreateGroupAsync(
            _group, new GroupSpec { Mode = GroupMode.Queue, Topics = [topic], Start = ConsumerStart.Latest }, cancellationToken).ConfigureAwait(false);
        try
        {
            _left = records;
            using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var consuming = Enumerable.Range(0, members).Select(_ => Task.Run(() => ConsumeAsync(done), CancellationToken.None)).ToList();
            var first = TimeProvider.System.GetUtcNow() + delay;
            await PublishAsync(records, first, over, cancellationToken).ConfigureAwait(false);
            var wait = Stopwatch.StartNew();
            await Task.WhenAll(consuming).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            var lateness = _lateness.ToPercentiles();
            return new PerfResult(records, _early, wait.Elapsed.TotalSeconds, records * sizeof(long))
            {
                P50 = lateness.P50, P99 = lateness.P99, P999 = lateness.P999, Max = lateness.Max,
            };
        }
        finally
        {
            await client.Admin.DeleteGroupAsync(_group, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private async Task PublishAsync(long records, DateTimeOffset first, TimeSpan over, CancellationToken cancellationToken)
    {
        var producer = client.CreateProducer(topic, new ProducerOptions { BatchBytes = 256 * 1024, BufferBytes = 64 * 1024 * 1024 });
        await using (producer.ConfigureAwait(false))
        {
            // In no order of their times, as timers are set.
            var step = records > 7 ? 7_919L : 1;
            for (long i = 0; i < records; i++)
            {
                var due = first + TimeSpan.FromTicks((long)(over.Ticks * ((double)(i * step % records) / records)));
                await producer.PostAsync(
                    new OutgoingRecord { Value = BitConverter.GetBytes(due.ToUnixTimeMilliseconds()).AsMemory(), DeliverAt = due }, cancellationToken)
                    .ConfigureAwait(false);
            }

            await producer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ConsumeAsync(CancellationTokenSource done)
    {
        var member = client.CreateQueueConsumer(_group, new QueueConsumerOptions { MaxInFlight = 5000 });
        await using (member.ConfigureAwait(false))
        {
            try
            {
                await foreach (var delivery in member.ReadAllAsync(done.Token).ConfigureAwait(false))
                {
                    var due = DateTimeOffset.FromUnixTimeMilliseconds(BitConverter.ToInt64(delivery.Value.GetValueOrDefault().Span));
                    var late = TimeProvider.System.GetUtcNow() - due;
                    _lateness.Record(late);
                    if (late < TimeSpan.Zero)
                    {
                        Interlocked.Increment(ref _early);
                    }

                    _ = AcknowledgeAsync(delivery, done);
                }
            }
            catch (OperationCanceledException) when (done.IsCancellationRequested)
            {
                // All are done.
            }
        }
    }

    private async Task AcknowledgeAsync(Delivery delivery, CancellationTokenSource done)
    {
        await delivery.AcknowledgeAsync().ConfigureAwait(false);
        if (Interlocked.Decrement(ref _left) == 0)
        {
            await done.CancelAsync().ConfigureAwait(false);
        }
    }
}
