using Weir.Client.Connections;
using Weir.Client.Metadata;
using Weir.Protocol;
using Weir.Protocol.Messages;

namespace Weir.Client;

/// <summary>The latest record of a key: the state of an entity.</summary>
/// <param name="Partition">Its partition.</param>
/// <param name="Offset">Its offset.</param>
/// <param name="Timestamp">The producer's time.</param>
/// <param name="Value">Its value; null for a tombstone, which says that the entity was deleted.</param>
public sealed record LatestRecord(int Partition, long Offset, DateTimeOffset Timestamp, ReadOnlyMemory<byte>? Value)
{
    /// <summary>Whether the entity was deleted.</summary>
    public bool IsDeleted => Value is null;
}

/// <summary>Asks the leader of a key's partition for the key's latest record; again after a change of leader.</summary>
internal static class LatestLookup
{
    public static async Task<LatestRecord?> GetAsync(
        ClusterConnections cluster, TopicCatalog catalog, string topic, ReadOnlyMemory<byte> key, CancellationToken ct)
    {
        var request = new GetLatestRequest { RecordKey = key.ToArray() };
        var isRepeated = false;
        var reply = await cluster.RequestAsync<GetLatestRequest, GetLatestResponse>(
            async token =>
            {
                // Whatever failed, another broker may lead by now.
                var known = isRepeated
                    ? await catalog.RefreshAsync(topic, token).ConfigureAwait(false)
                    : await catalog.GetAsync(topic, token).ConfigureAwait(false);
                isRepeated = true;
                request.TopicId = known.Id;
                request.Partition = KeyPartitioner.Choose(request.RecordKey, known.Seed, known.KeyPartitions);
                return await catalog.GetLeaderAsync(known, request.Partition, token).ConfigureAwait(false);
            },
            request, isRepeatable: true, ct).ConfigureAwait(false);
        return reply.Offset < 0
            ? null
            : new LatestRecord(
                request.Partition, reply.Offset, DateTimeOffset.FromUnixTimeMilliseconds(reply.TimestampMs),
                reply.IsDeleted ? default(ReadOnlyMemory<byte>?) : reply.Value);
    }
}
