using System.Diagnostics.CodeAnalysis;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;

namespace Weir.Client.Producing;

/// <summary>A closed batch as the send queue sees it. Changed by <see cref="PartitionSendQueue"/> only.</summary>
internal class QueuedBatch
{
    /// <summary>Records in it.</summary>
    public int RecordCount { get; set; }

    /// <summary>Timestamp after which its records are reported as failed.</summary>
    public long Deadline { get; set; }

    /// <summary>Identity and first sequence, once given.</summary>
    public BatchProducer Producer { get; internal set; } = BatchProducer.None;

    /// <summary>Its place among all batches that were given a sequence.</summary>
    internal long Ordinal { get; set; }

    /// <summary>Whether an answer to it is awaited.</summary>
    public bool IsInFlight { get; internal set; }

    /// <summary>Whether an earlier sending of it may have taken effect without an answer.</summary>
    public bool InDoubt { get; internal set; }

    /// <summary>Whether its records were reported as failed while its answer was still awaited.</summary>
    public bool IsAbandoned { get; internal set; }

    /// <summary>Makes the object as new.</summary>
    protected void ResetState()
    {
        Producer = BatchProducer.None;
        IsInFlight = InDoubt = IsAbandoned = false;
        RecordCount = 0;
    }
}

/// <summary>What the owner of a <see cref="PartitionSendQueue"/> has to do next.</summary>
internal enum SendStep
{
    /// <summary>Nothing until the next input.</summary>
    None,

    /// <summary>Send the batch given, then say so with <see cref="PartitionSendQueue.MarkSent"/>.</summary>
    Send,

    /// <summary>Ask for a new producer id and give it to <see cref="PartitionSendQueue.SetIdentity"/>.</summary>
    Identify,

    /// <summary>Come back at the time given.</summary>
    Wait,
}

/// <summary>
/// The order in which the batches of one partition are sent, numbered, sent again and given up. Pure: owns no clock, lock,
/// socket or thread. The owner calls it under one lock.
/// </summary>
/// <remarks>
/// Rules. (1) A batch gets its sequence when it is first sent and is sent again under the same one, so that the broker can
/// tell a retry. None is sent that is more than four after the oldest without an outcome, because the broker remembers the
/// last five of a producer: an older retry would look new to it. (2) After a retriable refusal or a lost connection nothing is
/// sent until every answer is in; then all that is left is sent again, in order. (3) A batch whose earlier sending may have
/// taken effect is "in doubt" until it is acknowledged or answered with OutOfOrderSequence, which proves that it is not in
/// the log, and so nothing after it is. (4) When a number will never be used (a batch refused for good, given up after its
/// delivery timeout, or lost by the broker), the rest goes on under a new producer id from sequence 0: numbers are never
/// used for other records. Before that, batches in doubt are sent under the old identity until their doubt is resolved, so
/// that the change of identity cannot duplicate them. (5) UnknownProducer for a batch that is not in doubt leads to a new
/// identity; one in doubt fails, because nobody can tell any more whether it is in the log. (6) OutOfOrderSequence with
/// nothing missing on this side means that the broker lost acknowledged records: the batch fails, which reports it.
/// (7) FencedProducer ends the queue.
/// </remarks>
internal sealed class PartitionSendQueue(bool isIdempotent, int maxInFlight = 5)
{
    private readonly List<QueuedBatch> _numbered = [];
    private readonly Queue<QueuedBatch> _waiting = [];
    private BatchProducer _identity = BatchProducer.None;
    private int _nextSequence;
    private long _nextOrdinal;
    private int _inFlight;
    private bool _mustDrain;
    private bool _mustRenew;
    private bool _hasHole;
    private long _retryAt = long.MinValue;

    /// <summary>Batches that wait for their first sending.</summary>
    public int WaitingCount => _waiting.Count;

    /// <summary>Batches that were sent and have no outcome.</summary>
    public int NumberedCount => _numbered.Count;

    /// <summary>
    /// Whether a batch added now would be next: nothing waits before it, and no answer is needed first. A missing identity
    /// is no reason against it: it is asked for only once a batch is there.
    /// </summary>
    public bool HasRoom => _waiting.Count == 0 && IsWithinWindow && !IsFenced && !(_mustDrain && _inFlight > 0);

