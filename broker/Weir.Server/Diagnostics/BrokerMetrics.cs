using Prometheus;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Server.Partitions;

namespace Weir.Server.Diagnostics;

/// <summary>The broker's Prometheus metrics, in a registry of their own. Thread-safe.</summary>
internal sealed class BrokerMetrics
{
    private static readonly double[] LatencyBuckets = Histogram.ExponentialBuckets(0.00005, 2, 18);
    private readonly TimeProvider _time;
    private readonly Counter _requests;
    private readonly Counter _received;
    private readonly Counter _sent;
    private readonly Counter _delivered;
    private readonly Histogram _produceLatency;
    private readonly Histogram _flushLatency;
    private readonly Gauge _connections;
    private readonly Gauge _partitionBytes;
    private readonly Gauge _logEndOffset;
    private readonly Gauge _logStartOffset;
    private readonly Gauge _highWatermark;
    private readonly Gauge _offline;
    private readonly Gauge _tailBytes;

    public BrokerMetrics(TimeProvider time)
    {
        _time = time;
        var metrics = Metrics.WithCustomRegistry(Registry);
        _requests = metrics.CreateCounter("weir_requests_total", "Answered requests.", "api", "result");
        _received = metrics.CreateCounter("weir_received_bytes_total", "Bytes from clients.");
        _sent = metrics.CreateCounter("weir_sent_bytes_total", "Bytes to clients.");
        _delivered = metrics.CreateCounter("weir_delivered_bytes_total", "Bytes of batches to subscriptions.");
        _produceLatency = metrics.CreateHistogram(
            "weir_append_latency_seconds", "From receiving a batch to its acknowledgement.",
            new HistogramConfiguration { Buckets = LatencyBuckets });
        _flushLatency = metrics.CreateHistogram(
            "weir_flush_latency_seconds", "One sync, of one or many logs.",
            new HistogramConfiguration { Buckets = LatencyBuckets });
        _connections = metrics.CreateGauge("weir_connections", "Open connections.");
        _partitionBytes = metrics.CreateGauge("weir_partition_size_bytes", "Bytes on disk.", "topic", "partition");
        _logEndOffset = metrics.CreateGauge("weir_log_end_offset", "Next offset.", "topic", "partition");
        _logStartOffset = metrics.CreateGauge("weir_log_start_offset", "First offset kept.", "topic", "partition");
        _highWatermark = metrics.CreateGauge("weir_high_watermark", "First offset not readable.", "topic", "partition");
        _offline = metrics.CreateGauge("weir_offline_partitions", "Partitions without a leader, or whose log is stopped or full.");
        _tailBytes = metrics.CreateGauge("weir_tail_memory_bytes", "Memory that holds recent records.");
    }

    public CollectorRegistry Registry { get; } = Metrics.NewCustomRegistry();

    /// <summary>Takes partition figures when somebody asks, not before.</summary>
    public void Observe(PartitionTable partitions, Func<long> tailBytes) => Registry.AddBeforeCollectCallback(() =>
    {
        var offline = 0;
        foreach (var partition in partitions.All)
        {
            var index = partition.Index.ToString(System.Globalization.CultureInfo.InvariantCulture);
            _partitionBytes.WithLabels(partition.Topic, index).Set(partition.Log.SizeBytes);
            _logEndOffset.WithLabels(partition.Topic, index).Set(partition.Log.LogEndOffset);
            _logStartOffset.WithLabels(partition.Topic, index).Set(partition.Log.LogStartOffset);
            _highWatermark.WithLabels(partition.Topic, index).Set(partition.HighWatermark);
            offline += partition.IsOffline ? 1 : 0;
        }

        _offline.Set(offline);
        _tailBytes.Set(tailBytes());
    });

    /// <summary>Forgets a deleted topic's series.</summary>
    public void Forget(Partition partition)
    {
        var index = partition.Index.ToString(System.Globalization.CultureInfo.InvariantCulture);
        foreach (var gauge in (Gauge[])[_partitionBytes, _logEndOffset, _logStartOffset, _highWatermark])
        {
            gauge.RemoveLabelled(partition.Topic, index);
        }
    }

    public void CountRequest(ApiKey api, ErrorCode result) => _requests.WithLabels(Name(api), Name(result)).Inc();

    public void CountProduced(long receivedAt)
    {
        CountRequest(ApiKey.Produce, ErrorCode.None);
        _produceLatency.Observe(_time.GetElapsedTime(receivedAt).TotalSeconds);
    }

    public void CountReceived(int bytes) => _received.Inc(bytes);

    public void CountSent(int bytes) => _sent.Inc(bytes);

    public void CountDelivered(int bytes) => _delivered.Inc(bytes);

    public void CountFlush(TimeSpan duration) => _flushLatency.Observe(duration.TotalSeconds);

    public void CountConnections(int open) => _connections.Set(open);

    private static string Name(ApiKey api) => ApiTable.Knows(api) ? NameOf<ApiKey>.Get((int)api) : "Unknown";

    private static string Name(ErrorCode code) => NameOf<ErrorCode>.Get((int)code);

    /// <summary>Names without an allocation for each use.</summary>
    private static class NameOf<T>
        where T : struct, Enum
    {
        private static readonly Dictionary<int, string> Names = Enum.GetValues<T>().ToDictionary(
            static value => Convert.ToInt32(value, System.Globalization.CultureInfo.InvariantCulture),
            static value => value.ToString());

        public static string Get(int value) => Names.GetValueOrDefault(value, "Unknown");
    }
}
