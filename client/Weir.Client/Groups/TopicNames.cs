using Weir.Client.Connections;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Groups;

/// <summary>Names of topics by their ids, asked for when one is new. Thread-safe.</summary>
internal sealed class TopicNames(ClusterConnections cluster)
{
    private volatile Dictionary<Guid, string> _names = [];

    /// <summary>The name; asks the cluster if it is not known.</summary>
    /// <exception cref="WeirException">There is no such topic, or no broker answers.</exception>
    public async ValueTask<string> GetAsync(Guid topicId, CancellationToken ct)
    {
        if (_names.TryGetValue(topicId, out var name))
        {
            return name;
        }

        var metadata = await cluster.RequestAnyAsync<MetadataRequest, MetadataResponse>(
            new MetadataRequest { AllTopics = true }, isRepeatable: true, ct).ConfigureAwait(false);
        cluster.Learn(metadata.Brokers);
        _names = metadata.Topics.ToDictionary(static topic => topic.TopicId, static topic => topic.Name);
        return _names.TryGetValue(topicId, out name)
            ? name
            : throw new WeirException(ErrorCode.UnknownTopic, $"topic {topicId} does not exist");
    }
}
