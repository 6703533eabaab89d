using System.Globalization;
using Prometheus;

namespace Weir.Operator.Hosting;

/// <summary>What the operator counts. Thread-safe.</summary>
internal sealed class OperatorMetrics
{
    private readonly Counter _requests;
    private readonly Counter _relists;
    private readonly Counter _watchFailures;
    private readonly Counter _undecodable;
    private readonly Counter _reconciliations;
    private readonly Histogram _duration;
    private readonly Gauge _depth;
    private readonly Counter _adds;
    private readonly Counter _retries;
    private readonly Histogram _waits;
    private readonly Counter _drift;
    private readonly Gauge _leader;
    private readonly Gauge _resources;
    private readonly Gauge _lag;
    private readonly Gauge _lagAge;

    public OperatorMetrics()
    {
        Registry = Metrics.NewCustomRegistry();
        var factory = Metrics.WithCustomRegistry(Registry);
        _requests = factory.CreateCounter("weir_operator_api_requests_total", "Requests to the API server.", "verb", "code");
        _relists = factory.CreateCounter("weir_operator_relists_total", "Lists after expired history.", "kind");
        _watchFailures = factory.CreateCounter("weir_operator_watch_failures_total", "Watches that failed.", "kind");
        _undecodable = factory.CreateCounter("weir_operator_undecodable_objects_total", "Objects that cannot be read.", "kind");
        _reconciliations = factory.CreateCounter("weir_operator_reconciliations_total", "Passes over a resource.", "kind", "result");
        _duration = factory.CreateHistogram("weir_operator_reconciliation_seconds", "Time of a pass.", "kind");
        _depth = factory.CreateGauge("weir_operator_queue_depth", "Resources that wait.", "queue");
        _adds = factory.CreateCounter("weir_operator_queue_adds_total", "Resources that were queued.", "queue");
        _retries = factory.CreateCounter("weir_operator_queue_retries_total", "Resources that were queued after a failure.", "queue");
        _waits = factory.CreateHistogram("weir_operator_queue_wait_seconds", "Time that a resource waits.", "queue");
        _drift = factory.CreateCounter("weir_operator_drift_corrected_total", "Changes by others that were taken back.", "kind");
        _leader = factory.CreateGauge("weir_operator_leader", "Whether this instance leads.");
        _resources = factory.CreateGauge("weir_operator_resources", "Resources that are known.", "kind");
        _lag = factory.CreateGauge("weir_operator_group_lag_records", "Records that wait.", "namespace", "name");
        _lagAge = factory.CreateGauge("weir_operator_group_lag_seconds", "Age of the oldest record that waits.", "namespace", "name");
    }

    /// <summary>All of them.</summary>
    public CollectorRegistry Registry { get; }

    public void CountRequest(string verb, int code) =>
        _requests.WithLabels(verb, code.ToString(CultureInfo.InvariantCulture)).Inc();

    public void CountRelist(string kind) => _relists.WithLabels(kind).Inc();

    public void CountWatchFailure(string kind) => _watchFailures.WithLabels(kind).Inc();

    public void CountUndecodable(string kind) => _undecodable.WithLabels(kind).Inc();

    public void CountReconciliation(string kind, bool isSuccess, TimeSpan time)
    {
        _reconciliations.WithLabels(kind, isSuccess ? "success" : "failure").Inc();
        _duration.WithLabels(kind).Observe(time.TotalSeconds);
    }

    public void SetDepth(string queue, int depth) => _depth.WithLabels(queue).Set(depth);

    public void CountAdd(string queue) => _adds.WithLabels(queue).Inc();

    public void CountRetry(string queue) => _retries.WithLabels(queue).Inc();

    public void ObserveWait(string queue, TimeSpan time) => _waits.WithLabels(queue).Observe(time.TotalSeconds);

    public void CountDrift(string kind) => _drift.WithLabels(kind).Inc();

    public void SetLeader(bool leads) => _leader.Set(leads ? 1 : 0);

    public void SetResources(string kind, int count) => _resources.WithLabels(kind).Set(count);

    /// <summary>Sets a group's lag. What is not known, null, is no figure: an old one would look like a present one.</summary>
    public void SetLag(string ns, string name, long? records, long? seconds)
    {
        Set(_lag, records);
        Set(_lagAge, seconds);

        void Set(Gauge gauge, long? value)
        {
            if (value is { } known)
            {
                gauge.WithLabels(ns, name).Set(known);
            }
            else
            {
                gauge.RemoveLabelled(ns, name);
            }
        }
    }
}
