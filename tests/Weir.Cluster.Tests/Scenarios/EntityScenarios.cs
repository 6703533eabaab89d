using System.Text;
using System.Text.Json;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Weir.Protocol.Messages;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>Entities that are changed, deleted and restored by several clients, while brokers die and compaction runs.</summary>
public sealed class EntityScenarios
{
    private const string Topic = "airports";
    private const int Clients = 4;
    private const int ChangesPerKey = 8;
    private const int Kills = 3;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reading_anew_and_getting_single_keys_agree_with_what_was_acknowledged_last()
    {
        var random = Scenario.NewRandom();
        var airports = RealData.Airports(600);
        await using var cluster = await TestCluster.StartAsync(new TestClusterOptions
        {
            Settings = new Dictionary<string, string> { ["CompactionInterval"] = "00:00:00.2" },
        });
        await using var client = await cluster.ConnectAsync();
        await client.Admin.CreateTopicAsync(
            Topic,
            new TopicSpec
            {
                Kind = TopicKind.Entity,
                Partitions = 3,
                ReplicationFactor = 3,
                Configs = new Dictionary<string, string?>
                {
                    ["segment.bytes"] = "65536",
                    ["compaction.dirty.percent"] = "10",
                    ["tombstone.retention.ms"] = "500",
                },
            },
            Token);

        var done = 0L;
        var changing = Enumerable.Range(0, Clients).Select(share => ChangeAsync(
            cluster, [.. airports.Where((_, i) => i % Clients == share)], new SeededRandom(random.NextUInt64()), () => Interlocked.Increment(ref done))).ToList();
        for (var kill = 1; kill <= Kills; kill++)
        {
            var until = (long)airports.Count * ChangesPerKey * kill / (Kills + 1);
            await cluster.EventuallyAsync($"before kill {kill}", () => Interlocked.Read(ref done) >= until || changing.Any(static one => one.IsFaulted));
            var victim = cluster[1 + random.Next(3)];
            victim.Kill();
            victim.Start();
        }

        await cluster.EventuallyAsync(
            "compaction has run", () => cluster.DescribeOutput().Contains("Compaction of", StringComparison.Ordinal));
        var model = (await Task.WhenAll(changing)).SelectMany(static share => share).ToDictionary(static pair => pair.Key, static pair => pair.Value);
        await cluster.ServesAsync();
        Assert.Equal(
            model.Where(static pair => pair.Value is not null).ToDictionary(static pair => pair.Key, static pair => pair.Value),
            await ReadAnewAsync(cluster));
        foreach (var (key, value) in model)
        {
            var latest = await client.GetLatestAsync(Topic, Encoding.UTF8.GetBytes(key), Token);
            Assert.Equal(value, latest?.Value is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null);
        }

        await CompareCommandAsync(cluster, model.First(static pair => pair.Value is not null));
        await CompareCommandAsync(cluster, model.First(static pair => pair.Value is null));
    }

    /// <summary>Changes the keys of one client, several times each; gives the last value of each, null for deleted.</summary>
    private static async Task<Dictionary<string, string?>> ChangeAsync(
        TestCluster cluster, IReadOnlyList<(string Key, string Value)> airports, SeededRandom random, Action onDone)
    {
        var model = new Dictionary<string, string?>();
        await using var client = await cluster.ConnectAsync();
        await using var producer = client.CreateProducer(Topic, new ProducerOptions { DeliveryTimeout = TimeSpan.FromSeconds(60) });
        for (var round = 0; round < ChangesPerKey; round++)
        {
            var sends = new List<Task>();
            foreach (var (key, value) in airports)
            {
                var state = random.Chance(1, 3) ? null : $"{value} {round}";
                model[key] = state;
                sends.Add(SendAsync(producer, key, state, onDone));
            }

            await Task.WhenAll(sends);
        }

        return model;
    }

    private static async Task SendAsync(WeirProducer producer, string key, string? state, Action onDone)
    {
        await producer.SendAsync(
            new OutgoingRecord
            {
                Key = Encoding.UTF8.GetBytes(key),
                Value = state is null ? null : (ReadOnlyMemory<byte>?)Encoding.UTF8.GetBytes(state),
            },
            Token);
        onDone();
    }

    private static async Task<Dictionary<string, string?>> ReadAnewAsync(TestCluster cluster)
    {
        var read = new Dictionary<string, string?>();
        await using var client = await cluster.ConnectAsync();
        await using var consumer = client.CreateConsumer(Topic, new ConsumerOptions { StopAtEnd = true });
        await foreach (var record in consumer.ReadAllAsync(Token))
        {
            var key = Encoding.UTF8.GetString(record.Key!.Value.Span);
            if (record.Value is { } value)
            {
                read[key] = Encoding.UTF8.GetString(value.Span);
            }
            else
            {
                read.Remove(key);
            }
        }

        return read;
    }

    private static async Task CompareCommandAsync(TestCluster cluster, KeyValuePair<string, string?> entity)
    {
        var got = await WeirProcess.RunAsync("get", Topic, entity.Key, "--server", cluster.Servers, "--output", "json");
        Assert.Equal(entity.Value is null ? 1 : 0, got.ExitCode);
        if (entity.Value is not null)
        {
            Assert.Equal(entity.Value, JsonDocument.Parse(got.Output).RootElement.GetProperty("value").GetString());
        }
    }
}
