using Weir.Protocol.Errors;
using Weir.Protocol.Records;

namespace Weir.Storage.Crash;

/// <summary>A batch that a log took.</summary>
/// <param name="BaseOffset">Offset of its first record.</param>
/// <param name="Values">Its records.</param>
/// <param name="Producer">Who wrote it.</param>
/// <param name="HighWatermark">High watermark that was stamped into it.</param>
public sealed record ModelBatch(long BaseOffset, byte[][] Values, BatchProducer Producer, long HighWatermark)
{
    /// <summary>First offset after it.</summary>
    public long NextOffset => BaseOffset + Values.Length;
}

/// <summary>What one log was given, what it promised, and how a recovered one is held against it.</summary>
public sealed class LogModel(LogIdentity identity)
{
    private readonly List<ModelBatch> _batches = [];

    /// <summary>Which log.</summary>
    public LogIdentity Identity { get; } = identity;

    /// <summary>Every batch that the log took and that was not lost unacknowledged.</summary>
    public IReadOnlyList<ModelBatch> Batches => _batches;

    /// <summary>Everything below was acknowledged as durable.</summary>
    public long Acknowledged { get; set; }

    /// <summary>Highest offset below which deletion was asked for.</summary>
    public long DeletedBelow { get; set; }

    /// <summary>Highest offset below which deletion was acknowledged.</summary>
    public long AcknowledgedDeletedBelow { get; set; }

    /// <summary>An independent copy.</summary>
    public LogModel Clone()
    {
        var copy = new LogModel(Identity)
        {
            Acknowledged = Acknowledged,
            DeletedBelow = DeletedBelow,
            AcknowledgedDeletedBelow = AcknowledgedDeletedBelow,
        };
        copy._batches.AddRange(_batches);
        return copy;
    }

    /// <summary>The last batch of a producer; null if it wrote none.</summary>
    public ModelBatch? Last(long producerId) => _batches.FindLast(batch => batch.Producer.ProducerId == producerId);

    /// <summary>Who the next batch of a producer is from: the next sequence of its epoch, or a new epoch.</summary>
    public BatchProducer Next(long producerId, bool newEpoch) => Last(producerId) switch
    {
        null => new BatchProducer(producerId, 0, 0),
        { } last when newEpoch => new BatchProducer(producerId, (short)(last.Producer.ProducerEpoch + 1), 0),
        { } last => last.Producer with { BaseSequence = last.Producer.BaseSequence + last.Values.Length },
    };

    /// <summary>Notes a batch that the log took.</summary>
    public void Appended(ModelBatch batch) => _batches.Add(batch);

    /// <summary>After a recovery: what is not there never happened, and what is there stays.</summary>
    /// <param name="log">The recovered log.</param>
    /// <param name="afterPowerLoss">
    /// Whether its start came from the disk too. The page cache may hold one that retention moved, which is not promised.
    /// </param>
    public void Settle(PartitionLog log, bool afterPowerLoss)
    {
        _batches.RemoveAll(batch => batch.BaseOffset >= log.LogEndOffset);
        Acknowledged = log.LogEndOffset;
        AcknowledgedDeletedBelow = Math.Max(AcknowledgedDeletedBelow, afterPowerLoss ? log.LogStartOffset : 0);
        DeletedBelow = Math.Max(DeletedBelow, log.LogStartOffset);
    }

    /// <summary>Why a recovered log breaks a promise; null if it keeps them all.</summary>
    public string? FindViolation(PartitionLog log)
    {
        if (log.State != LogState.Online)
        {
            return $"it opened as {log.State}: {log.StateReason}";
        }

        if (log.LogEndOffset < Acknowledged)
        {
            return $"it ends at {log.LogEndOffset} and {Acknowledged} was acknowledged";
        }

        if (log.LogStartOffset > DeletedBelow || log.LogStartOffset < AcknowledgedDeletedBelow)
        {
            return $"it starts at {log.LogStartOffset}; deletion was acknowledged to {AcknowledgedDeletedBelow} "
                + $"and asked for to {DeletedBelow}";
        }

        return FindWrongRecord(log) ?? FindWrongAnswer(log);
    }

    /// <summary>The first record below the log's end that is missing, changed or was never appended.</summary>
    public string? FindWrongRecord(PartitionLog log)
    {
        var expected = log.LogStartOffset;
        var at = _batches.FindIndex(batch => batch.NextOffset > expected);
        foreach (var record in LogContent.Read(log))
        {
            if (record.Offset != expected)
            {
                return $"offset {record.Offset} stands where {expected} should";
            }

            while (at >= 0 && at < _batches.Count && _batches[at].NextOffset <= expected)
            {
                at++;
            }

            if (at < 0 || at >= _batches.Count || !IsSame(record, _batches[at]))
            {
                return $"offset {record.Offset} holds what was never appended there";
            }

            expected++;
        }

        return expected == log.LogEndOffset ? null : $"its records end at {expected}, the log at {log.LogEndOffset}";
    }

    private static bool IsSame(LogRecord record, ModelBatch batch) =>
        record.Batch.BaseOffset == batch.BaseOffset
        && record.Batch.ProducerId == batch.Producer.ProducerId
        && record.Batch.BaseSequence == batch.Producer.BaseSequence
        && record.Value.AsSpan().SequenceEqual(batch.Values[record.Offset - batch.BaseOffset]);

    /// <summary>Every producer's last batch must be recognised, and no jump over the next sequence be taken.</summary>
    private string? FindWrongAnswer(PartitionLog log)
    {
        var seen = new HashSet<long> { RecordBatchHeader.NoProducerId };
        for (var i = _batches.Count - 1; i >= 0; i--)
        {
            var batch = _batches[i];
            if (batch.BaseOffset >= log.LogEndOffset || !seen.Add(batch.Producer.ProducerId))
            {
                continue;
            }

            var retried = Append(log, batch.Values, batch.Producer);
            if (!retried.IsDuplicate || retried.BaseOffset != batch.BaseOffset || retried.NextOffset != batch.NextOffset)
            {
                return $"the retry of {batch.Producer} at offset {batch.BaseOffset} was answered by {retried}";
            }

            var sequence = batch.Producer.BaseSequence + batch.Values.Length;
            var jumped = Append(log, batch.Values, batch.Producer with { BaseSequence = sequence + 1 });
            if (jumped.Code != ErrorCode.OutOfOrderSequence)
            {
                return $"{batch.Producer} was let jump over sequence {sequence}: {jumped}";
            }
        }

        return null;
    }

    private AppendOutcome Append(PartitionLog log, byte[][] values, BatchProducer producer)
    {
        var (bytes, header) = LogContent.Batch(Identity, values, producer);
        return log.Append(bytes, header, 0, log.DurableOffset, 0);
    }
}
