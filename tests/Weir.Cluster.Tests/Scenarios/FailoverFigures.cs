using System.Diagnostics;
using System.Globalization;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Weir.Protocol.Messages;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>
/// Measures how long producers with default settings wait when a broker dies, drains or is restarted. Prints; asserts only that
/// no send failed. Run alone on a quiet machine.
/// </summary>
public sealed class FailoverFigures
{
    private const int Topics = 3;
    private const int InFlight = 50;

    private static int Kills =>
        int.Parse(Environment.GetEnvironmentVariable("WEIR_CLUSTER_KILLS") ?? "10", CultureInfo.InvariantCulture);

    [Fact(Explicit = true)]
    public async Task Gap_after_the_kill_of_a_leader()
    {
        await using var run = await Run.StartAsync();
        for (var kill = 0; kill < Kills; kill++)
        {
            await run.SteadyAsync();
            var leader = await run.LeaderAsync(kill % Topics);
            run.Reset();
            leader.Kill();
            await run.SteadyAsync();
            run.Take("kill");
            leader.Start();
            await run.WholeAsync();
        }

        await run.EndAsync();
    }

    [Fact(Explicit = true)]
    public async Task Gap_while_a_leader_is_drained()
    {
        await using var run = await Run.StartAsync();
        for (var drain = 0; drain < Kills; drain++)
        {
            await run.SteadyAsync();
            var leader = await run.LeaderAsync(drain % Topics);
            run.Reset();
            await run.Client.Admin.Cluster.ChangeBrokerAsync(leader.Id, BrokerAction.Drain, ct: TestContext.Current.CancellationToken);
            await run.SteadyAsync();
            run.Take("drain");
            await run.Client.Admin.Cluster.ChangeBrokerAsync(leader.Id, BrokerAction.Undrain, ct: TestContext.Current.CancellationToken);
            await run.WholeAsync();
        }

        await run.EndAsync();
    }

    [Fact(Explicit = true)]
    public async Task Gap_in_rolling_restarts()
    {
        await using var run = await Run.StartAsync();
        for (var restart = 0; restart < Kills; restart++)
        {
            await run.SteadyAsync();
            var broker = run.Cluster.Brokers[restart % 3];
            run.Reset();
            await broker.StopAsync();
            broker.Start();
            await run.WholeAsync();
            await run.SteadyAsync();
            run.Take("restart");
        }

        await run.EndAsync();
    }

    private sealed class Run : IAsyncDisposable
    {
        private readonly Loop[] _loops;
        private readonly List<double> _gaps = [];
        private readonly CancellationTokenSource _end = new();

        private Run(TestCluster cluster, WeirClient client)
        {
            Cluster = cluster;
            Client = client;
            _loops = [.. Enumerable.Range(0, Topics).Select(topic => new Loop(client, $"t{topic}", _end.Token))];
        }

        public TestCluster Cluster { get; }

        public WeirClient Client { get; }

        public static async Task<Run> StartAsync()
        {
            var cluster = await TestCluster.StartAsync();
            var client = await cluster.ConnectAsync();
            for (var topic = 0; topic < Topics; topic++)
            {
                await client.Admin.CreateTopicAsync($"t{topic}", new TopicSpec { Partitions = 1, ReplicationFactor = 3 });
            }

            return new Run(cluster, client);
        }

        public async Task<BrokerNode> LeaderAsync(int topic)
        {
            var described = await Client.Admin.DescribeTopicAsync($"t{topic}");
            return Cluster[described.Partitions[0].Placement.Leader];
        }

        public Task WholeAsync() => Cluster.EventuallyAsync(
            "all replicas are in sync",
            async token => (await Client.Admin.Cluster.DescribeAsync(token)) is { UnderReplicated: 0 } status
                && status.Brokers.All(static broker => !broker.IsFenced));

        /// <summary>Waits until every topic has taken some thousand records more.</summary>
        public async Task SteadyAsync()
        {
            var targets = _loops.Select(static loop => loop.Acknowledged + 2000).ToArray();
            await Cluster.EventuallyAsync(
                "every topic takes records", () => _loops.Zip(targets).All(static pair => pair.First.Acknowledged >= pair.Second));
        }

        public void Reset()
        {
            foreach (var loop in _loops)
            {
                loop.Reset();
            }
        }

        /// <summary>Keeps the longest time that any topic was without an acknowledgement.</summary>
        public void Take(string incident)
        {
            var gap = _loops.Max(static loop => loop.LongestGapMs);
            _gaps.Add(gap);
            TestContext.Current.TestOutputHelper?.WriteLine($"{incident} {_gaps.Count}: {gap:F0} ms");
        }

        public async Task EndAsync()
        {
            await _end.CancelAsync();
            await Task.WhenAll(_loops.Select(static loop => loop.Ended));
            _gaps.Sort();
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{_gaps.Count} times: p50 {At(0.5):F0} ms, p99 {At(0.99):F0} ms, longest {_gaps[^1]:F0} ms");
        }

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await Client.DisposeAsync();
            await Cluster.DisposeAsync();
            _end.Dispose();
        }

        private double At(double share) => _gaps[(int)Math.Ceiling(share * _gaps.Count) - 1];
    }

    /// <summary>Keeps some records in flight to one topic.</summary>
    private sealed class Loop
    {
        private readonly Lock _lock = new();
        private readonly Task _running;
        private long _lastAck = Stopwatch.GetTimestamp();
        private long _longest;

        public Loop(WeirClient client, string topic, CancellationToken end)
        {
            var producer = client.CreateProducer(topic);
            _running = Task.WhenAll(Enumerable.Range(0, InFlight).Select(_ => SendAsync(producer, end)));
            Ended = EndAsync(producer);
        }

        public Task Ended { get; }

        public long Acknowledged { get; private set; }

        public double LongestGapMs
        {
            get
            {
                lock (_lock)
                {
                    return Math.Max(_longest, Stopwatch.GetTimestamp() - _lastAck) * 1000.0 / Stopwatch.Frequency;
                }
            }
        }

        public void Reset()
        {
            lock (_lock)
            {
                _longest = 0;
            }
        }

        private async Task EndAsync(WeirProducer producer)
        {
            await _running;
            await producer.DisposeAsync();
        }

        private async Task SendAsync(WeirProducer producer, CancellationToken end)
        {
            var value = new byte[100];
            while (!end.IsCancellationRequested)
            {
                await producer.SendAsync(new OutgoingRecord { Value = value }, CancellationToken.None);
                lock (_lock)
                {
                    var now = Stopwatch.GetTimestamp();
                    _longest = Math.Max(_longest, now - _lastAck);
                    _lastAck = now;
                    Acknowledged++;
                }
            }
        }
    }
}
