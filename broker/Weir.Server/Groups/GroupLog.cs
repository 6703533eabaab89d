using Weir.Groups;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Replication;
using Weir.Server.Partitions;
using Weir.Storage;

namespace Weir.Server.Groups;

/// <summary>The groups' log under one leadership: once that has passed, it takes nothing more. One caller at a time.</summary>
internal sealed class GroupLog(
    BrokerContext broker, Partition partition, int leaderEpoch, BrokerReplicas replicas, FlushLoop flush) : IGroupLog, IDisposable
{
    private const int MaxBatchBytes = 2 * 1024 * 1024;
    private readonly RecordBatchBuilder _builder = new(MaxBatchBytes);

    public long EndOffset => partition.Log.LogEndOffset;

    public long Append(IReadOnlyList<byte[]> values)
    {
        var now = broker.NowMs;
        _builder.Reset();
        foreach (var value in values)
        {
            if (!_builder.TryAdd(now, default, hasKey: false, value, hasValue: true, default))
            {
                throw new InvalidOperationException($"{values.Count} records for the groups' log are over {MaxBatchBytes} bytes");
            }
        }

        var log = partition.Log;
        var batch = _builder.Seal(log.Identity.TopicId, log.Identity.Partition, BatchProducer.None);
        var outcome = partition.Replica.Append(
            batch.Span, RecordBatchHeader.Verify(batch.Span), Acks.All, now, leaderEpoch);
        if (outcome.Code != ErrorCode.None)
        {
            return -1;
        }

        flush.Signal(log);
        replicas.OnAppended(partition.Replica);
        return outcome.NextOffset;
    }

    public void DeleteBefore(long offset) => Task.Run(() =>
    {
        try
        {
            partition.Log.DeleteRecords(Math.Min(offset, Math.Min(partition.HighWatermark, partition.Log.DurableOffset)));
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            Diagnostics.ServerLog.RetentionFailed(broker.Logger, e, partition.Topic, partition.Index);
        }
    });

    public void Dispose() => _builder.Dispose();
}
