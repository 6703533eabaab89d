using Weir.Protocol.Messages;
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
        foreach (var (offset, value) in LogContent.Read(log))
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

            var (batch, header) = LogContent.Batch(Identity, [[1, 2, 3]], producer, sequence + 2);
            var outcome = log.Append(batch, header, 0, log.DurableOffset, 0);
            if (outcome.Code != Protocol.Errors.ErrorCode.OutOfOrderSequence)
            {
                return $"producer {producer} was let jump over sequence {sequence + 1}: {outcome.Code}";
            }
        }

        return null;
    }
}

/// <summary>Makes batches and reads logs back.</summary>
public static class LogContent
{
    public static (byte[] Batch, RecordBatchHeader Header) Batch(
        LogIdentity identity, IReadOnlyList<byte[]> values, long producerId = -1, int baseSequence = -1, long timestampMs = 0,
        CompressionType compression = CompressionType.None)
    {
        using var builder = new RecordBatchBuilder(4 * 1024 * 1024);
        foreach (var value in values)
        {
            builder.TryAdd(timestampMs, default, hasKey: false, value, hasValue: true, []);
        }

        var producer = producerId < 0 ? BatchProducer.None : new BatchProducer(producerId, 0, baseSequence);
        var batch = builder.Seal(identity.TopicId, identity.Partition, producer, compression).ToArray();
        return (batch, RecordBatchHeader.Verify(batch));
    }

    /// <summary>Every record below the durable offset, checksums verified.</summary>
    public static IEnumerable<(long Offset, byte[] Value)> Read(PartitionLog log, int maxBytes = 64 * 1024)
    {
        var cursor = log.Locate(log.LogStartOffset);
        var limit = log.Options.Durability == Durability.Fsync ? log.DurableOffset : log.WrittenOffset;
        while (true)
        {
            using var slice = log.Read(ref cursor, limit, maxBytes);
            if (slice.Length == 0)
            {
                yield break;
            }

            var bytes = new byte[slice.Length];
            if (slice.IsInMemory)
            {
                slice.Memory.CopyTo(bytes);
            }
            else
            {
                slice.File!.Read(bytes, slice.FilePosition);
            }

            foreach (var record in Decode(bytes))
            {
                yield return record;
            }
        }
    }

    private static List<(long, byte[])> Decode(byte[] bytes)
    {
        var records = new List<(long, byte[])>();
        for (ReadOnlyMemory<byte> rest = bytes; !rest.IsEmpty;)
        {
            var batch = rest[..(int)RecordBatchHeader.ReadLength(rest.Span)];
            var header = RecordBatchHeader.Verify(batch.Span);
            var body = BatchCompression.Decompress(batch, header, int.MaxValue, out _);
            var position = 0;
            for (var offset = header.BaseOffset; offset < header.NextOffset; offset++)
            {
                var record = RecordReader.Read(body.Span, position, header.BaseTimestampMs);
                records.Add((offset, body.Slice(record.ValueStart, record.ValueLength).ToArray()));
                position = record.End;
            }

            rest = rest[batch.Length..];
        }

        return records;
    }
}
