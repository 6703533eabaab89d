using Weir.Groups;
using Weir.Metadata;
using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Replication;
using Weir.Server.Partitions;
using Weir.Storage;

namespace Weir.Server.Groups;

/// <summary>Reads committed batches for coordinators: here where this broker leads, else from the leader. Thread-safe.</summary>
internal sealed class CommittedReader(
    BrokerContext broker, int self, PartitionTable partitions, BrokerReplicas replicas, Func<MetadataImage> image,
    IPeerNetwork peers)
{
    private const int MaxBytes = 8 * 1024 * 1024;
    private const int RemoteWaitMs = 500;
    private const int RemoteTimeoutMs = 5000;
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Reads, and waits until there is something: data, or a fault that waiting does not mend.</summary>
    /// <param name="log">The partition.</param>
    /// <param name="offset">From the batch on that holds it.</param>
    /// <param name="maxBytes">Most bytes; one batch is always read.</param>
    /// <param name="cancellationToken">Ends the waiting, with an exception.</param>
    public async Task<ReadOutcome> ReadAsync(LogIdentity log, long offset, int maxBytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (FindFault(log) is { } fault)
            {
                return new ReadOutcome(fault, -1, -1, default);
            }

            var leader = image().Find(log.TopicId)!.Partitions[log.Partition].Leader;
            var outcome = leader == self
                ? await ReadHereAsync(log, offset, maxBytes, Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false)
                : leader >= 0
                    ? await ReadThereAsync(leader, log, offset, maxBytes).ConfigureAwait(false)
                    : new ReadOutcome(ErrorCode.LeaderNotAvailable, -1, -1, default);
            if (outcome.Error is ErrorCode.None or ErrorCode.OffsetOutOfRange)
            {
                if (outcome.Error != ErrorCode.None || !outcome.Batches.IsEmpty)
                {
                    return outcome;
                }
            }
            else
            {
                await Task.Delay(RetryInterval, broker.Time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Reads a partition that this broker leads; nothing if nothing comes within a time.</summary>
    public async Task<ReadOutcome> ReadHereAsync(
        LogIdentity log, long offset, int maxBytes, TimeSpan wait, CancellationToken cancellationToken)
    {
        if (partitions.Find(log.TopicId, log.Partition) is not { Replica.Role: Replication.Partitions.ReplicaRole.Leader } partition)
        {
            return new ReadOutcome(ErrorCode.NotLeader, -1, -1, default);
        }

        if (offset >= partition.HighWatermark && wait != TimeSpan.Zero)
        {
            var woken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (partition.TryWaitForRecords(offset, woken))
            {
                try
                {
                    await woken.Task.WaitAsync(wait, broker.Time, cancellationToken).ConfigureAwait(false);
                }
                catch (TimeoutException)
                {
                    // Then there is nothing, which is an answer too.
                }
                finally
                {
                    partition.StopWaiting(woken);
                }
            }
        }

        var start = partition.Log.LogStartOffset;
        var highWatermark = partition.HighWatermark;
        if (partition.Replica.Role != Replication.Partitions.ReplicaRole.Leader)
        {
            return new ReadOutcome(ErrorCode.NotLeader, -1, -1, default);
        }

        if (offset < start || (offset > highWatermark && partition.Replica.IsHighWatermarkCurrent))
        {
            return new ReadOutcome(ErrorCode.OffsetOutOfRange, start, highWatermark, default);
        }

        if (offset >= highWatermark)
        {
            return new ReadOutcome(ErrorCode.None, start, highWatermark, default);
        }

        try
        {
            var batches = replicas.ReadCommitted(partition.Replica, offset, highWatermark, Math.Clamp(maxBytes, 1, MaxBytes));
            return new ReadOutcome(ErrorCode.None, start, highWatermark, batches);
        }
        catch (LogCorruptException)
        {
            return new ReadOutcome(ErrorCode.CorruptLog, start, highWatermark, default);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            return new ReadOutcome(ErrorCode.NotLeader, start, highWatermark, default);
        }
    }

    private ErrorCode? FindFault(LogIdentity log)
    {
        var known = image();
        return known.Find(log.TopicId) is not { } topic
            ? ErrorCode.UnknownTopic
            : log.Partition >= topic.Partitions.Length ? ErrorCode.UnknownPartition : null;
    }

    private Task<ReadOutcome> ReadThereAsync(int leader, LogIdentity log, long offset, int maxBytes)
    {
        var done = new TaskCompletionSource<ReadOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        var request = new ReadCommittedRequest
        {
            TopicId = log.TopicId,
            Partition = log.Partition,
            Offset = offset,
            MaxBytes = maxBytes,
            MaxWaitMs = RemoteWaitMs,
        };

        // The reply's bytes are borrowed.
        peers.Send<ReadCommittedRequest, ReadCommittedResponse>(leader, request, RemoteTimeoutMs, reply => done.SetResult(
            reply.Response is { } response
                ? new ReadOutcome(response.Error, response.LogStartOffset, response.HighWatermark, response.Batches.ToArray())
                : new ReadOutcome(reply.Error, -1, -1, default)));
        return done.Task;
    }
}
