using Weir.Metadata;
using Weir.Storage;

namespace Weir.Groups.Queue;

/// <summary>What the parts of a queue group share. One thread.</summary>
internal sealed class QueueWork
{
    private readonly Func<GroupImage> _declaration;

    public QueueWork(IGroupContext context, Func<GroupImage> declaration)
    {
        Context = context;
        State = new QueueState(context.Options);
        _declaration = declaration;
        DeadLetters = new DeadLetterOffice(context, State, declaration);
    }

    public IGroupContext Context { get; }

    public QueueState State { get; }

    public Dictionary<Guid, QueueMember> Members { get; } = [];

    public DeadLetterOffice DeadLetters { get; }

    public GroupImage Declaration => _declaration();

    public GroupSettings Settings => Declaration.Settings;

    public bool IsKeyed => Declaration.Mode == Protocol.Messages.GroupMode.Keyed;

    /// <summary>Records that members hold.</summary>
    public int InFlight { get; private set; }

    /// <summary>A member got a record.</summary>
    public void Hold(QueuePartition partition, long offset, Delivery delivery)
    {
        partition.InFlight.Add(offset, delivery);
        delivery.Locks.Add(offset);
        delivery.Member.InFlight++;
        delivery.Member.InFlightBytes += delivery.Bytes;
        InFlight++;
    }

    /// <summary>A member holds a record no more.</summary>
    public void LetGo(QueuePartition partition, long offset, Delivery delivery)
    {
        partition.InFlight.Remove(offset);
        delivery.Locks.Release();
        delivery.Member.InFlight--;
        delivery.Member.InFlightBytes -= delivery.Bytes;
        InFlight--;
    }

    /// <summary>A record's time has come.</summary>
    public static void MakeReady(QueuePartition partition, long offset)
    {
        if (partition.Buffer.ContainsKey(offset))
        {
            partition.Ready.Enqueue(offset);
        }
        else if (partition.Absent.Add(offset))
        {
            partition.Wanted.Add(offset);
        }
    }

    /// <summary>A record is to be delivered at a time, or at once.</summary>
    public void Schedule(QueuePartition partition, long offset, long dueMs)
    {
        if (dueMs <= Context.WallClockMs)
        {
            MakeReady(partition, offset);
        }
        else if (dueMs != FailedRecord.Blocked)
        {
            partition.Waiting.Add(offset, dueMs);
        }
    }

    /// <summary>A record is done with: its key's next one may go.</summary>
    public void ReleaseKey(QueuePartition partition, KeyHash key, long done)
    {
        if (IsKeyed && !key.IsNone && partition.Keys.Release(key, done) is { } next)
        {
            if (next.IsPoisoned)
            {
                Doom(partition, next.Offset, partition.Failed.GetValueOrDefault(next.Offset), "an earlier record of its key failed");
            }
            else
            {
                Schedule(partition, next.Offset, partition.Failed.GetValueOrDefault(next.Offset)?.DueMs ?? next.DueMs);
            }
        }
    }

    /// <summary>A record is to go to the dead-letter topic.</summary>
    public void Doom(QueuePartition partition, long offset, FailedRecord? failed, string? reason)
    {
        Context.Append(new QueueFailed
        {
            TopicId = partition.Identity.TopicId,
            Partition = partition.Identity.Partition,
            Records =
            [
                new FailedRecord
                {
                    Offset = offset,
                    Deliveries = failed?.Deliveries ?? 0,
                    FirstMs = failed?.FirstMs ?? 0,
                    IsDoomed = true,
                    Reason = reason ?? failed?.Reason,
                },
            ],
        });
        Condemn(partition, offset);
    }

    /// <summary>A record that is to go to the dead-letter topic does so once it is in memory.</summary>
    public static void Condemn(QueuePartition partition, long offset)
    {
        partition.Doomed.Add(offset);
        if (!partition.Buffer.ContainsKey(offset))
        {
            partition.Wanted.Add(offset);
        }
    }

    /// <summary>Writes down what is done.</summary>
    public void Settle(LogIdentity partition, List<OffsetRange> ranges)
    {
        foreach (var chunk in ranges.Chunk(QueueRecords.MaxRanges))
        {
            Context.Append(new QueueSettled { TopicId = partition.TopicId, Partition = partition.Partition, Ranges = chunk });
        }
    }
}
