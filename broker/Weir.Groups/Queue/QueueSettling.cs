using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups.Queue;

/// <summary>What becomes of records that members hold: they are settled, their locks expire, their member is gone. One thread.</summary>
internal sealed class QueueSettling(QueueWork work)
{
    /// <summary>Settles what a member wants settled; says what is not his.</summary>
    public List<SettleFailure> Settle(QueueMember member, Settlement[] settlements)
    {
        var failures = new List<SettleFailure>();
        var done = new Dictionary<QueuePartition, List<OffsetRange>>();
        var keys = new List<(QueuePartition Partition, KeyHash Key, long Offset)>();
        for (var i = 0; i < settlements.Length; i++)
        {
            var settlement = settlements[i];
            var partition = work.State.Partitions.GetValueOrDefault(new LogIdentity(settlement.TopicId, settlement.Partition));
            if (partition?.Settled is null)
            {
                failures.Add(Failure(i, settlement.FirstOffset, ErrorCode.UnknownPartition));
                continue;
            }

            if (!work.Context.Options.Omits(OmittedGroupRules.ForeignSettlementsTold))
            {
                FindForeign(partition, member, i, settlement, failures);
            }

            foreach (var offset in Held(partition, member, settlement))
            {
                Settle(partition, offset, settlement, i, failures, done, keys);
            }
        }

        foreach (var (partition, ranges) in done)
        {
            work.Settle(partition.Identity, ranges);
        }

        foreach (var (partition, key, offset) in keys)
        {
            work.ReleaseKey(partition, key, offset);
        }

        return failures;
    }

    /// <summary>Gives up deliveries of which the lock has expired.</summary>
    public void ExpireLocks(QueuePartition partition)
    {
        while (partition.Locks.TryPeek(out var locks, out var dueMs) && dueMs <= work.Context.NowMs)
        {
            partition.Locks.Dequeue();
            var extendedMs = long.MaxValue;
            foreach (var offset in locks.Offsets.ToList())
            {
                if (!partition.InFlight.TryGetValue(offset, out var delivery) || delivery.Locks != locks)
                {
                    continue;
                }

                if (delivery.LockedUntilMs > work.Context.NowMs)
                {
                    extendedMs = Math.Min(extendedMs, delivery.LockedUntilMs);
                    continue;
                }

                work.LetGo(partition, offset, delivery);
                Fail(partition, offset, delivery, delayMs: -1, "its lock expired");
            }

            if (extendedMs != long.MaxValue)
            {
                partition.Locks.Enqueue(locks, extendedMs);
            }
        }
    }

    /// <summary>A member is gone: what it holds is delivered again.</summary>
    /// <param name="member">The member.</param>
    /// <param name="failedBy">Why the deliveries count as failed; null if they do not.</param>
    public void Return(QueueMember member, string? failedBy)
    {
        foreach (var partition in work.State.Partitions.Values)
        {
            foreach (var (offset, delivery) in partition.InFlight.Where(pair => pair.Value.Member == member).ToList())
            {
                work.LetGo(partition, offset, delivery);
                if (failedBy is null)
                {
                    QueueWork.MakeReady(partition, offset);
                }
                else
                {
                    Fail(partition, offset, delivery, delayMs: 0, failedBy);
                }
            }
        }
    }

    private static SettleFailure Failure(int index, long offset, ErrorCode error) =>
        new() { Index = index, Offset = offset, Error = error };

    /// <summary>Whoever settles a record that is not his is told so; a range is his if its ends are.</summary>
    private static void FindForeign(
        QueuePartition partition, QueueMember member, int index, Settlement settlement, List<SettleFailure> failures)
    {
        if (!IsHeld(settlement.FirstOffset))
        {
            failures.Add(Failure(index, settlement.FirstOffset, ErrorCode.LockExpired));
        }

        if (settlement.LastOffset != settlement.FirstOffset && !IsHeld(settlement.LastOffset))
        {
            failures.Add(Failure(index, settlement.LastOffset, ErrorCode.LockExpired));
        }

        bool IsHeld(long offset) => partition.InFlight.TryGetValue(offset, out var delivery) && delivery.Member == member;
    }

    private static List<long> Held(QueuePartition partition, QueueMember member, Settlement settlement)
    {
        var held = new List<long>();
        if (settlement.LastOffset - settlement.FirstOffset < 2L * partition.InFlight.Count)
        {
            for (var offset = settlement.FirstOffset; offset <= settlement.LastOffset; offset++)
            {
                if (partition.InFlight.TryGetValue(offset, out var delivery) && delivery.Member == member)
                {
                    held.Add(offset);
                }
            }
        }
        else
        {
            held.AddRange(partition.InFlight
                .Where(pair => pair.Value.Member == member && pair.Key >= settlement.FirstOffset && pair.Key <= settlement.LastOffset)
                .Select(static pair => pair.Key).Order());
        }

        return held;
    }

