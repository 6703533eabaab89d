using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Weir.Client;
using Weir.Cluster.Tests.Harness;
using Xunit;

namespace Weir.Cluster.Tests.Scenarios;

/// <summary>How clients reach the brokers of a cluster.</summary>
public sealed class ClientScenarios
{
    private const int Partitions = 6;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Client_that_can_reach_one_broker_only_uses_all_of_them_through_it()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var log = new ConnectionLog();
        await using var client = await cluster.ConnectAsync(1, options =>
        {
            options.ThroughServers = true;
            options.LoggerFactory = log;
        });
        await client.Admin.CreateTopicAsync("t", new TopicSpec { Partitions = Partitions, ReplicationFactor = 3 }, Token);
        await using var producer = client.CreateProducer("t");
        for (var i = 0; i < 10 * Partitions; i++)
        {
            await producer.SendAsync(new OutgoingRecord { Partition = i % Partitions, Value = new byte[10] }, Token);
        }

        var read = 0;
        await using var consumer = client.CreateConsumer("t", new ConsumerOptions { StopAtEnd = true });
        await foreach (var record in consumer.ReadAllAsync(Token))
        {
            read++;
        }

        Assert.Equal(10 * Partitions, read);
        Assert.True(log.Connected.Select(static line => line.NodeId).Distinct().Count() > 1, "only one broker was needed");
        Assert.All(log.Connected, line => Assert.Equal(cluster[1].Address, line.Address));
    }

    [Fact]
    public async Task Client_finds_its_cluster_while_the_first_servers_of_its_list_are_down()
    {
        await using var cluster = await TestCluster.StartAsync();
        cluster.Kill(1);
        await using var client = await cluster.ConnectAsync();
        await client.Admin.CreateTopicAsync("t", new TopicSpec { ReplicationFactor = 3 }, Token);
        await using var producer = client.CreateProducer("t");
        await producer.SendAsync(new OutgoingRecord { Value = new byte[10] }, Token);
    }

    /// <summary>Keeps which connections a client made.</summary>
    private sealed class ConnectionLog : ILoggerFactory, ILogger
    {
        public ConcurrentQueue<(string Address, int NodeId)> Connected { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (state is IReadOnlyList<KeyValuePair<string, object?>> values && eventId.Name == "Connected")
            {
                var named = values.ToDictionary(static pair => pair.Key, static pair => pair.Value);
                Connected.Enqueue(($"{named["Address"]}", (int)named["NodeId"]!));
            }
        }

        public void Dispose()
        {
        }
    }
}
