using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Server.Transport;
using Weir.Storage;

namespace Weir.Server.Partitions;

/// <summary>A produce request that waits for its batch to settle.</summary>
internal readonly record struct PendingAck(
    Connection Connection, uint CorrelationId, AppendOutcome Outcome, Durability Durability, int BatchBytes, long ReceivedAt);

/// <summary>
/// A partition that this broker leads: its log, its high watermark, the produce requests and subscriptions that wait for
/// it. Thread-safe; the flush loop reports progress through <see cref="ILogListener"/>.
/// </summary>
internal sealed class Partition : ILogListener
{
    private readonly Lock _gate = new();
    private readonly Queue<PendingAck> _settling = new();
    private readonly Queue<PendingAck> _writing = new();
    private readonly List<Subscription> _waiting = [];
    private long _highWatermark;

    public Partition(PartitionLog log, string topic, int leaderEpoch)
    {
        Log = log;
        Topic = topic;
        LeaderEpoch = leaderEpoch;
        _highWatermark = log.DurableOffset;
        log.Listener = this;
    }

    public PartitionLog Log { get; }

    public string Topic { get; }

    public int Index => Log.Identity.Partition;

    public int LeaderEpoch { get; }

    /// <summary>First offset that consumers cannot read yet; never goes back.</summary>
    public long HighWatermark => Volatile.Read(ref _highWatermark);

    /// <summary>Why it does not take records, if it does not.</summary>
    public ErrorCode Error => Log.State switch
    {
        LogState.StorageFull => ErrorCode.StorageFull,
        LogState.Stopped => ErrorCode.LogStopped,
        LogState.Corrupt => ErrorCode.CorruptLog,
        _ => ErrorCode.None,
    };

    public AppendOutcome Append(ReadOnlySpan<byte> batch, in RecordBatchHeader header, long nowMs) =>
        Log.Append(batch, header, LeaderEpoch, HighWatermark, nowMs);

    /// <summary>Whether an outcome has reached what its acknowledgement stands for.</summary>
    public bool IsSettled(in AppendOutcome outcome, Acks acks) =>
        outcome.NextOffset <= (acks == Acks.All ? HighWatermark : Log.WrittenOffset);

    /// <summary>Answers a request once its batch has settled; the log must be signalled to the flush loop after it.</summary>
    public void Await(in PendingAck ack, Acks acks)
    {
        lock (_gate)
        {
            (acks == Acks.All ? _settling : _writing).Enqueue(ack);
        }
    }

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

    /// <inheritdoc/>
    public void OnLogProgress(PartitionLog log)
    {
        var settled = SettledOffset();
        List<PendingAck>? done = null;
        List<Subscription>? woken = null;
        lock (_gate)
        {
            if (settled > _highWatermark)
            {
                Volatile.Write(ref _highWatermark, settled);
                woken = TakeWaiting();
            }

            var isOffline = log.State != LogState.Online;
            TakeDone(_writing, log.WrittenOffset, isOffline, ref done);
            TakeDone(_settling, _highWatermark, isOffline, ref done);
        }

        Answer(done);
        foreach (var subscription in woken ?? [])
        {
            subscription.Connection.MarkReady(subscription);
        }
    }

    /// <summary>Ends everything that waits, as when the topic is deleted.</summary>
    public void Close(ErrorCode code, string reason)
    {
        List<PendingAck>? done = null;
        List<Subscription> woken;
        lock (_gate)
        {
            TakeDone(_writing, long.MinValue, isOffline: true, ref done);
            TakeDone(_settling, long.MinValue, isOffline: true, ref done);
            woken = TakeWaiting();
        }

        foreach (var ack in done ?? [])
        {
            ack.Connection.ReplyError(ApiKey.Produce, 1, ack.CorrelationId, code, reason);
            ack.Connection.ProduceDone(ack.BatchBytes);
            ack.Connection.Flush();
        }

        foreach (var subscription in woken)
        {
            subscription.Connection.EndSubscription(subscription, code, reason);
        }
    }

    private static void TakeDone(Queue<PendingAck> waiting, long offset, bool isOffline, ref List<PendingAck>? done)
    {
        while (waiting.TryPeek(out var ack) && (ack.Outcome.NextOffset <= offset || isOffline))
        {
            (done ??= []).Add(waiting.Dequeue());
        }
    }

    private List<Subscription> TakeWaiting()
    {
        var woken = new List<Subscription>(_waiting);
        foreach (var subscription in woken)
        {
            subscription.IsWaiting = false;
        }

        _waiting.Clear();
        return woken;
    }

    private long SettledOffset() => Log.Options.Durability switch
    {
        Durability.Fsync => Log.DurableOffset,
        Durability.Memory => Log.LogEndOffset,
        _ => Log.WrittenOffset,
    };

    private void Answer(List<PendingAck>? done)
    {
        if (done is null)
        {
            return;
        }

        // A lone acknowledgement leaves from this thread: its producer waits for it. Many are sent by the pool, so that the
        // flush goes on.
        var isAlone = done.Count == 1;
        foreach (var ack in done)
        {
            var isSettled = ack.Outcome.NextOffset
                <= (ack.Durability == Durability.Leader ? Math.Max(Log.WrittenOffset, HighWatermark) : HighWatermark);
            if (isSettled)
            {
                ack.Connection.ReplyProduced(ack);
            }
            else
            {
                ack.Connection.ReplyError(ApiKey.Produce, 1, ack.CorrelationId, Error, Log.StateReason);
            }

            ack.Connection.ProduceDone(ack.BatchBytes);
        }

        foreach (var ack in done)
        {
            ack.Connection.Flush(inline: isAlone);
        }
    }
}
