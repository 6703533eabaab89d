using System.Text;
using Weir.Protocol.Records;

namespace Weir.Storage.Crash;

/// <summary>A batch that a compacted log took.</summary>
/// <param name="BaseOffset">Offset of its first record.</param>
/// <param name="Records">Keys and values, null for a tombstone.</param>
/// <param name="Producer">Who wrote it.</param>
/// <param name="Epoch">Leader epoch.</param>
public sealed record KeyedBatch(long BaseOffset, (string Key, string? Value)[] Records, BatchProducer Producer, int Epoch)
{
    /// <summary>First offset after it.</summary>
    public long NextOffset => BaseOffset + Records.Length;
}

/// <summary>What one compacted log was given, what it promised, and how a recovered one is held against it.</summary>
public sealed class KeyedLogModel(LogIdentity identity, TimeSpan tombstoneRetention)
{
    private readonly List<KeyedBatch> _batches = [];
    private readonly List<(long NowMs, long Limit)> _runs = [];

    /// <summary>Which log.</summary>
    public LogIdentity Identity { get; } = identity;

    /// <summary>Every batch that the log took and that was not lost unacknowledged.</summary>
    public IReadOnlyList<KeyedBatch> Batches => _batches;

    /// <summary>Everything below was acknowledged as durable.</summary>
    public long Acknowledged { get; set; }

    /// <summary>The highest one that a run of compaction was given: above it every record is there.</summary>
    public long HighWatermark { get; set; }

    /// <summary>An independent copy.</summary>
    public KeyedLogModel Clone()
    {
        var copy = new KeyedLogModel(Identity, tombstoneRetention)
        {
            Acknowledged = Acknowledged, HighWatermark = HighWatermark,
        };
        copy._batches.AddRange(_batches);
        copy._runs.AddRange(_runs);
        return copy;
    }

    /// <summary>Who the next batch of a producer is from.</summary>
    public BatchProducer Next(long producerId) =>
        _batches.FindLast(batch => batch.Producer.ProducerId == producerId) is { } last
            ? last.Producer with { BaseSequence = last.Producer.BaseSequence + last.Records.Length }
            : new BatchProducer(producerId, 0, 0);

    /// <summary>Notes a batch that the log took.</summary>
    public void Appended(KeyedBatch batch) => _batches.Add(batch);

    /// <summary>Notes a run of compaction that begins.</summary>
    public void Compacts(long nowMs, long limit)
    {
        HighWatermark = Math.Max(HighWatermark, limit);
        _runs.Add((nowMs, limit));
    }

    /// <summary>After a recovery or a cut: what is not there never happened, and what is there stays.</summary>
    public void Settle(PartitionLog log)
    {
        _batches.RemoveAll(batch => batch.BaseOffset >= log.LogEndOffset);
        Acknowledged = log.LogEndOffset;
    }

    /// <summary>Why a recovered log breaks a promise; null if it keeps them all.</summary>
    public string? FindViolation(PartitionLog log)
    {
        if (log.State != LogState.Online)
        {
            return $"it opened as {log.State}: {log.StateReason}";
        }

        return log.LogEndOffset < Acknowledged || log.LogStartOffset != 0
            ? $"it has {log.LogStartOffset} to {log.LogEndOffset} and {Acknowledged} was acknowledged"
            : FindWrongRecord(log) ?? FindWrongEpoch(log) ?? FindWrongAnswer(log);
    }

    /// <summary>The first record that is missing, changed, out of order or was never appended.</summary>
    public string? FindWrongRecord(PartitionLog log)
    {
        var written = _batches.SelectMany(static batch => batch.Records.Select(
                (record, i) => new KeyedRecord(batch.BaseOffset + i, record.Key, record.Value)))
            .Where(record => record.Offset < log.LogEndOffset).ToList();
        var there = new Dictionary<long, KeyedRecord>();
        var last = -1L;
        foreach (var record in KeyedRecord.Read(log))
        {
            if (record.Offset <= last || record.Offset >= written.Count || written[(int)record.Offset] != record)
            {
                return $"offset {record.Offset} after {last} holds {record.Key}, which was not appended there";
            }

            last = record.Offset;
            there.Add(last, record);
        }

        foreach (var history in written.GroupBy(static record => record.Key))
        {
            var latest = history.Last();
            if (!there.ContainsKey(latest.Offset)
                && !(latest.Value is null && MayBeGone(latest.Offset) && !history.Any(record => there.ContainsKey(record.Offset))))
            {
                return $"the last record of {latest.Key}, at {latest.Offset}{(latest.Value is null ? ", a tombstone" : "")}, is missing";
            }
        }

        return written.Find(record => record.Offset >= HighWatermark && !there.ContainsKey(record.Offset)) is { } missing
            ? $"offset {missing.Offset} is missing, and only what is below {HighWatermark} may be compacted"
            : null;
    }

    /// <summary>A tombstone may be gone once a run has begun a retention after the first one that could meet it.</summary>
    private bool MayBeGone(long offset)
    {
        var first = _runs.FindIndex(run => run.Limit > offset);
        return first >= 0
            && _runs.Skip(first + 1).Any(run => run.NowMs >= _runs[first].NowMs + (long)tombstoneRetention.TotalMilliseconds);
    }

    private string? FindWrongEpoch(PartitionLog log)
    {
        foreach (var epoch in _batches.Where(batch => batch.BaseOffset < log.LogEndOffset).GroupBy(static batch => batch.Epoch))
        {
            var expected = new EpochEnd(epoch.Key, epoch.Last().NextOffset);
            if (log.FindEpochEnd(epoch.Key) is var found && found != expected)
            {
                return $"{expected} was found as {found}";
            }
        }

        return null;
    }

    /// <summary>Every producer's last batch must be recognised.</summary>
    private string? FindWrongAnswer(PartitionLog log)
    {
        foreach (var own in _batches.Where(batch => batch.BaseOffset < log.LogEndOffset && batch.Producer.ProducerId >= 0)
                     .GroupBy(static batch => batch.Producer.ProducerId))
        {
            var batch = own.Last();
            var (bytes, header) = Encode(Identity, batch.Records, batch.Producer, 0);
            var retried = log.Append(bytes, header, batch.Epoch, 0, 0);
            if (!retried.IsDuplicate || retried.BaseOffset != batch.BaseOffset || retried.NextOffset != batch.NextOffset)
            {
                return $"the retry of {batch.Producer} at offset {batch.BaseOffset} was answered by {retried}";
            }
        }

        return null;
    }

    /// <summary>A sealed batch.</summary>
    public static (byte[] Bytes, RecordBatchHeader Header) Encode(
        LogIdentity identity, IReadOnlyList<(string Key, string? Value)> records, BatchProducer producer, long timestampMs)
    {
        using var builder = new RecordBatchBuilder(4 * 1024 * 1024);
        foreach (var (key, value) in records)
        {
            builder.TryAdd(
                timestampMs, Encoding.UTF8.GetBytes(key), hasKey: true, Encoding.UTF8.GetBytes(value ?? ""), value is not null, []);
        }

        var batch = builder.Seal(identity.TopicId, identity.Partition, producer);
        return (batch.ToArray(), RecordBatchHeader.Verify(batch.Span));
    }
}
