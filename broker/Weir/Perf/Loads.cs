using System.Diagnostics;
using Weir.Client;
using Weir.Protocol.Messages;

namespace Weir.Cli.Perf;

/// <summary>What a measurement showed.</summary>
/// <param name="Records">Records acknowledged or read.</param>
/// <param name="Failed">Records that were not acknowledged.</param>
/// <param name="Seconds">Wall time.</param>
/// <param name="Bytes">Bytes of their values, or of whole batches where they were not decoded.</param>
internal sealed record PerfResult(long Records, long Failed, double Seconds, long Bytes)
{
    public double RecordsPerSecond => Records / Seconds;

    public double MegabytesPerSecond => Bytes / 1e6 / Seconds;

    /// <summary>Latency in microseconds, from sending to acknowledgement; 0 where none was measured.</summary>
    public double P50 { get; init; }

    public double P99 { get; init; }

    public double P999 { get; init; }

    public double Max { get; init; }

    /// <summary>The figure over the machine's limit for it: throughput over throughput, latency over latency.</summary>
    public double RatioToLimit { get; init; }

    public PerfResult With(Percentiles latency) =>
        this with { P50 = latency.P50, P99 = latency.P99, P999 = latency.P999, Max = latency.Max };
}

/// <summary>Publishes from several producers at once; one record in some thousands is timed.</summary>
internal sealed class ProduceLoad(string servers, string topic, int size, int keys, ProducerOptions options)
{
    private const int SampleInterval = 10_000;
    private readonly LatencyRecorder _latency = new();

    public async Task<PerfResult> RunAsync(long records, int producers, CancellationToken cancellationToken)
    {
        var stopwatch = Stopwatch.StartNew();
        var runs = new Task<(long Acknowledged, long Failed)>[producers];
        for (var i = 0; i < producers; i++)
        {
            var share = (records / producers) + (i < records % producers ? 1 : 0);
            runs[i] = Task.Run(() => RunOneAsync(share, cancellationToken), cancellationToken);
        }

        var outcomes = await Task.WhenAll(runs).ConfigureAwait(false);
        var acknowledged = outcomes.Sum(static outcome => outcome.Acknowledged);
        return new PerfResult(
            acknowledged, outcomes.Sum(static outcome => outcome.Failed), stopwatch.Elapsed.TotalSeconds, acknowledged * size)
            .With(_latency.ToPercentiles());
    }

    private async Task<(long Acknowledged, long Failed)> RunOneAsync(long records, CancellationToken cancellationToken)
    {
        var client = await WeirClient.ConnectAsync(servers, cancellationToken).ConfigureAwait(false);
        await using (client.ConfigureAwait(false))
        {
            var producer = client.CreateProducer(topic, options);
            await using (producer.ConfigureAwait(false))
            {
                var names = Enumerable.Range(0, keys).Select(static key => (ReadOnlyMemory<byte>)BitConverter.GetBytes(key)).ToArray();
                var value = new byte[size];
                var samples = new List<Task>();
                for (long i = 0; i < records; i++)
                {
                    var record = new OutgoingRecord { Key = keys == 0 ? null : names[i * 7919 % keys], Value = value };
                    if (i % SampleInterval == 0 && options.Acks != Acks.None)
                    {
                        samples.Add(TimeAsync(producer, record, cancellationToken));
                    }
                    else if (!producer.TryPost(record))
                    {
                        await producer.PostAsync(record, cancellationToken).ConfigureAwait(false);
                    }
                }

                await producer.FlushAsync(cancellationToken).ConfigureAwait(false);
                await Task.WhenAll(samples).ConfigureAwait(false);
                return (producer.RecordsAcknowledged, producer.RecordsFailed);
            }
        }
    }

    private async Task TimeAsync(WeirProducer producer, OutgoingRecord record, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        await producer.SendAsync(record, cancellationToken).ConfigureAwait(false);
        _latency.Record(Stopwatch.GetElapsedTime(started));
    }
}

/// <summary>Reads a topic from its start, as fast as it comes.</summary>
internal sealed class ConsumeLoad(WeirClient client, string topic)
{
    private readonly ConsumerOptions _options = new() { StopAtEnd = true, ReuseBuffers = true };

    /// <summary>Every record decoded: key, value and timestamps are there for the application.</summary>
    public async Task<PerfResult> RunDecodedAsync(long records, CancellationToken cancellationToken)
    {
        var consumer = client.CreateConsumer(topic, _options);
        await using (consumer.ConfigureAwait(false))
        {
            long read = 0;
            long bytes = 0;
            var stopwatch = Stopwatch.StartNew();
            await foreach (var record in consumer.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                bytes += record.Value.GetValueOrDefault().Length + record.Key.GetValueOrDefault().Length;
                if (++read == records)
                {
                    break;
                }
            }

            return new PerfResult(read, 0, stopwatch.Elapsed.TotalSeconds, bytes);
        }
    }

    /// <summary>Batches as stored, walked and their checksums verified.</summary>
    public async Task<PerfResult> RunRawAsync(long records, CancellationToken cancellationToken)
    {
        var consumer = client.CreateConsumer(topic, _options);
        await using (consumer.ConfigureAwait(false))
        {
            long read = 0;
            long bytes = 0;
            var stopwatch = Stopwatch.StartNew();
            await foreach (var batch in consumer.ReadBatchesAsync(cancellationToken).ConfigureAwait(false))
            {
                bytes += batch.Memory.Length;
                read += batch.RecordCount;
                if (read >= records)
                {
                    break;
                }
            }

            return new PerfResult(read, 0, stopwatch.Elapsed.TotalSeconds, bytes);
        }
    }
}

/// <summary>Publishes one record at a time.</summary>
internal static class LatencyLoad
{
    public static async Task<PerfResult> RunAsync(
        WeirClient client, string topic, int size, long records, Acks acks, CancellationToken cancellationToken)
    {
        var producer = client.CreateProducer(topic, new ProducerOptions { Linger = TimeSpan.Zero, Acks = acks });
        await using (producer.ConfigureAwait(false))
        {
            var record = new OutgoingRecord { Value = new byte[size] };
            var warmUp = Math.Min(records / 10, 2_000);
            for (long i = 0; i < warmUp; i++)
            {
                await producer.SendAsync(record, cancellationToken).ConfigureAwait(false);
            }

            var latency = new LatencyRecorder();
            var stopwatch = Stopwatch.StartNew();
            for (long i = 0; i < records; i++)
            {
                var started = Stopwatch.GetTimestamp();
                await producer.SendAsync(record, cancellationToken).ConfigureAwait(false);
                latency.Record(Stopwatch.GetElapsedTime(started));
            }

            return new PerfResult(records, 0, stopwatch.Elapsed.TotalSeconds, records * size).With(latency.ToPercentiles());
        }
    }
}
