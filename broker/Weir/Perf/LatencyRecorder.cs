using HdrHistogram;

namespace Weir.Cli.Perf;

/// <summary>Latencies in microseconds.</summary>
internal sealed record Percentiles(double P50, double P99, double P999, double Max);

/// <summary>Collects latencies from 100 ns to an hour with three significant digits. Thread-safe.</summary>
internal sealed class LatencyRecorder
{
    private const double UnitsPerMicrosecond = 10;
    private readonly LongConcurrentHistogram _histogram = new(1, 36_000_000_000, 3);

    public void Record(TimeSpan latency) => _histogram.RecordValue(Math.Max(1, latency.Ticks));

    public Percentiles ToPercentiles() => _histogram.TotalCount == 0
        ? new Percentiles(0, 0, 0, 0)
        : new Percentiles(
            _histogram.GetValueAtPercentile(50) / UnitsPerMicrosecond,
            _histogram.GetValueAtPercentile(99) / UnitsPerMicrosecond,
            _histogram.GetValueAtPercentile(99.9) / UnitsPerMicrosecond,
            _histogram.GetMaxValue() / UnitsPerMicrosecond);
}
