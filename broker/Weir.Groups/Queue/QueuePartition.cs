using Weir.Storage;

namespace Weir.Groups.Queue;

/// <summary>
/// A partition of a queue: what is done and what failed, which the log has, and what is under way, which it has not. One
/// thread.
/// </summary>
internal sealed class QueuePartition(LogIdentity identity, int maxWaiting)
{
    private const long MaxEarlyBytes = 16 * 1024 * 1024;
    private readonly Dictionary<long, BufferedRecord> _early = [];
    private long _earlyBytes;

    public LogIdentity Identity => identity;

    /// <summary>What is done; null until the start is found. In the log.</summary>
    public SettledSet? Settled { get; set; }

    /// <summary>Records that failed and are not done. In the log.</summary>
    public Dictionary<long, FailedRecord> Failed { get; } = [];

    /// <summary>Records on their way to the dead-letter topic. In the log.</summary>
    public Dictionary<long, QueueDeadLetter> DeadLetters { get; } = [];

    /// <summary>Records that went there.</summary>
    public long DeadLettered { get; set; }

    /// <summary>Where reading goes on.</summary>
    public long ReadOffset { get; set; }

    /// <summary>Whether new records are being read, or waited for.</summary>
    public bool IsReadingOn { get; set; }

    /// <summary>Whether records are being read again.</summary>
    public bool IsReadingBack { get; set; }

    /// <summary>Grows when all that is under way is forgotten: what was asked for before is not for now.</summary>
    public int Generation { get; private set; }

    /// <summary>Records in memory.</summary>
    public Dictionary<long, BufferedRecord> Buffer { get; } = [];

    /// <summary>What they cost.</summary>
    public long BufferedBytes { get; private set; }

    /// <summary>Records that may be delivered, in the order in which they became so.</summary>
    public Queue<long> Ready { get; } = new();

    /// <summary>Records that may be delivered once they are in memory.</summary>
    public HashSet<long> Absent { get; } = [];

    /// <summary>Records to be read again at once.</summary>
    public SortedSet<long> Wanted { get; } = [];

    /// <summary>Records to be read again before their time comes.</summary>
    public SortedSet<long> Near { get; } = [];

    /// <summary>Where reading again goes on: it goes through the log in one direction, so that no record waits for others for ever.</summary>
    public long ReadBackOffset { get; set; }

    /// <summary>Whether records may be kept before their time.</summary>
    public bool HasRoomForEarly => _earlyBytes < MaxEarlyBytes;

    /// <summary>Records that members hold.</summary>
    public Dictionary<long, Delivery> InFlight { get; } = [];

    /// <summary>Locks by the time at which they expire.</summary>
    public PriorityQueue<LockGroup, long> Locks { get; } = new();

    /// <summary>Records that wait for their time.</summary>
    public WaitingSet Waiting { get; } = new(maxWaiting);

    /// <summary>Keys with a record under way.</summary>
    public KeyTable Keys { get; } = new();

    /// <summary>Records that are to go to the dead-letter topic once they are in memory.</summary>
    public HashSet<long> Doomed { get; } = [];

    /// <summary>Records whose key waits until an operator acts.</summary>
    public int BlockedKeys => Failed.Values.Count(static failed => failed.DueMs == FailedRecord.Blocked && !failed.IsDoomed);

    /// <summary>Whether nothing is under way with a record and it is not done.</summary>
    public bool IsIdle(long offset) =>
        !Settled!.Contains(offset) && !InFlight.ContainsKey(offset) && !DeadLetters.ContainsKey(offset)
            && !Doomed.Contains(offset);

    public void Keep(long offset, in BufferedRecord record)
    {
        if (Buffer.TryAdd(offset, record))
        {
            BufferedBytes += record.Cost;
        }
    }

    public bool TryTakeFromBuffer(long offset, out BufferedRecord record)
    {
        if (!Buffer.Remove(offset, out record))
        {
            return false;
        }

        BufferedBytes -= record.Cost;
        return true;
    }

    /// <summary>A record's time is near: it shall be in memory then.</summary>
    public void ComeNear(long offset)
    {
        if (!_early.ContainsKey(offset) && !Buffer.ContainsKey(offset))
        {
            Near.Add(offset);
        }
    }

    /// <summary>Keeps a record until its time comes.</summary>
    public void KeepEarly(long offset, in BufferedRecord record)
    {
        if (_early.TryAdd(offset, record))
        {
            _earlyBytes += record.Cost;
        }
    }

    /// <summary>A record's time has come, or it does not wait any more.</summary>
    public void EndWaiting(long offset)
    {
        Near.Remove(offset);
        if (_early.Remove(offset, out var record))
        {
            _earlyBytes -= record.Cost;
            if (IsIdle(offset))
            {
                Keep(offset, record);
            }
        }
    }

    /// <summary>Forgets what is under way: everything is read again from the floor on.</summary>
    public void Forget()
    {
        Generation++;
        ReadOffset = Settled?.Floor ?? 0;
        IsReadingOn = IsReadingBack = false;
        Buffer.Clear();
        BufferedBytes = 0;
        Ready.Clear();
        Absent.Clear();
        Wanted.Clear();
        Near.Clear();
        _early.Clear();
        _earlyBytes = 0;
        InFlight.Clear();
        Locks.Clear();
        Waiting.Clear();
        Keys.Clear();
        Doomed.Clear();
    }
}
