using Weir.Protocol.Errors;
using Weir.Replication.Partitions;
using Weir.Server.Transport;
using Weir.Storage;

namespace Weir.Server.Partitions;

/// <summary>A replica of this broker as clients use it: with the subscriptions that wait for its records. Thread-safe.</summary>
internal sealed class Partition(Replica replica)
{
    private readonly Lock _gate = new();
    private readonly List<Subscription> _waiting = [];
    private readonly List<(long Offset, TaskCompletionSource Reader)> _readers = [];
    private bool _isLed;

    public Replica Replica => replica;

    public PartitionLog Log => replica.Log;

    public string Topic => replica.Topic.Name;

    public int Index => replica.Identity.Partition;

    public int LeaderEpoch => replica.LeaderEpoch;

    /// <summary>First offset that consumers cannot read yet.</summary>
    public long HighWatermark => replica.ReadLimit;

    /// <summary>Why it does not take records, if it does not.</summary>
    public ErrorCode Error => replica.Error;

    /// <summary>Whether something is wrong: that another broker leads it is not.</summary>
    public bool IsOffline => Error is not (ErrorCode.None or ErrorCode.NotLeader);

    /// <summary>Registers a subscription that has read all there is; false if there is more by now.</summary>
    public bool TryWaitForRecords(Subscription subscription)
    {
        lock (_gate)
        {
            if (HighWatermark > subscription.Cursor.Offset)
            {
                return false;
            }

            if (!subscription.IsWaiting)
            {
                subscription.IsWaiting = true;
                _waiting.Add(subscription);
            }

            return true;
        }
    }

    /// <summary>Forgets a subscription that ended.</summary>
    public void StopWaiting(Subscription subscription)
    {
        lock (_gate)
        {
            if (subscription.IsWaiting)
            {
                subscription.IsWaiting = false;
                _waiting.Remove(subscription);
            }
        }
    }

    /// <summary>Registers a reader that waits for the record at an offset, or for the end of the leadership; false if it is there.</summary>
    public bool TryWaitForRecords(long offset, TaskCompletionSource reader)
    {
        lock (_gate)
        {
            if (HighWatermark > offset || replica.Role != ReplicaRole.Leader)
            {
                return false;
            }

            _readers.Add((offset, reader));
            return true;
        }
    }

    /// <summary>Forgets a reader.</summary>
    public void StopWaiting(TaskCompletionSource reader)
    {
        lock (_gate)
        {
            _readers.RemoveAll(entry => entry.Reader == reader);
        }
    }

    /// <summary>The high watermark or the role may have changed: wakes those who wait.</summary>
    /// <returns>Whether leadership was lost by it, so that its subscriptions must end.</returns>
    public bool OnProgress()
    {
        List<Subscription>? woken = null;
        bool isLost;
        lock (_gate)
        {
            var isLed = replica.Role == ReplicaRole.Leader;
            isLost = _isLed && !isLed;
            _isLed = isLed;
            WakeReaders(isLed);
            if (_waiting.Count > 0)
            {
                var highWatermark = HighWatermark;
                foreach (var subscription in _waiting)
                {
                    if (highWatermark > subscription.Cursor.Offset)
                    {
                        subscription.IsWaiting = false;
                        (woken ??= []).Add(subscription);
                    }
                }

                if (woken is not null)
                {
                    _waiting.RemoveAll(static subscription => !subscription.IsWaiting);
                }
            }
        }

        foreach (var subscription in woken ?? [])
        {
            subscription.Connection.MarkReady(subscription);
        }

        return isLost;
    }

    private void WakeReaders(bool isLed)
    {
        var highWatermark = HighWatermark;
        for (var i = _readers.Count - 1; i >= 0; i--)
        {
            if (!isLed || highWatermark > _readers[i].Offset)
            {
                _readers[i].Reader.TrySetResult();
                _readers.RemoveAt(i);
            }
        }
    }
}
