using System.Runtime.InteropServices;

namespace Weir.Testing.Support.History;

/// <summary>Follows each process through the history: its reads, its sends and the ends that it saw go forwards only.</summary>
internal sealed class SessionCheck(HistoryLog history, SentValues values, PartitionImage[] images, Findings findings)
{
    private const int ValuesNamed = 8;
    private readonly Dictionary<(int Process, int Partition), Session> _sessions = [];
    private readonly Dictionary<int, Epoch> _epochs = [];
    private readonly long[] _lagAtEnd = new long[images.Length];

    public long LongestLag { get; private set; }

    public long LagAtEnd => _lagAtEnd.DefaultIfEmpty().Max();

    public void Run()
    {
        var send = 0;
        for (var id = 0; id < history.Count; id++)
        {
            ref readonly var operation = ref history.At(id);
            ref var epoch = ref CollectionsMarshal.GetValueRefOrAddDefault(_epochs, operation.Process, out _);
            switch (operation.Kind)
            {
                case OperationKind.Send:
                    CheckSend(id, operation, values.Seen[send++], epoch);
                    break;
                case OperationKind.Poll:
                    CheckPoll(id, operation, ref epoch);
                    break;
                case OperationKind.Assign:
                    epoch.Assignment++;
                    Assign(id, operation, epoch);
                    break;
                default:
                    epoch.Assignment++;
                    epoch.Process++;
                    break;
            }
        }
    }

    private void CheckSend(int id, in Operation send, in SeenValue seen, Epoch epoch)
    {
        if (seen.FirstOffset < 0 || send.Outcome == Outcome.Fail)
        {
            return;
        }

        ref var session = ref SessionOf(send.Process, seen.Partition, epoch);
        if (session.SendOffset >= seen.FirstOffset)
        {
            ref readonly var before = ref history.At(session.SendId);
            var isOneRequest = send.Batch != 0 && send.Batch == before.Batch;
            Report(
                isOneRequest ? AnomalyKind.InternalNonmonotonicSend : AnomalyKind.NonmonotonicSend, seen.Partition,
                $"value {before.Value} was sent before value {send.Value} and lies at offset {session.SendOffset}, "
                + $"not below {seen.FirstOffset}",
                [session.SendId, id], [before.Value, send.Value]);
        }

        session.SendOffset = seen.FirstOffset;
        session.SendId = id;
    }

    private void Assign(int id, in Operation assign, Epoch epoch)
    {
        for (var s = 0; s < assign.SliceCount; s++)
        {
            ref readonly var slice = ref history.SliceAt(assign.FirstSlice + s);
            ref var session = ref SessionOf(assign.Process, slice.Partition, epoch);
            session.Next = slice.Position;
            session.NextId = id;
        }
    }

    private void CheckPoll(int id, in Operation poll, ref Epoch epoch)
    {
        for (var s = 0; s < poll.SliceCount; s++)
        {
            ref readonly var slice = ref history.SliceAt(poll.FirstSlice + s);
            ref var session = ref SessionOf(poll.Process, slice.Partition, epoch);
            CheckReads(id, slice, ref session);
            CheckEnd(id, slice, ref session);
            NoteLag(poll, slice, session.Next);
        }

        // A poll that did not succeed may have moved the reader by more, or less, than it showed.
        if (poll.Outcome != Outcome.Ok)
        {
            epoch.Assignment++;
        }
    }

    private void CheckReads(int id, in PartitionSlice slice, ref Session session)
    {
        var next = session.Next;
        var nextId = session.NextId;
        if (next < 0)
        {
            (next, nextId) = (slice.Position, id);
        }

        for (var r = 0; r < slice.RecordCount; r++)
        {
            ref readonly var record = ref history.RecordAt(slice.FirstRecord + r);
            if (record.Offset != next && next >= 0)
            {
                CheckJump(id, slice.Partition, record, next, nextId);
            }

            next = record.Offset + 1;
            nextId = id;
        }

        session.Next = next;
        session.NextId = nextId;
    }

