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

        var snapshot = new TopicSnapshot(info, asked!.Hello.MaxFrameBytes);
        return _topics.AddOrUpdate(
            topic,
            static (_, found) => found,
            static (_, known, found) =>
            {
                found.KeepLaterLeaders(known);
                return found;
            },
            snapshot);
    }

    /// <summary>Forgets a topic that was deleted or changed.</summary>
    public void Forget(string topic) => _topics.TryRemove(topic, out _);

    /// <summary>
    /// The connection to a partition's leader, after at most one attempt. A leader that does not answer soon is not waited for:
    /// another one may have been elected.
    /// </summary>
    /// <exception cref="WeirException">There is no leader, or it cannot be reached; ask a broker again.</exception>
    public async ValueTask<BrokerConnection> GetLeaderAsync(TopicSnapshot topic, int partition, CancellationToken ct)
    {
        var leader = topic.Leaders[partition];
        if (leader < 0)
        {
            throw WeirException.At(ErrorCode.LeaderNotAvailable, "the partition has no leader now", topic.Name, partition);
        }

        if (cluster.OpenNode(leader) is { } open)
        {
            return open;
        }

        try
        {
            return await cluster.GetNodeAsync(leader, ct).AsTask()
                .WaitAsync(cluster.Options.Patience, cluster.Time, ct).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw WeirException.At(
                ErrorCode.ConnectionLost, $"node {leader} does not answer", topic.Name, partition, inner: e);
        }
    }
}
