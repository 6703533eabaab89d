using Weir.Metadata.Control;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Replication.Fetching;
using Weir.Storage;

namespace Weir.Replication.Repair;

/// <summary>Gives a peer committed batches of a replica, leader or not, so that it can mend its own.</summary>
internal static class RangeReader
{
    private const int MaxBytes = 8 * 1024 * 1024;

    public static void Answer(
        BrokerReplicas replicas, FetchRangeRequest request, Action<FetchRangeResponse> reply, Refuse refuse)
    {
        var replica = replicas.Table.Find(new LogIdentity(request.TopicId, request.Partition));
        if (replica is null)
        {
            refuse(ErrorCode.UnknownPartition, $"partition {request.Partition} of topic {request.TopicId} is not here");
            return;
        }

        // What is above the high watermark may be cut off one day.
        var limit = Math.Min(request.ToOffset, replica.HighWatermark);
        if (request.FromOffset < replica.Log.LogStartOffset || request.FromOffset >= limit)
        {
            refuse(
                ErrorCode.OffsetOutOfRange,
                $"offset {request.FromOffset} is not in {replica.Log.LogStartOffset} to {replica.HighWatermark} here");
            return;
        }

        try
        {
            var buffer = new RecordBuffer(Math.Clamp(request.MaxBytes, 1, MaxBytes));
            var cursor = replica.Log.Locate(request.FromOffset);
            buffer.Append(replica.Log, ref cursor, limit, MaxBytes);
            reply(new FetchRangeResponse { HighWatermark = replica.HighWatermark, Records = buffer.Content });
        }
        catch (LogCorruptException e)
        {
            replicas.OnDamage(replica, e.Offset);
            refuse(ErrorCode.CorruptLog, e.Message);
        }
    }
}
