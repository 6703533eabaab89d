using Weir.Protocol.Messages;

namespace Weir.Testing.Support.History;

/// <summary>
/// What the processes of a run did and saw, for <see cref="HistoryChecker"/>. The methods that record may be called from any
/// thread; it is checked, looked at and written when all of that has ended.
/// </summary>
/// <remarks>
/// Times come from one clock of the caller: taken before an operation starts and after it has ended, or the rules that
/// compare times report what did not happen. Two sends of one process are in the order in which they were begun, so a
/// process is one task that sends. An acknowledgement that does not promise to keep the record, by what was asked for or
/// by the topic's durability, is recorded as <see cref="Acks.Leader"/>.
/// </remarks>
/// <param name="ticksPerSecond">The unit of the times.</param>
public sealed class HistoryLog(long ticksPerSecond = TimeSpan.TicksPerSecond)
{
    private readonly Lock _gate = new();
    private readonly ChunkedList<Operation> _operations = new();
    private readonly ChunkedList<PartitionSlice> _slices = new();
    private readonly ChunkedList<ReadRecord> _records = new();
    private readonly Dictionary<PartitionId, int> _partitionIndexes = [];
    private readonly List<PartitionId> _partitions = [];
    private readonly List<OffsetGap> _gaps = [];

    /// <summary>The unit of the times.</summary>
    public long TicksPerSecond => ticksPerSecond;

    /// <summary>How many operations there are.</summary>
    public int Count => (int)_operations.Count;

    /// <summary>The partitions, by the index that operations name them with.</summary>
    public IReadOnlyList<PartitionId> Partitions => _partitions;

    /// <summary>The offsets that need hold no record.</summary>
    public IReadOnlyList<OffsetGap> Gaps => _gaps;

    internal long RecordCount => _records.Count;

    /// <summary>An operation by its number.</summary>
    public Operation this[int id] => _operations[id];

    /// <summary>Begins a send; the answer is its number.</summary>
    /// <param name="process">Who sends.</param>
    /// <param name="partition">Where to; null if the client chooses, and then the acknowledgement says.</param>
    /// <param name="value">A value that nothing else in the history sends.</param>
    /// <param name="time">Now, before anything is handed over.</param>
    /// <param name="acks">What the acknowledgement waits for.</param>
    /// <param name="batch">The number, unique in the process, of the request that it shares with others; 0 if alone.</param>
    public int BeginSend(
        int process, PartitionId? partition, long value, long time, Acks acks = Acks.All, int batch = 0)
    {
        lock (_gate)
        {
            return Add(new Operation
            {
                Process = process,
                Kind = OperationKind.Send,
                Acks = acks,
                Batch = batch,
                Partition = partition is { } known ? IndexOf(known) : -1,
                Invoked = time,
                Completed = Operation.Never,
                Value = value,
                Offset = -1,
            });
        }
    }

    /// <summary>The send was acknowledged; the offset is -1 with <see cref="Acks.None"/>.</summary>
    public void Acknowledge(int id, PartitionId partition, long offset, long time)
    {
        lock (_gate)
        {
            ref var send = ref Pending(id, OperationKind.Send);
            var index = IndexOf(partition);
            if (send.Partition >= 0 && send.Partition != index)
            {
                throw new ArgumentException($"{Describe(id)}: acknowledged by {partition}", nameof(partition));
            }

            send = send with { Outcome = Outcome.Ok, Partition = index, Offset = offset, Completed = time };
        }
    }

    /// <summary>The send certainly did not happen and will not: nobody may read the value.</summary>
    public void Fail(int id, long time) => End(id, Outcome.Fail, time);

    /// <summary>The send ended, by a timeout perhaps, and may still have happened.</summary>
    public void Unknown(int id, long time) => End(id, Outcome.Info, time);

    /// <summary>Begins a poll; the answer is its number.</summary>
    public int BeginPoll(int process, long time, bool isFinal = false)
    {
        lock (_gate)
        {
            return Add(new Operation
            {
                Process = process,
                Kind = OperationKind.Poll,
                IsFinal = isFinal,
                Partition = -1,
                Invoked = time,
                Completed = Operation.Never,
            });
        }
    }

