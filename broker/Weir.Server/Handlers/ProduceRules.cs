using System.Buffers;
using Weir.Metadata;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;

namespace Weir.Server.Handlers;

/// <summary>What a topic wants of those who publish to it. Stateless.</summary>
internal static class ProduceRules
{
    /// <summary>Insists that the sender may publish, and that the records are what the topic's kind wants.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="request">The request; its batch is verified, and within the topic's <c>max.batch.bytes</c>.</param>
    /// <param name="batch">The batch's header.</param>
    /// <param name="isBroker">Whether a broker of the cluster sends it.</param>
    /// <exception cref="ProtocolException">It is refused; its code says why.</exception>
    public static void Check(TopicImage topic, ProduceRequest request, in RecordBatchHeader batch, bool isBroker)
    {
        if (!isBroker && TopicName.IsInternal(topic.Name))
        {
            throw new ProtocolException(ErrorCode.NotAuthorized, $"topic '{topic.Name}' is the brokers' own: clients may only read it");
        }

        if (topic.Settings.Writer is { } writer && request.Writer != writer)
        {
            throw new ProtocolException(
                ErrorCode.NotTopicOwner,
                $"topic '{topic.Name}' is published to by '{writer}' alone, and this is "
                    + (request.Writer is { } other ? $"'{other}'" : "a producer without a name"));
        }

        if (topic.Kind == TopicKind.Entity)
        {
            RequireKeys(topic, request.Batch, batch);
        }
    }

    private static void RequireKeys(TopicImage topic, ReadOnlyMemory<byte> bytes, in RecordBatchHeader batch)
    {
        var records = BatchCompression.Decompress(bytes, batch, topic.Settings.MaxBatchBytes, out var pooled).Span;
        try
        {
            if (pooled is not null)
            {
                RecordReader.CheckFraming(records, batch.RecordCount);
            }

            for (int i = 0, position = 0; i < batch.RecordCount; i++)
            {
                var record = RecordReader.Read(records, position, batch.BaseTimestampMs);
                position = record.End;
                if (record.KeyLength < 0)
                {
                    throw new ProtocolException(
                        ErrorCode.UnkeyedRecord,
                        $"record {i} of the batch has no key: every record of entity topic '{topic.Name}' names its entity");
                }
            }
        }
        finally
        {
            if (pooled is not null)
            {
                ArrayPool<byte>.Shared.Return(pooled);
            }
        }
    }
}
