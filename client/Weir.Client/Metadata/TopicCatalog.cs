using System.Collections.Concurrent;
using Weir.Client.Connections;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Metadata;

/// <summary>What is known of topics, asked for once and again after an error says that it is out of date. Thread-safe.</summary>
internal sealed class TopicCatalog(ClusterConnections cluster)
{
    /// <summary>Topics whose metadata is kept; over it the catalog starts anew.</summary>
    private const int MaxTopics = 10_000;

    private readonly ConcurrentDictionary<string, TopicSnapshot> _topics = new(StringComparer.Ordinal);

    /// <summary>The topic as known, or asked for.</summary>
    /// <exception cref="WeirException"><see cref="ErrorCode.UnknownTopic"/>, or no broker answered in time.</exception>
    public ValueTask<TopicSnapshot> GetAsync(string topic, CancellationToken ct) =>
        _topics.TryGetValue(topic, out var known)
            ? new ValueTask<TopicSnapshot>(known)
            : new ValueTask<TopicSnapshot>(RefreshAsync(topic, ct));

    /// <summary>Asks a broker now.</summary>
    public async Task<TopicSnapshot> RefreshAsync(string topic, CancellationToken ct)
    {
        BrokerConnection? asked = null;
        var reply = await cluster.RequestAsync<MetadataRequest, MetadataResponse>(
            async token => asked = await cluster.GetAnyAsync(token).ConfigureAwait(false),
            new MetadataRequest { Topics = [topic] }, isRepeatable: true, ct).ConfigureAwait(false);
        cluster.Learn(reply.Brokers);
        var info = reply.Topics.FirstOrDefault(found => found.Name == topic);
        if (info is null || info.Error != ErrorCode.None || info.Partitions.Length == 0)
        {
            _topics.TryRemove(topic, out _);
            var code = info is null || info.Error == ErrorCode.None ? ErrorCode.UnknownTopic : info.Error;
            throw new WeirException(code, $"{code}: the broker at {asked!.Address} has no topic {topic}") { Topic = topic };
        }

        if (_topics.Count >= MaxTopics)
        {
            _topics.Clear();
        }

        return _topics[topic] = new TopicSnapshot(info, asked!.Hello.MaxFrameBytes);
    }

    /// <summary>Forgets a topic that was deleted or changed.</summary>
    public void Forget(string topic) => _topics.TryRemove(topic, out _);

    /// <summary>The connection to a partition's leader, after at most one attempt.</summary>
    public ValueTask<BrokerConnection> GetLeaderAsync(TopicSnapshot topic, int partition, CancellationToken ct)
    {
        var leader = topic.Leaders[partition];
        return leader >= 0
            ? cluster.GetNodeAsync(leader, ct)
            : throw WeirException.At(ErrorCode.NotLeader, "the partition has no leader now", topic.Name, partition);
    }
}
