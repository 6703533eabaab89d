using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;
using Weir.Replication;
using Weir.Replication.Partitions;
using Weir.Server.Partitions;
using Weir.Server.Transport;
using Weir.Storage;

namespace Weir.Server.Handlers;

/// <summary>
/// Appends a batch and answers when it has settled. The header and checksum are checked, and the framing of uncompressed
/// records; the payload is copied once, into the log's tail.
/// </summary>
internal sealed class ProduceHandler(
    BrokerContext broker, PartitionTable partitions, BrokerReplicas replicas, FlushLoop flush) : IOrderedHandler
{
    public ApiKey Api => ApiKey.Produce;

    public ValueTask HandleAsync(Connection connection, FrameHeader header, ReadOnlyMemory<byte> body)
    {
        var request = WireReader.ReadAll<ProduceRequest>(body, header.Version);
        if (request.Acks > Acks.All || (request.Acks == Acks.None) != (header.Kind == FrameKind.Push))
        {
            throw new ProtocolException(ErrorCode.InvalidRequest, $"acks {request.Acks} does not go with a {header.Kind}");
        }

        var partition = partitions.GetLed(request.TopicId, request.Partition);
        var batch = Verify(request, partition);
        ProduceRules.Check(partition.Replica.Topic, request, batch, connection.PeerNodeId is not null);
        var outcome = partition.Replica.Append(request.Batch.Span, batch, request.Acks, broker.NowMs);
        return outcome.Code == ErrorCode.Throttled
            ? RetryAsync(connection, header, request, partition, batch)
            : Finish(connection, header, request.Acks, partition, request.Batch.Length, outcome);
    }

    private static RecordBatchHeader Verify(ProduceRequest request, Partition partition)
    {
        var batch = RecordBatchHeader.Verify(request.Batch.Span);
        if (batch.TopicId != request.TopicId || batch.Partition != request.Partition)
        {
            throw new ProtocolException(ErrorCode.CorruptBatch, "the batch names another topic or partition");
        }

        if (batch.IsCompacted)
        {
            throw new ProtocolException(ErrorCode.InvalidBatch, "compacted batches are written by brokers alone");
        }

        if (batch.LastOffsetDelta != batch.RecordCount - 1)
        {
            throw new ProtocolException(ErrorCode.InvalidBatch, "a produced batch has no gaps between its offsets");
        }

        if (batch.Length > partition.Log.Options.MaxBatchBytes || batch.UncompressedBytes > partition.Log.Options.MaxBatchBytes)
        {
            throw new ProtocolException(
                ErrorCode.BatchTooLarge,
                $"batch of {batch.Length} bytes, {batch.UncompressedBytes} uncompressed, is over the topic's "
                    + $"max.batch.bytes of {partition.Log.Options.MaxBatchBytes}");
        }

        switch (batch.Compression)
        {
            case CompressionType.None:
                RecordReader.CheckFraming(request.Batch.Span[RecordBatchHeader.Size..], batch.RecordCount);
                break;
            case CompressionType.Lz4 or CompressionType.Zstd:
                break;
            default:
                throw new ProtocolException(
                    ErrorCode.UnsupportedCompression, $"codec {(byte)batch.Compression} is not known");
        }

        return batch;
    }

    /// <summary>
    /// Waits for room in memory and tries again. The receive loop waits with it, so the client's next bytes stay in the
    /// socket and the batch stays in the receive buffer.
    /// </summary>
    private async ValueTask RetryAsync(
        Connection connection, FrameHeader header, ProduceRequest request, Partition partition, RecordBatchHeader batch)
    {
        AppendOutcome outcome;
        do
        {
            await broker.FlushProgress.WaitAsync().ConfigureAwait(false);
            outcome = partition.Replica.Append(request.Batch.Span, batch, request.Acks, broker.NowMs);
        }
        while (outcome.Code == ErrorCode.Throttled && !connection.IsClosed);

        await Finish(connection, header, request.Acks, partition, request.Batch.Length, outcome).ConfigureAwait(false);
    }

    private ValueTask Finish(
        Connection connection, in FrameHeader header, Acks acks, Partition partition, int batchBytes, in AppendOutcome outcome)
    {
        if (outcome.Code != ErrorCode.None)
        {
            if (acks != Acks.None)
            {
                connection.ReplyError(
                    header.Api, header.Version, header.CorrelationId, outcome.Code, Describe(partition, outcome.Code));
            }

            return ValueTask.CompletedTask;
        }

        if (acks != Acks.None)
        {
            var durability = acks == Acks.All ? partition.Log.Options.Durability : Durability.Leader;
            connection.ProduceStarted(batchBytes);
            partition.Replica.Await(
                new PendingAck(
                    connection, header.CorrelationId, outcome, durability, batchBytes, broker.Time.GetTimestamp()),
                acks);
        }

        flush.Signal(partition.Log);
        replicas.OnAppended(partition.Replica);
        return ValueTask.CompletedTask;
    }

    private static string Describe(Partition partition, ErrorCode code) => partition.Log.StateReason.Length > 0
        ? $"{partition.Topic}-{partition.Index}: {partition.Log.StateReason}"
        : $"{partition.Topic}-{partition.Index}: {ErrorCatalog.Get(code).Advice}";
}
