using Weir.Protocol.Errors;

namespace Weir.Groups.Queue;

/// <summary>
/// Reads the partitions of a queue: on behind what was read, within a bound of memory, and back for records that were read
/// before and are wanted again. One thread.
/// </summary>
internal sealed class QueueReader(QueueWork work, Action onRead)
{
    /// <summary>Bytes in memory per partition over which no more is read; a read may go over it once.</summary>
    private const long MaxBufferedBytes = 4 * 1024 * 1024;

    /// <summary>Records of a partition that wait for an earlier one of their key, over which no more is read.</summary>
    private const long MaxLater = 1_000_000;

    private const int ReadOnBytes = 512 * 1024;
    private const int ReadBackBytes = 64 * 1024;
    private const int RetryMs = 200;

    /// <summary>Records are read again so long before their time.</summary>
    private const int AheadMs = 500;

    private long _notBeforeMs;

    /// <summary>Starts the reads that there is room for.</summary>
    public void Read(QueuePartition partition)
    {
        if (partition.Settled is null || work.Context.NowMs < _notBeforeMs)
        {
            return;
        }

        ReadBack(partition);
        if (!partition.IsReadingOn && partition.BufferedBytes < MaxBufferedBytes && partition.Keys.LaterCount < MaxLater
            && work.Members.Count > 0 && !work.Settings.IsPaused)
        {
            partition.IsReadingOn = true;
            var generation = partition.Generation;
            work.Context.Read(partition.Identity, partition.ReadOffset, ReadOnBytes, outcome =>
            {
                if (generation == partition.Generation)
                {
                    partition.IsReadingOn = false;
                    TakeNew(partition, outcome);
                    onRead();
                }
            });
        }
    }

    private void ReadBack(QueuePartition partition)
    {
        if (partition.IsReadingBack)
        {
            return;
        }

        long first;
        var last = long.MaxValue;
        if (partition.Wanted.Count > 0)
        {
            first = partition.Wanted.Min;
        }
        else if (!partition.Waiting.TryTakePiece(work.Context.WallClockMs + AheadMs, out first, out last))
        {
            return;
        }

        partition.IsReadingBack = true;
        ReadBack(partition, first, last);
    }

    private void ReadBack(QueuePartition partition, long first, long last)
    {
        var generation = partition.Generation;
        work.Context.Read(partition.Identity, first, ReadBackBytes, outcome =>
        {
            if (generation != partition.Generation)
            {
                return;
            }

            if (outcome.Error == ErrorCode.OffsetOutOfRange && outcome.LogStartOffset > first)
            {
                Skip(partition, outcome.LogStartOffset);
            }
            else if (!Check(partition, outcome))
            {
                partition.IsReadingBack = false;
                partition.Wanted.Add(first);
                return;
            }

            var next = RecordScan.Walk(outcome.Batches, (in ScannedRecord record) => TakeAgain(partition, record, first, last));
            SettleMissing(partition, first, next);
            partition.IsReadingBack = false;
            if (last != long.MaxValue && next >= 0 && next <= last)
            {
                partition.IsReadingBack = true;
                ReadBack(partition, next, last);
            }

            onRead();
        });
    }

    private void TakeNew(QueuePartition partition, ReadOutcome outcome)
    {
        if (outcome.Error == ErrorCode.OffsetOutOfRange && outcome.LogStartOffset > partition.ReadOffset)
        {
            Skip(partition, outcome.LogStartOffset);
            return;
        }

        if (!Check(partition, outcome))
        {
            return;
        }

        var gaps = new List<OffsetRange>();
        var expected = partition.ReadOffset;
        var next = RecordScan.Walk(outcome.Batches, (in ScannedRecord record) =>
        {
            if (record.Offset >= expected)
            {
                AddGap(gaps, expected, record.Offset - 1);
                expected = record.Offset + 1;
                Take(partition, record, mayDefer: true);
            }
        });
        AddGap(gaps, expected, next - 1);
        partition.ReadOffset = Math.Max(partition.ReadOffset, next);
        if (gaps.Count > 0)
        {
            work.Settle(partition.Identity, gaps);
        }
    }

    /// <summary>Where compaction left no record there is nothing to do.</summary>
    private static void AddGap(List<OffsetRange> gaps, long first, long last)
    {
        if (first <= last)
        {
            gaps.Add(new OffsetRange { First = first, Last = last });
        }
    }