    private void CheckJump(int id, int partition, in ReadRecord record, long next, int nextId)
    {
        var isInternal = id == nextId;
        int[] operations = isInternal ? [id] : [nextId, id];
        if (record.Offset < next)
        {
            Report(
                isInternal ? AnomalyKind.InternalNonmonotonicPoll : AnomalyKind.NonmonotonicPoll, partition,
                $"value {record.Value} was read at offset {record.Offset}, where offset {next} or more was due",
                operations, [record.Value]);
            return;
        }

        var image = images[partition];
        var skipped = Skipped(image, next, record.Offset);
        if (skipped.Count > 0)
        {
            Report(
                isInternal ? AnomalyKind.InternalPollSkip : AnomalyKind.PollSkip, partition,
                $"the read from offset {next} went on at {record.Offset} (value {record.Value}) and left out values "
                + string.Join(", ", skipped),
                operations, [.. skipped, record.Value]);
        }
        else if (!image.Gaps.Covers(next, record.Offset))
        {
            Report(
                AnomalyKind.UndeclaredGap, partition,
                $"the read from offset {next} went on at {record.Offset} (value {record.Value}), and nothing says why",
                operations, [record.Value]);
        }
    }

    private static List<long> Skipped(PartitionImage image, long from, long to)
    {
        var skipped = new List<long>();
        var beyond = image.Order.Rank(to);
        for (var rank = image.Order.Rank(from); rank < beyond && skipped.Count < ValuesNamed; rank++)
        {
            if (!image.Gaps.IsRemoved(image.Order.OffsetAt(rank)))
            {
                skipped.Add(image.Values[rank]);
            }
        }

        return skipped;
    }

    private void CheckEnd(int id, in PartitionSlice slice, ref Session session)
    {
        if (slice.End < 0)
        {
            return;
        }

        for (var r = 0; r < slice.RecordCount; r++)
        {
            ref readonly var record = ref history.RecordAt(slice.FirstRecord + r);
            if (record.Offset >= slice.End)
            {
                Report(
                    AnomalyKind.ReadAboveEnd, slice.Partition,
                    $"value {record.Value} was read at offset {record.Offset}, with the end at {slice.End}", [id], [record.Value]);
            }
        }

        if (slice.End < session.End)
        {
            Report(
                AnomalyKind.EndWentBack, slice.Partition, $"the end was {session.End} and then {slice.End}",
                [session.EndId, id], []);
        }

        session.End = slice.End;
        session.EndId = id;
    }

    private void NoteLag(in Operation poll, in PartitionSlice slice, long next)
    {
        if (poll.Outcome != Outcome.Ok || next < 0)
        {
            return;
        }

        var known = images[slice.Partition].KnownBefore(history, next, poll.Invoked);
        var lag = known < 0 ? 0 : poll.Invoked - history.At(known).Completed;
        LongestLag = Math.Max(LongestLag, lag);
        _lagAtEnd[slice.Partition] = lag;
    }

    private ref Session SessionOf(int process, int partition, Epoch epoch)
    {
        ref var session = ref CollectionsMarshal.GetValueRefOrAddDefault(_sessions, (process, partition), out var exists);
        if (!exists || session.Epoch.Process != epoch.Process)
        {
            session = new Session { Epoch = epoch, Next = -1, End = -1, SendOffset = -1 };
        }
        else if (session.Epoch.Assignment != epoch.Assignment)
        {
            session.Epoch = epoch;
            session.Next = -1;
        }

        return ref session;
    }

    private void Report(AnomalyKind kind, int partition, string text, int[] operations, long[] named)
    {
        if (findings.Count(kind))
        {
            findings.Describe(kind, partition, text, operations, named);
        }
    }

    private struct Epoch
    {
        public int Process;
        public int Assignment;
    }

    /// <summary>What a process last saw of a partition; -1 where nothing.</summary>
    private struct Session
    {
        public Epoch Epoch;
        public long Next;
        public int NextId;
        public long End;
        public int EndId;
        public long SendOffset;
        public int SendId;
    }
}
