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

    private long _notBeforeMs;

    private long NearMs => work.Context.Options.NearMs;

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

    /// <summary>What waits and whose time has come may be delivered, what comes near is to be read.</summary>
    public void Wake(QueuePartition partition)
    {
        while (partition.Waiting.TryComeNear(work.Context.WallClockMs + NearMs, out var near))
        {
            partition.ComeNear(near);
        }

        while (partition.Waiting.TryTake(work.Context.WallClockMs, out var offset))
        {
            partition.EndWaiting(offset);
            if (partition.IsIdle(offset))
            {
                QueueWork.MakeReady(partition, offset);
            }
        }
    }

    private static long Next(SortedSet<long> offsets, long from)
    {
        var next = offsets.GetViewBetween(from, long.MaxValue).Min;
        return next >= from && offsets.Contains(next) ? next : offsets.Min;
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
            first = Next(partition.Wanted, partition.ReadBackOffset);
        }
        else if (partition.Near.Count > 0 && partition.HasRoomForEarly)
        {
            first = Next(partition.Near, partition.ReadBackOffset);
        }
        else if (!partition.Waiting.TryTakePiece(work.Context.WallClockMs + NearMs, out first, out last))
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

            var isPiece = last != long.MaxValue;
            var next = outcome.LogStartOffset;
            if (outcome.Error == ErrorCode.OffsetOutOfRange && next > first)
            {
                Skip(partition, next);
            }
            else if (Check(partition, outcome))
            {
                next = RecordScan.Walk(outcome.Batches, (in ScannedRecord record) => TakeAgain(partition, record, first, last));
                SettleMissing(partition, first, next);
            }
            else
            {
                partition.IsReadingBack = false;
                if (isPiece)
                {
                    partition.Waiting.EndPiece(work.Context.Options.Omits(OmittedGroupRules.PiecesToTheirEnd) ? last + 1 : first, last);
                }

                return;
            }

            partition.ReadBackOffset = Math.Max(next, first + 1);
            partition.IsReadingBack = isPiece && next <= last;
            if (partition.IsReadingBack)
            {
                ReadBack(partition, Math.Max(next, first + 1), last);
            }
            else if (isPiece)
            {
                partition.Waiting.EndPiece(next, last);
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
                Take(partition, record, isAgain: false);
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
        if (partition.HasRoomForEarly && partition.Near.Remove(record.Offset) && partition.IsIdle(record.Offset))
        {
            partition.KeepEarly(record.Offset, ToBuffered(record));
        }

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
            Take(partition, record, isAgain: true);
        }
    }

    /// <summary>Decides what a record that is not under way has to wait for.</summary>
    private void Take(QueuePartition partition, in ScannedRecord record, bool isAgain)
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
        if (!key.IsNone && !partition.Keys.TryTake(key, record.Offset, dueMs)
            && !work.Context.Options.Omits(OmittedGroupRules.KeysInOrder))
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
        else if (isAgain && dueMs > work.Context.WallClockMs + (2 * NearMs))
        {
            partition.Waiting.DeferAgain(record.Offset, dueMs);
        }
        else if (!isAgain && !partition.Waiting.HasRoom)
        {
            partition.Waiting.Defer(record.Offset, dueMs);
        }
        else
        {
            partition.Waiting.Add(record.Offset, dueMs);
            if (dueMs <= work.Context.WallClockMs + NearMs && partition.HasRoomForEarly)
            {
                partition.KeepEarly(record.Offset, ToBuffered(record));
            }
        }
    }

    /// <summary>What was wanted and is not there any more was compacted away.</summary>
    private void SettleMissing(QueuePartition partition, long first, long next)
    {
        if (next < 0)
        {
            return;
        }

        if (partition.HasRoomForEarly)
        {
            partition.Near.GetViewBetween(first, Math.Max(first, next - 1)).Clear();
        }

        var gone = partition.Wanted.GetViewBetween(first, Math.Max(first, next - 1)).ToList();
        if (gone.Count == 0)
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