    /// <summary>Ends a poll with what it read, which is judged also if the poll then failed.</summary>
    public void EndPoll(int id, PollResult result, long time, Outcome outcome = Outcome.Ok)
    {
        lock (_gate)
        {
            ref var poll = ref Pending(id, OperationKind.Poll);
            poll = poll with
            {
                Outcome = outcome,
                Completed = time,
                Value = _slices.Count,
                Offset = Copy(result),
            };
        }
    }

    /// <summary>
    /// From here on a process reads other partitions, or the same from elsewhere: nothing it read before bounds what it
    /// reads next, except positions that are given.
    /// </summary>
    public void Assign(int process, PollResult? from, long time) => AddEvent(OperationKind.Assign, process, from, time);

    /// <summary>A process died; its number goes on as a new session.</summary>
    public void Crash(int process, long time) => AddEvent(OperationKind.Crash, process, null, time);

    /// <summary>Allows offsets from one up to, but not including, another to hold no record of this history.</summary>
    public void DeclareGap(PartitionId partition, long from, long to, GapReason reason)
    {
        lock (_gate)
        {
            _gaps.Add(new OffsetGap(partition, from, to, reason));
        }
    }

    /// <summary>What a poll read or an assignment starts from, by partition.</summary>
    public IEnumerable<PartitionSlice> SlicesOf(int id)
    {
        var operation = this[id];
        for (var i = 0; operation.Kind != OperationKind.Send && i < operation.SliceCount; i++)
        {
            yield return _slices[operation.FirstSlice + i];
        }
    }

    /// <summary>The records of a slice, as they were read.</summary>
    public IEnumerable<ReadRecord> RecordsOf(PartitionSlice slice)
    {
        for (var i = 0; i < slice.RecordCount; i++)
        {
            yield return _records[slice.FirstRecord + i];
        }
    }

    /// <summary>An operation in words.</summary>
    public string Describe(int id)
    {
        var operation = this[id];
        var ended = operation.Completed == Operation.Never ? "without an end" : $"{operation.Outcome} at {operation.Completed}";
        var what = operation.Kind switch
        {
            OperationKind.Send when operation.Outcome == Outcome.Ok =>
                $"send of value {operation.Value} to {_partitions[operation.Partition]}, offset {operation.Offset}",
            OperationKind.Send => $"send of value {operation.Value}"
                + (operation.Partition >= 0 ? $" to {_partitions[operation.Partition]}" : ""),
            OperationKind.Poll when operation.IsFinal => "final poll",
            var kind => kind.ToString().ToLowerInvariant(),
        };
        return $"#{id} ({what}; process {operation.Process}, invoked {operation.Invoked}, {ended})";
    }

    internal ref readonly Operation At(int id) => ref _operations[id];

    internal ref readonly PartitionSlice SliceAt(long index) => ref _slices[index];

    internal ref readonly ReadRecord RecordAt(long index) => ref _records[index];

    private void AddEvent(OperationKind kind, int process, PollResult? from, long time)
    {
        lock (_gate)
        {
            Add(new Operation
            {
                Process = process,
                Kind = kind,
                Outcome = Outcome.Ok,
                Partition = -1,
                Invoked = time,
                Completed = time,
                Value = _slices.Count,
                Offset = from is null ? 0 : Copy(from),
            });
        }
    }

    private int Add(in Operation operation)
    {
        _operations.Add(operation);
        return Count - 1;
    }

    private void End(int id, Outcome outcome, long time)
    {
        lock (_gate)
        {
            ref var send = ref Pending(id, OperationKind.Send);
            send = send with { Outcome = outcome, Completed = time };
        }
    }

    private ref Operation Pending(int id, OperationKind kind)
    {
        ref var operation = ref _operations[id];
        if (operation.Kind != kind || operation.Completed != Operation.Never)
        {
            throw new InvalidOperationException($"{Describe(id)} cannot end as a {kind}");
        }

        return ref operation;
    }

    private int Copy(PollResult result)
    {
        var first = _records.Count;
        foreach (var (partition, position, end, records) in result.Slices)
        {
            _slices.Add(new PartitionSlice(IndexOf(partition), position, end, first, records));
            first += records;
        }

        _records.AddRange(result.Records);
        return result.Slices.Length;
    }

    private int IndexOf(PartitionId partition)
    {
        if (!_partitionIndexes.TryGetValue(partition, out var index))
        {
            index = _partitions.Count;
            _partitions.Add(partition);
            _partitionIndexes.Add(partition, index);
        }

        return index;
    }
}
