using Weir.Protocol.Wire;

namespace Weir.Client.Consuming;

/// <summary>Batches that arrived for one subscription, and what of them is left.</summary>
internal sealed class DeliveredFrame(PooledFrame frame, ReadOnlyMemory<byte> batches, long highWatermark, SubscriptionSink sink)
{
    /// <summary>The batches that were not read yet.</summary>
    public ReadOnlyMemory<byte> Rest { get; set; } = batches;

    /// <summary>All batches of the frame.</summary>
    public ReadOnlyMemory<byte> Whole { get; } = batches;

    /// <summary>Credit to give back once all is read.</summary>
    public int CreditBytes { get; } = batches.Length;

    public long HighWatermark => highWatermark;

    public SubscriptionSink Sink => sink;

    public void Release() => frame.Dispose();
}

/// <summary>Where the subscription of a partition stands.</summary>
internal enum SubscriptionState
{
    /// <summary>None: one is to be made.</summary>
    Needed,

    /// <summary>Asked for, or delivering.</summary>
    Present,

    /// <summary>Read to its end.</summary>
    Done,
}

/// <summary>One partition of an enumeration. Guarded by the session's lock.</summary>
internal sealed class PartitionReader(int partition, ConsumerStart start)
{
    private readonly Queue<DeliveredFrame> _frames = [];
    private DeliveredFrame? _front;

    public int Partition => partition;

    public ReadCursor Cursor { get; set; } = new(start);

    public SubscriptionState State { get; set; }

    public SubscriptionSink? Sink { get; set; }

    public bool IsPaused { get; set; }

    /// <summary>Whether it stands in the session's ready queue.</summary>
    public bool IsReady { get; set; }

    /// <summary>Failed subscriptions in a row.</summary>
    public int Failures { get; set; }

    /// <summary>Whether the broker is to check its own records before it sends them: those that came were damaged.</summary>
    public bool MustCheck { get; private set; }

    private long _damagedAt = -1;
    private int _timesDamaged;

    /// <summary>What came at its position was damaged.</summary>
    /// <returns>How often in a row.</returns>
    public int NoteDamage()
    {
        MustCheck = true;
        _timesDamaged = _damagedAt == Cursor.Position ? _timesDamaged + 1 : 1;
        _damagedAt = Cursor.Position;
        return _timesDamaged;
    }

    /// <summary>The broker has checked.</summary>
    public void NoteChecked() => MustCheck = false;

    /// <summary>Timestamp before which no subscription is made.</summary>
    public long RetryAt { get; set; } = long.MinValue;

    public bool HasFrames => _front is not null || _frames.Count > 0;

    public void Add(DeliveredFrame frame) => _frames.Enqueue(frame);

    /// <summary>Puts a frame back that was taken and not read to its end.</summary>
    public void PutBack(DeliveredFrame frame) => _front = frame;

    public DeliveredFrame Take()
    {
        if (_front is { } front)
        {
            _front = null;
            return front;
        }

        return _frames.Dequeue();
    }

    /// <summary>Drops what arrived and was not taken.</summary>
    public void DropFrames()
    {
        while (HasFrames)
        {
            Take().Release();
        }
    }
}