    private void Settle(
        QueuePartition partition, long offset, Settlement settlement, int index, List<SettleFailure> failures,
        Dictionary<QueuePartition, List<OffsetRange>> done, List<(QueuePartition Partition, KeyHash Key, long Offset)> keys)
    {
        var delivery = partition.InFlight[offset];
        if (settlement.Action == SettleAction.Extend)
        {
            delivery.LockedUntilMs = work.Context.NowMs
                + (settlement.DelayMs >= 0 ? settlement.DelayMs : work.Settings.LockMs);
            return;
        }

        work.LetGo(partition, offset, delivery);
        switch (settlement.Action)
        {
            case SettleAction.Acknowledge:
                AddTo(done, partition, offset);
                keys.Add((partition, delivery.Key, offset));
                break;
            case SettleAction.Reject when work.Declaration.DeadLetterTopic is not null:
                GiveUp(partition, offset, delivery, Settlement.Shorten(settlement.Reason) ?? "it was rejected");
                break;
            case SettleAction.Return:
                QueueWork.MakeReady(partition, offset);
                break;
            default:
                if (settlement.Action != SettleAction.Release)
                {
                    failures.Add(Failure(index, offset, ErrorCode.InvalidRequest));
                }

                Fail(partition, offset, delivery, settlement.DelayMs, Settlement.Shorten(settlement.Reason));
                break;
        }
    }

    private static void AddTo(Dictionary<QueuePartition, List<OffsetRange>> done, QueuePartition partition, long offset)
    {
        if (!done.TryGetValue(partition, out var ranges))
        {
            done[partition] = ranges = [];
        }

        if (ranges.Count > 0 && ranges[^1].Last == offset - 1)
        {
            ranges[^1].Last = offset;
        }
        else
        {
            ranges.Add(new OffsetRange { First = offset, Last = offset });
        }
    }

    /// <summary>A delivery failed: the record is tried again later, or given up.</summary>
    private void Fail(QueuePartition partition, long offset, Delivery delivery, long delayMs, string? reason)
    {
        var isLast = delivery.Count >= work.Settings.MaxDeliveries;
        if (isLast && (work.Declaration.DeadLetterTopic is not null || work.IsKeyed))
        {
            GiveUp(partition, offset, delivery, reason);
            return;
        }

        var dueMs = work.Context.WallClockMs + (delayMs >= 0 ? delayMs : work.Settings.BackoffMs(delivery.Count));
        WriteDown(partition, offset, delivery, dueMs, reason);
        work.Schedule(partition, offset, dueMs);
    }

    /// <summary>A record failed for good.</summary>
    private void GiveUp(QueuePartition partition, long offset, Delivery delivery, string? reason)
    {
        if (work.IsKeyed && !delivery.Key.IsNone)
        {
            if (work.Settings.KeyFailure == KeyFailurePolicy.Block || work.Declaration.DeadLetterTopic is null)
            {
                WriteDown(partition, offset, delivery, FailedRecord.Blocked, reason);
                return;
            }

            if (work.Settings.KeyFailure == KeyFailurePolicy.DeadLetter)
            {
                partition.Keys.Poison(delivery.Key);
            }
        }
        else if (work.Declaration.DeadLetterTopic is null)
        {
            var dueMs = work.Context.WallClockMs + work.Settings.RetryBackoffMaxMs;
            WriteDown(partition, offset, delivery, dueMs, reason);
            work.Schedule(partition, offset, dueMs);
            return;
        }

        work.Doom(partition, offset, ToFailed(offset, delivery, 0, reason), reason);
    }

    private static FailedRecord ToFailed(long offset, Delivery delivery, long dueMs, string? reason) => new()
    {
        Offset = offset, Deliveries = delivery.Count, FirstMs = delivery.FirstMs, DueMs = dueMs, Reason = reason,
    };

    private void WriteDown(QueuePartition partition, long offset, Delivery delivery, long dueMs, string? reason) =>
        work.Context.Append(new QueueFailed
        {
            TopicId = partition.Identity.TopicId,
            Partition = partition.Identity.Partition,
            Records = [ToFailed(offset, delivery, dueMs, reason)],
        });
}