    /// <summary>Failures in a row since the last acknowledgement.</summary>
    public int Failures { get; private set; }

    /// <summary>Whether <see cref="ErrorCode.FencedProducer"/> ended it.</summary>
    public bool IsFenced { get; private set; }

    /// <summary>Every batch without an outcome, in order; those given up already are left out.</summary>
    public IEnumerable<QueuedBatch> Unfinished => _numbered.Where(static batch => !batch.IsAbandoned).Concat(_waiting);

    /// <summary>Adds a closed batch at the end.</summary>
    public void Enqueue(QueuedBatch batch) => _waiting.Enqueue(batch);

    /// <summary>Says what to do next. Asking again without any input in between gives the same answer.</summary>
    /// <param name="now">The present timestamp.</param>
    /// <param name="batch">With <see cref="SendStep.Send"/>: which.</param>
    /// <param name="until">With <see cref="SendStep.Wait"/>: until when.</param>
    public SendStep Decide(long now, out QueuedBatch? batch, out long until)
    {
        batch = null;
        until = _retryAt;
        if (IsFenced || (_mustDrain && _inFlight > 0))
        {
            return SendStep.None;
        }

        _mustDrain = false;
        if (_numbered.Count + _waiting.Count == 0)
        {
            return SendStep.None;
        }

        if (_retryAt > now)
        {
            return SendStep.Wait;
        }

        if (TryFindResend(out batch))
        {
            return SendStep.Send;
        }

        if (_mustRenew)
        {
            return _inFlight == 0 ? SendStep.Identify : SendStep.None;
        }

        return DecideNew(out batch);
    }

    /// <summary>The batch that <see cref="Decide"/> named is being sent.</summary>
    public void MarkSent(QueuedBatch batch)
    {
        batch.IsInFlight = true;
        _inFlight++;
    }

    /// <summary>It did not leave after all.</summary>
    /// <returns>As <see cref="OnRefused"/>.</returns>
    public bool MarkUnsent(QueuedBatch batch)
    {
        Land(batch);
        return !batch.IsAbandoned || Remove(batch);
    }

    /// <summary>Takes a new identity; everything that is left is numbered anew from 0.</summary>
    public void SetIdentity(long producerId, short producerEpoch)
    {
        _identity = new BatchProducer(producerId, producerEpoch, 0);
        _nextSequence = 0;
        _mustRenew = _hasHole = false;
        foreach (var batch in _numbered)
        {
            Number(batch);
            batch.Ordinal = _nextOrdinal++;
        }
    }

    /// <summary>The broker has it.</summary>
    public void OnAcknowledged(QueuedBatch batch)
    {
        Land(batch);
        _numbered.Remove(batch);
        Failures = 0;
    }

    /// <summary>The broker refused it.</summary>
    /// <param name="batch">Which.</param>
    /// <param name="code">Why.</param>
    /// <param name="retryAt">When to try again if it is to be tried again.</param>
    /// <returns>True: it stays in the queue. False: it is out and its records have failed.</returns>
    public bool OnRefused(QueuedBatch batch, ErrorCode code, long retryAt)
    {
        Land(batch);
        Failures++;
        _mustDrain = true;
        if (batch.IsAbandoned || !isIdempotent)
        {
            batch.InDoubt |= MayHaveTakenEffect(code);
            return Remove(batch);
        }

        switch (code)
        {
            case ErrorCode.OutOfOrderSequence:
                return KeepAfterGap(batch);
            case ErrorCode.UnknownProducer when batch.Producer.BaseSequence > 0:
                return KeepAfterForgotten(batch);
            case ErrorCode.FencedProducer:
                IsFenced = true;
                return Remove(batch);
            default:
                batch.InDoubt |= MayHaveTakenEffect(code);
                if (!ErrorCatalog.Get(code).IsRetriable)
                {
                    return Remove(batch);
                }

                _retryAt = Math.Max(_retryAt, retryAt);
                return true;
        }
    }

    /// <summary>The connection it was sent on ended without an answer.</summary>
    /// <returns>As <see cref="OnRefused"/>.</returns>
    public bool OnLost(QueuedBatch batch)
    {
        Land(batch);
        _mustDrain = true;
        batch.InDoubt = true;
        return batch is { IsAbandoned: false } && isIdempotent || Remove(batch);
    }