    private void TakeAgain(QueuePartition partition, in ScannedRecord record, long first, long last)
    {
        var isWanted = partition.Wanted.Remove(record.Offset);
        if (isWanted && partition.Doomed.Contains(record.Offset))
        {
            partition.Keep(record.Offset, ToBuffered(record));
        }
        else if (isWanted && partition.IsIdle(record.Offset))
        {
            partition.Keep(record.Offset, ToBuffered(record));
            if (partition.Absent.Remove(record.Offset))
            {
                partition.Ready.Enqueue(record.Offset);
            }
        }
        else if (!isWanted && last != long.MaxValue && record.Offset >= first && record.Offset <= last
            && partition.IsIdle(record.Offset) && !partition.Buffer.ContainsKey(record.Offset) && !partition.Absent.Contains(record.Offset)
            && (!work.IsKeyed || record.Key.IsNone || partition.Keys.IsCurrent(record.Key, record.Offset)))
        {
            Take(partition, record, mayDefer: false);
        }
    }

    /// <summary>Decides what a record that is not under way has to wait for.</summary>
    private void Take(QueuePartition partition, in ScannedRecord record, bool mayDefer)
    {
        if (partition.DeadLetters.ContainsKey(record.Offset) && work.IsKeyed && !record.Key.IsNone)
        {
            // Its key's later records wait until it is where it goes.
            partition.Keys.TryTake(record.Key, record.Offset, dueMs: 0);
        }

        if (!partition.IsIdle(record.Offset))
        {
            return;
        }

        var failed = partition.Failed.GetValueOrDefault(record.Offset);
        var dueMs = Math.Max(failed?.DueMs ?? 0, record.DeliverAtMs);
        var key = work.IsKeyed ? record.Key : KeyHash.None;
        if (!key.IsNone && !partition.Keys.TryTake(key, record.Offset, dueMs))
        {
            if (partition.BufferedBytes < MaxBufferedBytes / 2)
            {
                partition.Keep(record.Offset, ToBuffered(record));
            }
        }
        else if (failed is { IsDoomed: true })
        {
            partition.Keep(record.Offset, ToBuffered(record));
            QueueWork.Condemn(partition, record.Offset);
        }
        else if (dueMs <= work.Context.WallClockMs)
        {
            partition.Keep(record.Offset, ToBuffered(record));
            partition.Ready.Enqueue(record.Offset);
        }
        else if (dueMs == FailedRecord.Blocked)
        {
            // It waits until an operator acts; its key is taken.
        }
        else if (mayDefer && !partition.Waiting.HasRoom)
        {
            partition.Waiting.Defer(record.Offset, dueMs);
        }
        else
        {
            partition.Waiting.Add(record.Offset, dueMs);
        }
    }

    /// <summary>What was wanted and is not there any more was compacted away.</summary>
    private void SettleMissing(QueuePartition partition, long first, long next)
    {
        var gone = partition.Wanted.GetViewBetween(first, Math.Max(first, next - 1)).ToList();
        if (next < 0 || gone.Count == 0)
        {
            return;
        }

        foreach (var offset in gone)
        {
            partition.Wanted.Remove(offset);
            partition.Absent.Remove(offset);
            partition.Doomed.Remove(offset);
        }

        work.Settle(partition.Identity, [.. gone.Select(static offset => new OffsetRange { First = offset, Last = offset })]);
    }

    /// <summary>Retention has deleted records that were not done.</summary>
    private void Skip(QueuePartition partition, long logStart)
    {
        var floor = partition.Settled!.Floor;
        if (logStart <= floor)
        {
            return;
        }

        CoordinationEvents.RecordsGone(work.Context.Logger, work.Declaration.Name, partition.Identity.ToString(), floor, logStart - 1);
        work.Settle(partition.Identity, [new OffsetRange { First = floor, Last = logStart - 1 }]);
        foreach (var offset in partition.Wanted.Where(offset => offset < logStart).ToList())
        {
            partition.Wanted.Remove(offset);
            partition.Absent.Remove(offset);
            partition.Doomed.Remove(offset);
        }

        partition.ReadOffset = Math.Max(partition.ReadOffset, logStart);
    }

    private bool Check(QueuePartition partition, ReadOutcome outcome)
    {
        if (outcome.Error == ErrorCode.None)
        {
            return true;
        }

        CoordinationEvents.ReadFailed(work.Context.Logger, work.Declaration.Name, partition.Identity.ToString(), outcome.Error);
        _notBeforeMs = work.Context.NowMs + RetryMs;
        return false;
    }

    private BufferedRecord ToBuffered(in ScannedRecord record) =>
        new(work.IsKeyed ? record.Key : KeyHash.None, record.TimestampMs, record.Fields.ToArray());
}
