using System.Text.Json;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Weir.Protocol.Messages;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Members that are `weir consume` processes and die by SIGKILL, coordinators that die with their broker.</summary>
public sealed class GroupScenarios
{
    private const string Topic = "flights";
    private const string Group = "g";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Keyed_members_that_are_killed_keep_the_order_of_each_key_and_miss_nothing()
    {
        var random = Scenario.NewRandom();
        var flights = RealData.Flights(3000);

        // The order holds for members that die. One that is only slow, or a coordinator that is replaced, may deliver once more:
        // on a machine that is busy too, nobody shall be taken for dead who is not.
        await using var cluster = await TestCluster.StartAsync(new TestClusterOptions { Brokers = 1, AreIndependent = true });
        await using var client = await cluster.ConnectAsync();
        await PublishAsync(client, flights, partitions: 2);
        await client.Admin.CreateGroupAsync(Group, MissedAfter(GroupMode.Keyed, TimeSpan.FromSeconds(10)), Token);
        using var members = new Members(cluster, 6);
        for (var kill = 0; kill < 8; kill++)
        {
            var progress = members.Lines + 50 + random.Next(200);
            await cluster.EventuallyAsync($"before kill {kill}", () => members.Lines >= Math.Min(progress, flights.Count));
            members.Kill(random.Next(6));
        }

        await DoneAsync(cluster, client, flights.Count);
        await members.StopAsync();

        // Whoever prints writes to the end of the one file before it acknowledges: lines stand in the order of deliveries.
        var lines = members.Read();
        Assert.Equal(flights.Count, lines.Select(static line => (line.Partition, line.Offset)).Distinct().Count());
        foreach (var key in lines.GroupBy(static line => line.Key))
        {
            var offsets = key.Select(static line => line.Offset).ToList();
            Assert.Equal(offsets.Order(), offsets);
        }
    }

    [Fact]
    public async Task Stream_members_go_on_where_others_stopped_when_members_and_brokers_are_killed()
    {
        var random = Scenario.NewRandom();
        var flights = RealData.Flights(4000);
        await using var cluster = await TestCluster.StartAsync();
        await using var client = await cluster.ConnectAsync();
        await PublishAsync(client, flights, partitions: 6);
        await client.Admin.CreateGroupAsync(Group, MissedAfter(GroupMode.Stream, TimeSpan.FromSeconds(1.5)), Token);
        using var members = new Members(cluster, 3);
        for (var kill = 0; kill < 3; kill++)
        {
            var progress = Math.Min(members.Lines + 300, flights.Count);
            await cluster.EventuallyAsync($"before kill {kill}", () => members.Lines >= progress);
            members.Kill(random.Next(3));
            var broker = cluster[1 + random.Next(3)];
            broker.Kill();
            broker.Start();
            await cluster.ServesAsync();
        }

        await DoneAsync(cluster, client, flights.Count);
        await members.StopAsync();
        Assert.Equal(flights.Count, members.Read().Select(static line => (line.Partition, line.Offset)).Distinct().Count());
    }

    /// <summary>Times that fit a test, and how long a member is silent before it counts as dead.</summary>
    private static GroupSpec MissedAfter(GroupMode mode, TimeSpan silence) => new()
    {
        Mode = mode,
        Topics = [Topic],
        Configs = new Dictionary<string, string?>
        {
            ["session.timeout.ms"] = $"{silence.TotalMilliseconds:0}",
            ["heartbeat.interval.ms"] = "300",
            ["lock.ms"] = "20000",
            ["max.deliveries"] = "1000",
            ["retry.backoff.ms"] = "10",
        },
    };

    private static async Task PublishAsync(WeirClient client, IReadOnlyList<(string Key, string Value)> records, int partitions)
    {
        await client.Admin.CreateTopicAsync(Topic, new TopicSpec { Partitions = partitions }, Token);
        await using var producer = client.CreateProducer(Topic, Serializers.Utf8, Serializers.Utf8);
        await Task.WhenAll(records.Select(record => producer.SendAsync(record.Key, record.Value, ct: Token).AsTask()));
    }

    private static Task DoneAsync(TestCluster cluster, WeirClient client, int records) => cluster.EventuallyAsync(
        "everything is acknowledged",
        async token =>
        {
            var group = await client.Admin.DescribeGroupAsync(Group, token);
            return group.Partitions.All(static partition => partition.Lag == 0)
                && group.Partitions.Sum(static partition => partition.Committed ?? 0) == records;
        },
        TimeSpan.FromSeconds(120));

    private sealed record Line(int Partition, long Offset, string Key);

    /// <summary>Processes that print to the end of one file. One that is killed is replaced.</summary>
    private sealed class Members : IDisposable
    {
        private readonly TestCluster _cluster;
        private readonly string _file = Path.GetTempFileName();
        private readonly List<WeirProcess> _processes = [];

        public Members(TestCluster cluster, int count)
        {
            _cluster = cluster;
            for (var i = 0; i < count; i++)
            {
                _processes.Add(Start());
            }
        }

        public int Lines => File.ReadLines(_file).Count();

        public void Kill(int index)
        {
            ProcessSignals.Send(_processes[index].Id, ProcessSignals.Kill);
            _processes[index].Dispose();
            _processes[index] = Start();
        }

        public async Task StopAsync()
        {
            foreach (var process in _processes)
            {
                ProcessSignals.Send(process.Id, ProcessSignals.Interrupt);
                await process.WaitAsync();
            }
        }

        public List<Line> Read() =>
        [
            .. File.ReadLines(_file).Select(static line =>
            {
                using var json = JsonDocument.Parse(line);
                var root = json.RootElement;
                return new Line(
                    root.GetProperty("partition").GetInt32(), root.GetProperty("offset").GetInt64(), root.GetProperty("key").GetString()!);
            }),
        ];

        public void Dispose()
        {
            _processes.ForEach(static process => process.Dispose());
            File.Delete(_file);
        }

        private WeirProcess Start() => WeirProcess.StartUnder(
            "sh", ["-c", $"exec \"$0\" \"$@\" >> {_file}"], "consume", Topic, "--group", Group, "--output", "json", "--server",
            _cluster.Servers);
    }
}
