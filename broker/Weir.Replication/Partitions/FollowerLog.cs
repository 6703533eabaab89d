using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Replication.Partitions;

/// <summary>
/// Brings a follower's log to its leader's: cuts where the histories part, appends what comes as the leader stamped it, moves
/// the start. Used under the replica's lock.
/// </summary>
internal sealed class FollowerLog(PartitionLog log, IReplicaHost host, OmittedReplicationRules omits)
{
    /// <summary>Takes what a fetch brought.</summary>
    /// <returns>Whether the log changed, so that there is something to acknowledge.</returns>
    public bool Take(FetchedPartition fetched, ReadOnlyMemory<byte> records, int leaderEpoch, ref long highWatermark)
    {
        if (fetched.Error == ErrorCode.OffsetOutOfRange)
        {
            ReplicationEvents.Reset(host.Logger, log.Identity.ToString(), log.LogEndOffset, fetched.LogStartOffset);
            ResetTo(fetched.LogStartOffset, ref highWatermark);
            return true;
        }

        if (fetched.Error != ErrorCode.None)
        {
            return false;
        }

        var changed = fetched.DivergingEndOffset >= 0
            ? Truncate(fetched, leaderEpoch, ref highWatermark)
            : Append(records, fetched.LogStartOffset);
        Follow(fetched, ref highWatermark);
        return changed;
    }

    private bool Truncate(FetchedPartition fetched, int leaderEpoch, ref long highWatermark)
    {
        var own = log.FindEpochEnd(fetched.DivergingEpoch);
        var target = own.LeaderEpoch == fetched.DivergingEpoch
            ? Math.Min(own.EndOffset, fetched.DivergingEndOffset)
            : own.EndOffset;
        if (omits.HasFlag(OmittedReplicationRules.TruncateByEpoch))
        {
            target = Math.Min(highWatermark, fetched.DivergingEndOffset);
        }

        ReplicationEvents.Truncated(host.Logger, log.Identity.ToString(), log.LogEndOffset, target, leaderEpoch);
        if (fetched.DivergingEpoch < 0 || target < log.LogStartOffset)
        {
            ResetTo(Math.Min(target, fetched.DivergingEndOffset), ref highWatermark);
            return true;
        }

        log.TruncateTo(target);
        Volatile.Write(ref highWatermark, Math.Min(highWatermark, log.LogEndOffset));
        return true;
    }

    private void ResetTo(long offset, ref long highWatermark)
    {
        log.ResetTo(offset);
        Volatile.Write(ref highWatermark, offset);
    }

    private bool Append(ReadOnlyMemory<byte> records, long leaderStart)
    {
        var changed = false;
        while (records.Length >= RecordBatchHeader.Size && RecordBatchHeader.ReadLength(records.Span) <= records.Length)
        {
            var batch = records[..(int)RecordBatchHeader.ReadLength(records.Span)];
            records = records[batch.Length..];
            if (!TryReadHeader(batch.Span, out var header))
            {
                ReplicationEvents.DamagedFetch(host.Logger, log.Identity.ToString(), log.LogEndOffset);
                return changed;
            }

            if (header.BaseOffset <= leaderStart && leaderStart < header.NextOffset && header.BaseOffset != log.LogEndOffset
                && log.LogStartOffset == log.LogEndOffset)
            {
                // The leader's log starts within a batch: the whole of it comes.
                log.ResetTo(header.BaseOffset);
            }

            if (header.BaseOffset < log.LogEndOffset && log.LogEndOffset < header.NextOffset)
            {
                // Compaction has joined the leader's batches over the end of this log.
                if (!TryTrim(ref batch, ref header))
                {
                    ReplicationEvents.DamagedFetch(host.Logger, log.Identity.ToString(), log.LogEndOffset);
                    return changed;
                }
            }

            var outcome = log.AppendReplica(batch.Span, header);
            if (outcome.Code != ErrorCode.None)
            {
                return changed;
            }

            changed = true;
        }

        return changed;
    }

    /// <summary>Leaves of a batch what the log does not have; false if its records cannot be read.</summary>
    private bool TryTrim(ref ReadOnlyMemory<byte> batch, ref RecordBatchHeader header)
    {
        try
        {
            batch = CompactedBatchBuilder.TrimTo(batch, header, log.LogEndOffset);
            return RecordBatchHeader.TryRead(batch.Span, out header, out _);
        }
        catch (ProtocolException)
        {
            return false;
        }
    }

    private bool TryReadHeader(ReadOnlySpan<byte> batch, out RecordBatchHeader header) =>
        RecordBatchHeader.TryRead(batch, out header, out _)
            && (RecordBatchHeader.HasValidChecksum(batch) || omits.HasFlag(OmittedReplicationRules.VerifyFetched));

    private void Follow(FetchedPartition fetched, ref long highWatermark)
    {
        var known = Math.Min(fetched.HighWatermark, log.LogEndOffset);
        if (known > highWatermark)
        {
            Volatile.Write(ref highWatermark, known);
        }

        var start = Math.Min(fetched.LogStartOffset, log.DurableOffset);
        if (start > log.LogStartOffset && log.State == LogState.Online)
        {
            log.DeleteRecords(start);
        }
    }
}
