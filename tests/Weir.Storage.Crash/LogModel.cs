using Weir.Protocol.Records;

namespace Weir.Storage.Crash;

/// <summary>What one log was given, what it promised, and how a recovered one is held against it.</summary>
public sealed class LogModel(LogIdentity identity)
{
    private readonly SortedDictionary<long, (byte[] Value, long ProducerId, int Sequence)> _appended = [];
    private readonly Dictionary<long, int> _nextSequence = [];

    public LogIdentity Identity { get; } = identity;

    /// <summary>Everything below was acknowledged as durable.</summary>
    public long Acknowledged { get; set; }

    /// <summary>Highest offset below which deletion was asked for.</summary>
    public long DeletedBelow { get; set; }

    /// <summary>Highest offset below which deletion was acknowledged.</summary>
    public long AcknowledgedDeletedBelow { get; set; }

    public IEnumerable<long> Producers => _nextSequence.Keys;

    public int NextSequence(long producerId) => _nextSequence.GetValueOrDefault(producerId);

    /// <summary>Notes a batch that the log took.</summary>
    public void Appended(long baseOffset, IReadOnlyList<byte[]> values, long producerId, int baseSequence)
    {
        for (var i = 0; i < values.Count; i++)
        {
            _appended[baseOffset + i] = (values[i], producerId, baseSequence + i);
        }

        _nextSequence[producerId] = baseSequence + values.Count;
    }

    /// <summary>After a crash: what was not acknowledged and is not there never happened.</summary>
    public void Forget(long logEndOffset)
    {
        foreach (var offset in _appended.Keys.Where(offset => offset >= logEndOffset).ToList())
        {
            _appended.Remove(offset);
        }

        foreach (var producer in _nextSequence.Keys.ToList())
        {
            var own = _appended.Values.Where(record => record.ProducerId == producer).ToList();
            _nextSequence[producer] = own.Count == 0 ? 0 : own.Max(static record => record.Sequence) + 1;
        }

        Acknowledged = logEndOffset;
        AcknowledgedDeletedBelow = Math.Min(AcknowledgedDeletedBelow, logEndOffset);
    }

    /// <summary>Why a recovered log breaks a promise; null if it keeps them all.</summary>
    public string? FindViolation(PartitionLog log)
    {
        if (log.State != LogState.Online)
        {
            return $"opened as {log.State}: {log.StateReason}";
        }

        if (log.LogEndOffset < Acknowledged)
        {
            return $"ends at {log.LogEndOffset}, {Acknowledged} was acknowledged";
        }

        if (log.LogStartOffset > Math.Max(DeletedBelow, 0) || log.LogStartOffset < AcknowledgedDeletedBelow)
        {
            return $"starts at {log.LogStartOffset}, deletion was acknowledged to {AcknowledgedDeletedBelow} and asked to {DeletedBelow}";
        }

        return FindWrongRecord(log) ?? FindWrongAnswer(log);
    }

    private string? FindWrongRecord(PartitionLog log)
    {
        var expected = log.LogStartOffset;
        foreach (var (offset, value, _) in LogContent.Read(log))
        {
            if (offset < log.LogStartOffset)
            {
                continue;
            }

            if (offset != expected++)
            {
                return $"offset {offset} stands where {expected - 1} should";
            }

            if (!_appended.TryGetValue(offset, out var record) || !record.Value.AsSpan().SequenceEqual(value))
            {
                return $"offset {offset} holds what was never appended there";
            }
        }

        return expected == log.LogEndOffset ? null : $"records end at {expected}, the log at {log.LogEndOffset}";
    }

    /// <summary>Every producer's last batch that is in the log must be recognised, and the next sequence be taken.</summary>
    private string? FindWrongAnswer(PartitionLog log)
    {
        foreach (var producer in Producers)
        {
            var last = _appended.Where(pair => pair.Key < log.LogEndOffset && pair.Value.ProducerId == producer)
                .Select(static pair => (int?)pair.Value.Sequence).Max();
            if (last is not { } sequence)
            {
                continue;
            }

            var (batch, header) = LogContent.Batch(Identity, [[1, 2, 3]], new BatchProducer(producer, 0, sequence + 2));
            var outcome = log.Append(batch, header, 0, log.DurableOffset, 0);
            if (outcome.Code != Protocol.Errors.ErrorCode.OutOfOrderSequence)
            {
                return $"producer {producer} was let jump over sequence {sequence + 1}: {outcome.Code}";
            }
        }

        return null;
    }
}
