using Weir.Protocol.Errors;
using Weir.Protocol.Records;

namespace Weir.Storage.Producers;

/// <summary>A batch that a producer wrote, remembered to recognise its retry.</summary>
/// <param name="BaseSequence">Sequence number of its first record.</param>
/// <param name="LastSequence">Sequence number of its last record.</param>
/// <param name="BaseOffset">Offset of its first record.</param>
/// <param name="AppendTimeMs">When it was appended.</param>
internal readonly record struct ProducedBatch(int BaseSequence, int LastSequence, long BaseOffset, long AppendTimeMs)
{
    /// <summary>First offset after the batch.</summary>
    public long NextOffset => BaseOffset + ProducerStateTable.Distance(BaseSequence, LastSequence) + 1;
}

/// <summary>What the table says about a batch that wants to be appended.</summary>
/// <param name="Code">None for a new batch or a duplicate, else why it is refused.</param>
/// <param name="Original">For a duplicate: the batch as it was appended.</param>
internal readonly record struct SequenceCheck(ErrorCode Code, ProducedBatch? Original = null);

/// <summary>
/// What a log knows of its idempotent producers: the epoch and the last five batches of each, as many as one may have in
/// flight. A synchronous state machine over the batches of the log: replaying them gives the same table. Used under the
/// log's lock.
/// </summary>
internal sealed class ProducerStateTable
{
    /// <summary>Batches that a producer may have in flight to one partition.</summary>
    public const int BatchWindow = 5;

    private readonly Dictionary<long, Entry> _entries = [];

    /// <summary>Producer ids that are remembered.</summary>
    public int Count => _entries.Count;

    /// <summary>Sequences from one to another, with the wrap from 2^31-1 to 0.</summary>
    public static int Distance(int from, int to) => (to - from) & int.MaxValue;

    /// <summary>Whether a batch may be appended; changes nothing.</summary>
    public SequenceCheck Check(in RecordBatchHeader batch)
    {
        if (batch.ProducerId == RecordBatchHeader.NoProducerId)
        {
            return new SequenceCheck(ErrorCode.None);
        }

        if (!_entries.TryGetValue(batch.ProducerId, out var entry))
        {
            return new SequenceCheck(batch.BaseSequence == 0 ? ErrorCode.None : ErrorCode.UnknownProducer);
        }

        if (batch.ProducerEpoch < entry.Epoch)
        {
            return new SequenceCheck(ErrorCode.FencedProducer);
        }

        if (batch.ProducerEpoch > entry.Epoch)
        {
            return new SequenceCheck(batch.BaseSequence == 0 ? ErrorCode.None : ErrorCode.OutOfOrderSequence);
        }

        var lastSequence = LastSequence(batch);
        foreach (var known in entry.Batches)
        {
            if (known.BaseSequence == batch.BaseSequence && known.LastSequence == lastSequence)
            {
                return new SequenceCheck(ErrorCode.None, known);
            }
        }

        return new SequenceCheck(
            batch.BaseSequence == Next(entry.LastSequence) ? ErrorCode.None : ErrorCode.OutOfOrderSequence);
    }

    /// <summary>Whether a batch of the log is among those that a retry would be recognised by.</summary>
    public bool Remembers(in RecordBatchHeader batch) =>
        batch.ProducerId != RecordBatchHeader.NoProducerId && Check(batch).Original?.BaseOffset == batch.BaseOffset;

    /// <summary>Remembers a batch that is in the log.</summary>
    public void Apply(in RecordBatchHeader batch, int maxProducers)
    {
        if (batch.ProducerId == RecordBatchHeader.NoProducerId)
        {
            return;
        }

        if (!_entries.TryGetValue(batch.ProducerId, out var entry) || entry.Epoch != batch.ProducerEpoch)
        {
            if (entry is null && _entries.Count >= maxProducers)
            {
                _entries.Remove(_entries.MinBy(static pair => pair.Value.LastAppendTimeMs).Key);
            }

            entry = new Entry(batch.ProducerEpoch);
            _entries[batch.ProducerId] = entry;
        }

        if (entry.Batches.Count == BatchWindow)
        {
            entry.Batches.Dequeue();
        }

        entry.LastSequence = LastSequence(batch);
        entry.LastAppendTimeMs = batch.AppendTimeMs;
        entry.Batches.Enqueue(new ProducedBatch(
            batch.BaseSequence, entry.LastSequence, batch.BaseOffset, batch.AppendTimeMs));
    }

    /// <summary>Forgets producers that wrote nothing since <paramref name="beforeMs"/>.</summary>
    public void Expire(long beforeMs)
    {
        foreach (var (id, _) in _entries.Where(pair => pair.Value.LastAppendTimeMs < beforeMs).ToList())
        {
            _entries.Remove(id);
        }
    }

    /// <summary>An independent copy.</summary>
    public ProducerStateTable Clone()
    {
        var copy = new ProducerStateTable();
        foreach (var (id, entry) in _entries)
        {
            copy._entries[id] = entry.Clone();
        }

        return copy;
    }

    /// <summary>Forgets everything.</summary>
    public void Clear() => _entries.Clear();

    /// <summary>Writes the table, in the order of the ids.</summary>
    public void Save(BinaryWriter writer)
    {
        writer.Write(_entries.Count);
        foreach (var (id, entry) in _entries.OrderBy(static pair => pair.Key))
        {
            writer.Write(id);
            writer.Write(entry.Epoch);
            writer.Write(entry.LastAppendTimeMs);
            writer.Write((byte)entry.Batches.Count);
            foreach (var batch in entry.Batches)
            {
                writer.Write(batch.BaseSequence);
                writer.Write(batch.LastSequence);
                writer.Write(batch.BaseOffset);
                writer.Write(batch.AppendTimeMs);
            }
        }
    }

    /// <summary>Replaces the table by one that <see cref="Save"/> wrote.</summary>
    public void Load(BinaryReader reader)
    {
        Clear();
        for (var left = reader.ReadInt32(); left > 0; left--)
        {
            var id = reader.ReadInt64();
            var entry = new Entry(reader.ReadInt16()) { LastAppendTimeMs = reader.ReadInt64() };
            for (var batches = reader.ReadByte(); batches > 0; batches--)
            {
                var batch = new ProducedBatch(
                    reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt64(), reader.ReadInt64());
                entry.Batches.Enqueue(batch);
                entry.LastSequence = batch.LastSequence;
            }

            _entries[id] = entry;
        }
    }

    private static int LastSequence(in RecordBatchHeader batch) =>
        // Not by the records: compaction removes some, and the batch was as long as its offsets.
        (int)(((uint)batch.BaseSequence + (uint)batch.LastOffsetDelta) & int.MaxValue);

    private static int Next(int sequence) => sequence == int.MaxValue ? 0 : sequence + 1;

    private sealed class Entry(short epoch)
    {
        public short Epoch { get; } = epoch;

        public Queue<ProducedBatch> Batches { get; private init; } = new(BatchWindow);

        public long LastAppendTimeMs { get; set; }

        /// <summary>Of the youngest batch; kept because a queue gives out its end only through an enumerator.</summary>
        public int LastSequence { get; set; }

        public Entry Clone() => new(Epoch)
        {
            Batches = new Queue<ProducedBatch>(Batches),
            LastAppendTimeMs = LastAppendTimeMs,
            LastSequence = LastSequence,
        };
    }
}
