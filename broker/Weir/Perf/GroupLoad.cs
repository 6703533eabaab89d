using System.Diagnostics;
using Weir.Client;
using Weir.Protocol.Messages;

namespace Weir.Cli.Perf;

/// <summary>Consumes a topic with the members of a group of its own, each on a connection of its own; queues acknowledge each record.</summary>
internal sealed class GroupLoad(string servers, string topic, GroupMode mode)
{
    private readonly string _group = $"perf-{Guid.NewGuid():N}";
    private long _left;
    private long _bytes;

    /// <summary>Publishes records with keys; not measured.</summary>
    public static async Task PublishAsync(WeirClient client, string topic, int size, long records, int keys, CancellationToken cancellationToken)
    {
        var producer = client.CreateProducer(topic, new ProducerOptions { BatchBytes = 256 * 1024, BufferBytes = 64 * 1024 * 1024 });
        await using (producer.ConfigureAwait(false))
        {
            var names = Enumerable.Range(0, keys).Select(static key => (ReadOnlyMemory<byte>?)BitConverter.GetBytes(key)).ToArray();
            for (long i = 0; i < records; i++)
            {
                await producer.PostAsync(
                    new OutgoingRecord { Key = keys == 0 ? null : names[i % keys], Value = new byte[size] }, cancellationToken)
                    .ConfigureAwait(false);
            }

            await producer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Runs until all records are done.</summary>
    public async Task<PerfResult> RunAsync(WeirClient client, long records, int members, CancellationToken cancellationToken)
    {
        await client.Admin.CreateGroupAsync(_group, new GroupSpec { Mode = mode, Topics = [topic] }, cancellationToken).ConfigureAwait(false);
        try
        {
            _left = records;
            using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var stopwatch = Stopwatch.StartNew();
            await Task.WhenAll(Enumerable.Range(0, members).Select(_ => Task.Run(() => RunOneAsync(done), CancellationToken.None)))
                .ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            return new PerfResult(records, 0, stopwatch.Elapsed.TotalSeconds, _bytes);
        }
        finally
        {
            await client.Admin.DeleteGroupAsync(_group, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private async Task RunOneAsync(CancellationTokenSource done)
    {
        try
        {
            var client = await WeirClient.ConnectAsync(servers, done.Token).ConfigureAwait(false);
            await using (client.ConfigureAwait(false))
            {
                await (mode == GroupMode.Stream ? StreamAsync(client, done) : QueueAsync(client, done)).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (done.IsCancellationRequested)
        {
            // All are done.
        }
    }

    private async Task StreamAsync(WeirClient client, CancellationTokenSource done)
    {
        var consumer = client.CreateGroupConsumer(_group, new GroupConsumerOptions { PrefetchBytes = 8 * 1024 * 1024, ReuseBuffers = true });
        await using (consumer.ConfigureAwait(false))
        {
            // What members count together, they count before they wait: each on its own would be most of the work.
            var (records, bytes) = (0L, 0L);
            var reading = consumer.ReadAllAsync(done.Token).GetAsyncEnumerator(done.Token);
            await using (reading.ConfigureAwait(false))
            {
                while (true)
                {
                    var next = reading.MoveNextAsync();
                    if (!next.IsCompleted)
                    {
                        Count(records, bytes, done);
                        (records, bytes) = (0, 0);
                    }

                    if (!await next.ConfigureAwait(false))
                    {
                        return;
                    }

                    records++;
                    bytes += reading.Current.Value.GetValueOrDefault().Length;
                }
            }
        }
    }

    private async Task QueueAsync(WeirClient client, CancellationTokenSource done)
    {
        var consumer = client.CreateQueueConsumer(
            _group, new QueueConsumerOptions { IsKeyed = mode == GroupMode.Keyed, MaxInFlight = 5000 });
        await using (consumer.ConfigureAwait(false))
        {
            await foreach (var delivery in consumer.ReadAllAsync(done.Token).ConfigureAwait(false))
            {
                _ = AcknowledgeAsync(delivery, done);
            }
        }
    }

    private async Task AcknowledgeAsync(Delivery delivery, CancellationTokenSource done)
    {
        await delivery.AcknowledgeAsync().ConfigureAwait(false);
        Count(1, delivery.Value.GetValueOrDefault().Length, done);
    }

    private void Count(long records, long bytes, CancellationTokenSource done)
    {
        Interlocked.Add(ref _bytes, bytes);
        if (records > 0 && Interlocked.Add(ref _left, -records) == 0)
        {
            done.Cancel();
        }
    }
}
