using System.Collections.Concurrent;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Weir.Protocol.Errors;
using Weir.Testing.Support.History;
using Xunit;

namespace Weir.Cluster.Tests.Workloads;

/// <summary>
/// Producers and consumers, each with connections of its own, that work on a topic through all faults, and the history of
/// what they did and saw. Start it, make faults, wait for progress, heal, and let <see cref="CheckAsync"/> judge. A history
/// that fails is left in a file, for Weir.History.Check.
/// </summary>
public sealed class Workload : IAsyncDisposable
{
    private readonly TestCluster _cluster;
    private readonly WorkloadOptions _options;
    private readonly WorkloadHistory _history;
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(
        TestContext.Current.CancellationToken);

    private readonly ConcurrentQueue<WeirException> _consumerErrors = new();
    private readonly List<WeirClient> _clients = [];
    private readonly List<Task> _tasks = [];

    private Workload(TestCluster cluster, WorkloadOptions options)
    {
        _cluster = cluster;
        _options = options;
        _history = new WorkloadHistory(options.Topic, options.Acks);
    }

    public long Acknowledged => _history.Acknowledged;

    /// <summary>Sends that certainly did not happen.</summary>
    public long Failed => _history.Failed;

    /// <summary>Sends that may have happened.</summary>
    public long Unknown => _history.Unknown;

    /// <summary>Sends without an acknowledgement.</summary>
    public long Missed => Failed + Unknown;

    /// <summary>Sends that certainly did not happen, with an error that is no reason to try again.</summary>
    public long Refused => _history.Refused;

    /// <summary>How many sends ended with each error.</summary>
    public string Errors => _history.Errors;

    /// <summary>Records read, by all consumers together.</summary>
    public long Polled => _history.Polled;

    /// <summary>What ended consumers' enumerations; each then began anew.</summary>
    public IReadOnlyCollection<WeirException> ConsumerErrors => _consumerErrors;

    /// <summary>The operations, not to be looked at before the workload is stopped.</summary>
    public HistoryLog History => _history.Log;

    /// <summary>Creates the topic and begins. Every client is told of all brokers, or of those that are named.</summary>
    public static async Task<Workload> StartAsync(
        TestCluster cluster, WorkloadOptions? options = null, string? servers = null)
    {
        var workload = new Workload(cluster, options ?? new WorkloadOptions());
        try
        {
            await workload.BeginAsync(servers ?? cluster.Servers);
            return workload;
        }
        catch
        {
            await workload.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until this many more sends were acknowledged than now.</summary>
    public Task ProgressAsync(string phase, long acknowledged, TimeSpan? deadline = null)
    {
        var target = Acknowledged + acknowledged;
        return Eventually.HoldsAsync(
            $"{phase}: {acknowledged} more sends acknowledged", () => Acknowledged >= target, deadline, Describe);
    }

    /// <summary>Reads with a new client all that can be read now, amid the faults; a fault must not be a reason to fail.</summary>
    public async Task ReadAsync(string? servers = null)
    {
        await using var client = await ConnectAsync(servers ?? _cluster.Servers, _stop.Token);
        await new WorkloadConsumer(client, _options, _history, _consumerErrors).ReadToEndAsync(isFinal: false, _stop.Token);
    }

    /// <summary>Ends producers and consumers; every send gets its outcome.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_tasks);
    }

    /// <summary>
    /// Stops, reads everything from the start with a new client, and fails unless the history is one of a log that lost,
    /// doubled and reordered nothing. Faults must be healed.
    /// </summary>
    public async Task<CheckReport> CheckAsync(string? servers = null)
    {
        await StopAsync();
        await _cluster.EventuallyAsync("the topic is read to its end", token => ReadToEndAsync(servers, token));
        var report = HistoryChecker.Check(_history.Log);
        TestContext.Current.TestOutputHelper?.WriteLine($"{report}errors of sends: {_history.Errors}");
        if (!report.IsClean)
        {
            var file = Path.Combine(Path.GetTempPath(), $"weir-history-{Guid.NewGuid():N}.jsonl");
            HistoryFile.Write(_history.Log, file);
            Assert.Fail($"{report}errors of sends: {_history.Errors}\nthe history is in {file}");
        }

        return report;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();

        // Before the tasks are awaited: what their sends wait for may never come.
        await Task.WhenAll(_clients.Select(static client => client.DisposeAsync().AsTask()));
        await Task.WhenAll(_tasks);
        _stop.Dispose();
    }

    /// <summary>Creates the topic, or finds that a try whose reply came too late has.</summary>
    private async Task<bool> CreateTopicAsync(WeirAdmin admin, CancellationToken ct)
    {
        var spec = new TopicSpec
        {
            Partitions = _options.Partitions, ReplicationFactor = _options.ReplicationFactor, Configs = _options.Configs,
        };
        try
        {
            await admin.CreateTopicAsync(_options.Topic, spec, ct);
        }
        catch (WeirException e) when (e.Code == ErrorCode.TopicExists)
        {
            // Nobody else has topics here.
        }

        return true;
    }

    private async Task BeginAsync(string servers)
    {
        await using (var admin = await ConnectAsync(servers, _stop.Token))
        {
            await Eventually.HoldsAsync("the topic is created", token => CreateTopicAsync(admin.Admin, token));
        }

        for (var i = 0; i < _options.Producers; i++)
        {
            _clients.Add(await ConnectAsync(servers, _stop.Token));
            _tasks.Add(new WorkloadProducer(_clients[^1], _options, _history).RunAsync(_stop.Token));
        }

        for (var i = 0; i < _options.Consumers; i++)
        {
            _clients.Add(await ConnectAsync(servers, _stop.Token));
            _tasks.Add(
                new WorkloadConsumer(_clients[^1], _options, _history, _consumerErrors).RunAsync(_stop.Token));
        }
    }

    private async Task<bool> ReadToEndAsync(string? servers, CancellationToken ct)
    {
        await using var client = await ConnectAsync(servers ?? _cluster.Servers, ct);
        await new WorkloadConsumer(client, _options, _history, _consumerErrors).ReadToEndAsync(isFinal: true, ct);
        return true;
    }

    private static Task<WeirClient> ConnectAsync(string servers, CancellationToken ct) =>
        WeirClient.ConnectAsync(new WeirClientOptions { Servers = servers, RequestTimeout = TimeSpan.FromSeconds(5) }, ct);

    private string Describe() =>
        $"{Acknowledged} acknowledged, {Failed} failed, {Unknown} unknown ({_history.Errors}), {Polled} read, "
        + $"{_consumerErrors.Count} errors of consumers, last: {_consumerErrors.LastOrDefault()?.Message}\n"
        + _cluster.DescribeOutput();
}