    /// <summary>
    /// Gives up every batch whose deadline has passed. Those in flight stay until their answer, marked as abandoned.
    /// </summary>
    /// <param name="now">The present timestamp.</param>
    /// <param name="failed">Receives those whose records have failed now.</param>
    public void Expire(long now, List<QueuedBatch> failed)
    {
        for (var i = 0; i < _numbered.Count; i++)
        {
            var batch = _numbered[i];
            if (batch.Deadline > now || batch.IsAbandoned)
            {
                continue;
            }

            failed.Add(batch);
            if (batch.IsInFlight)
            {
                batch.IsAbandoned = true;
            }
            else
            {
                Remove(batch);
                i--;
            }
        }

        while (_waiting.TryPeek(out var first) && first.Deadline <= now)
        {
            failed.Add(_waiting.Dequeue());
        }
    }

    /// <summary>Empties the queue: the producer ends. Those in flight stay, marked as abandoned.</summary>
    public void Abandon(List<QueuedBatch> failed)
    {
        foreach (var batch in _numbered)
        {
            batch.Deadline = long.MinValue;
        }

        foreach (var batch in _waiting)
        {
            batch.Deadline = long.MinValue;
        }

        Expire(long.MinValue, failed);
    }

    private bool IsWithinWindow => _numbered.Count == 0 || _nextOrdinal - _numbered[0].Ordinal < maxInFlight;

    /// <summary>
    /// Whether a batch that was answered so may be in the log. A leader may have appended, and lost its leadership or its log
    /// before enough others had it; only what is always said before an append tells that it is not.
    /// </summary>
    private static bool MayHaveTakenEffect(ErrorCode code) =>
        code == ErrorCode.CorruptLog || (ErrorCatalog.Get(code).IsRetriable
            && code is not (ErrorCode.Throttled or ErrorCode.NotEnoughReplicas or ErrorCode.UnknownTopic or ErrorCode.UnknownPartition));

    private bool TryFindResend([NotNullWhen(true)] out QueuedBatch? batch)
    {
        foreach (var candidate in _numbered)
        {
            if (!candidate.IsInFlight)
            {
                batch = candidate;
                return !_mustRenew || candidate.InDoubt;
            }
        }

        batch = null;
        return false;
    }

    private SendStep DecideNew(out QueuedBatch? batch)
    {
        batch = null;
        if (!IsWithinWindow || !_waiting.TryPeek(out var first))
        {
            return SendStep.None;
        }

        if (isIdempotent
            && (_identity == BatchProducer.None || _nextSequence > int.MaxValue - first.RecordCount))
        {
            // Running out of numbers is met by a new identity instead of a wrap.
            _mustRenew = true;
            return _inFlight == 0 ? SendStep.Identify : SendStep.None;
        }

        batch = _waiting.Dequeue();
        Number(batch);
        batch.Ordinal = _nextOrdinal++;
        _numbered.Add(batch);
        return SendStep.Send;
    }

    private void Number(QueuedBatch batch)
    {
        if (isIdempotent)
        {
            batch.Producer = _identity with { BaseSequence = _nextSequence };
            _nextSequence += batch.RecordCount;
        }
    }

    private bool KeepAfterGap(QueuedBatch batch)
    {
        var index = _numbered.IndexOf(batch);
        for (var i = index; i < _numbered.Count; i++)
        {
            _numbered[i].InDoubt = false;
        }

        if (index > 0)
        {
            // The consequence of an earlier one that is not in the log: it goes again after that one.
            return true;
        }

        if (!_hasHole)
        {
            return Remove(batch);
        }

        _mustRenew = true;
        return true;
    }

    private bool KeepAfterForgotten(QueuedBatch batch)
    {
        if (_numbered[0] != batch)
        {
            return true;
        }

        if (batch.InDoubt)
        {
            return Remove(batch);
        }

        foreach (var later in _numbered)
        {
            later.InDoubt = false;
        }

        _mustRenew = true;
        return true;
    }

    private void Land(QueuedBatch batch)
    {
        if (batch.IsInFlight)
        {
            batch.IsInFlight = false;
            _inFlight--;
        }
    }

    private bool Remove(QueuedBatch batch)
    {
        _numbered.Remove(batch);
        if (isIdempotent)
        {
            _mustRenew = _hasHole = true;
        }

        return false;
    }
}
