using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Replication.Partitions;

/// <summary>Takes the outcome of a produce request; called outside of all locks.</summary>
public interface IAckSink
{
    /// <summary>The batch has reached what the acknowledgement stands for.</summary>
    void Acknowledge(in PendingAck ack, bool isAlone);

    /// <summary>It has not, and this replica cannot say whether it will.</summary>
    void Refuse(in PendingAck ack, ErrorCode code, string text, bool isAlone);
}

/// <summary>A produce request that waits for its batch to settle.</summary>
/// <param name="Sink">Who waits.</param>
/// <param name="CorrelationId">Of the request.</param>
/// <param name="Outcome">Where the batch stands in the log.</param>
/// <param name="Durability">What the acknowledgement stands for.</param>
/// <param name="BatchBytes">Size of the batch, which counts against the sender's window.</param>
/// <param name="ReceivedAt">Timestamp of the request, for the latency.</param>
public readonly record struct PendingAck(
    IAckSink Sink, uint CorrelationId, AppendOutcome Outcome, Durability Durability, int BatchBytes, long ReceivedAt);

/// <summary>The produce requests that wait at a leader, in the order of their offsets. Used under the replica's lock.</summary>
internal sealed class AckQueue
{
    private readonly Queue<PendingAck> _replicated = new();
    private readonly Queue<PendingAck> _local = new();

    /// <summary>Adds a request.</summary>
    /// <param name="ack">The request.</param>
    /// <param name="isLocal">Whether the leader's own log is all that it waits for.</param>
    public void Add(in PendingAck ack, bool isLocal) => (isLocal ? _local : _replicated).Enqueue(ack);

    /// <summary>Takes what has settled, and all the rest if the replica can settle nothing any more.</summary>
    public void Take(Replica replica, ref List<PendingAck>? settled, ref List<PendingAck>? lost)
    {
        if (_local.Count + _replicated.Count == 0)
        {
            return;
        }

        var log = replica.Log;
        if (replica.Role == ReplicaRole.Leader)
        {
            var isInMemory = replica.Topic.Settings.Durability == Durability.Memory;
            Take(_local, isInMemory ? log.LogEndOffset : log.WrittenOffset, ref settled);
            Take(_replicated, replica.HighWatermark, ref settled);
        }

        if (replica.Role != ReplicaRole.Leader || log.State is LogState.Stopped or LogState.Corrupt)
        {
            TakeAll(ref lost);
        }
    }

    /// <summary>Answers what was taken; outside of all locks.</summary>
    public static void Answer(List<PendingAck>? settled, List<PendingAck>? lost, Replica replica)
    {
        var isAlone = (settled?.Count ?? 0) + (lost?.Count ?? 0) == 1;
        foreach (var ack in settled ?? [])
        {
            ack.Sink.Acknowledge(ack, isAlone);
        }

        foreach (var ack in lost ?? [])
        {
            var code = replica.Error == ErrorCode.None ? ErrorCode.NotLeader : replica.Error;
            ack.Sink.Refuse(ack, code, replica.Log.StateReason, isAlone);
        }
    }

    /// <summary>Takes all that is left.</summary>
    public void TakeAll(ref List<PendingAck>? left)
    {
        Take(_local, long.MaxValue, ref left);
        Take(_replicated, long.MaxValue, ref left);
    }

    private static void Take(Queue<PendingAck> waiting, long offset, ref List<PendingAck>? taken)
    {
        while (waiting.TryPeek(out var ack) && ack.Outcome.NextOffset <= offset)
        {
            (taken ??= []).Add(waiting.Dequeue());
        }
    }
}
