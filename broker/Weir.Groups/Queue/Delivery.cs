namespace Weir.Groups.Queue;

/// <summary>A record that a member holds.</summary>
internal sealed class Delivery(QueueMember member, KeyHash key, int bytes, int count, long firstMs, LockGroup locks)
{
    public QueueMember Member => member;

    public KeyHash Key => key;

    public int Bytes => bytes;

    /// <summary>Deliveries with this one.</summary>
    public int Count => count;

    /// <summary>When it was delivered first, Unix milliseconds.</summary>
    public long FirstMs => firstMs;

    public LockGroup Locks => locks;

    /// <summary>Until when it is the member's.</summary>
    public long LockedUntilMs { get; set; } = locks.DueMs;
}

/// <summary>Records that were delivered together, and whose locks expire together unless one is extended.</summary>
internal sealed class LockGroup(long dueMs)
{
    private int _held;

    /// <summary>When the locks expire.</summary>
    public long DueMs => dueMs;

    /// <summary>Their offsets; empty once nobody holds one.</summary>
    public List<long> Offsets { get; private set; } = [];

    public void Add(long offset)
    {
        Offsets.Add(offset);
        _held++;
    }

    /// <summary>One of them is not held any more.</summary>
    public void Release()
    {
        if (--_held == 0)
        {
            Offsets = [];
        }
    }
}
