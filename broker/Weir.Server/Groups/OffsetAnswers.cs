using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Replication;
using Weir.Server.Handlers;
using Weir.Server.Partitions;
using Weir.Storage;

namespace Weir.Server.Groups;

/// <summary>Looks for offsets in partitions that this broker leads. Thread-safe.</summary>
internal sealed class OffsetAnswers(PartitionTable partitions, BrokerReplicas replicas)
{
    /// <summary>Answers a query; what cannot be answered is an answer with an error.</summary>
    public OffsetAnswer Answer(OffsetQuery query)
    {
        try
        {
            var partition = partitions.GetLed(query.TopicId, query.Partition);
            var value = query.Value;
            if (query.Position == StartPosition.Offset)
            {
                OffsetLookup.Resolve(partition, StartPosition.Latest, 0, partition.HighWatermark);
                value = Math.Clamp(value, partition.Log.LogStartOffset, Math.Max(partition.Log.LogStartOffset, partition.HighWatermark));
            }

            var offset = OffsetLookup.Resolve(partition, query.Position, value, partition.HighWatermark);
            var highWatermark = partition.HighWatermark;
            return new OffsetAnswer
            {
                LogStartOffset = partition.Log.LogStartOffset,
                HighWatermark = highWatermark,
                Offset = offset,
                AppendTimeMs = offset < highWatermark ? AppendTimeOf(partition, offset, highWatermark) : -1,
            };
        }
        catch (ProtocolException e)
        {
            return new OffsetAnswer { Error = e.Code };
        }
        catch (LogCorruptException)
        {
            return new OffsetAnswer { Error = ErrorCode.CorruptLog };
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            return new OffsetAnswer { Error = ErrorCode.NotLeader };
        }
    }

    private long AppendTimeOf(Partition partition, long offset, long highWatermark)
    {
        var batch = replicas.ReadCommitted(partition.Replica, offset, highWatermark, maxBytes: 1);
        return RecordBatchHeader.TryRead(batch.Span, out var header, out _) ? header.AppendTimeMs : -1;
    }
}
