using Weir.Testing.Support.History;

namespace Weir.Testing.Support.Tests.History;

/// <summary>One lie told in a correct history, and what the checker must call it at least.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Expected">The kind of anomaly that must be among those reported.</param>
/// <param name="Apply">Changes the history; false if it has no place for this lie.</param>
internal sealed record HistoryMutation(string Name, AnomalyKind Expected, Func<ModelHistory, SeededRandom, bool> Apply)
{
    private const long Unsent = 1_000_000;

    public static IReadOnlyList<HistoryMutation> All { get; } =
    [
        new("drop an acknowledged value", AnomalyKind.Unseen, Drop),
        new("swap the offsets of two acknowledgements", AnomalyKind.InconsistentOffset, SwapAcknowledged),
        new("swap two values that were read", AnomalyKind.InconsistentOffset, SwapRead),
        new("read a value again at the end", AnomalyKind.Duplicate, ReadTwice),
        new("acknowledge with another offset", AnomalyKind.Duplicate, AcknowledgeElsewhere),
        new("go back in a poll", AnomalyKind.InternalNonmonotonicPoll, GoBackInside),
        new("go back between polls", AnomalyKind.NonmonotonicPoll, GoBackBetween),
        new("leave out a record that others read", AnomalyKind.InternalPollSkip, SkipInside),
        new("leave out the first record of a poll", AnomalyKind.PollSkip, SkipBetween),
        new("shift what follows by an offset", AnomalyKind.UndeclaredGap, OpenGap),
        new("lose the tail", AnomalyKind.Vanished, LoseTail),
        new("read what nobody sent", AnomalyKind.PhantomRead, ReadUnsent),
        new("read what was sent elsewhere", AnomalyKind.PhantomRead, SendElsewhere),
        new("read before the send", AnomalyKind.PhantomRead, ReadEarly),
        new("read what failed", AnomalyKind.AbortedRead, ReadFailed),
        new(
            "reorder the sends of a process", AnomalyKind.NonmonotonicSend,
            static (history, random) => ReorderSends(history, random, inOneRequest: false)),
        new(
            "reorder a request", AnomalyKind.InternalNonmonotonicSend,
            static (history, random) => ReorderSends(history, random, inOneRequest: true)),
        new("send later than it was", AnomalyKind.RealTimeOrder, SendLate),
        new("let the end go back", AnomalyKind.EndWentBack, LowerEnd),
        new("read at the end", AnomalyKind.ReadAboveEnd, ReadAtEnd),
    ];

    private static bool Drop(ModelHistory history, SeededRandom random) =>
        OnAny(random, history.Sends.Where(send => send.IsKept && IsFinallyRead(history, send.Value)), send =>
        {
            foreach (var slice in history.Operations.SelectMany(static operation => operation.Slices))
            {
                slice.Records.RemoveAll(record => record.Value == send.Value);
            }
        });

    private static bool SwapAcknowledged(ModelHistory history, SeededRandom random)
    {
        var read = history.Sends.Where(send => send.IsKept && IsFinallyRead(history, send.Value)).ToList();
        var pairs = from a in read from b in read where a.Offset < b.Offset && a.Partition == b.Partition select (a, b);
        return OnAny(random, pairs, static pair => (pair.a.Offset, pair.b.Offset) = (pair.b.Offset, pair.a.Offset));
    }

    private static bool SwapRead(ModelHistory history, SeededRandom random)
    {
        var kept = history.Sends.Where(static send => send.IsKept).Select(static send => send.Value).ToHashSet();
        var places = from read in history.Reads
                     from i in Enumerable.Range(0, Math.Max(0, read.Slice.Records.Count - 1))
                     where kept.Contains(read.Slice.Records[i].Value)
                     select (read.Slice.Records, i);
        return OnAny(random, places, static place =>
        {
            var (a, b) = (place.Records[place.i], place.Records[place.i + 1]);
            (place.Records[place.i], place.Records[place.i + 1]) = (a with { Value = b.Value }, b with { Value = a.Value });
        });
    }

    private static bool ReadTwice(ModelHistory history, SeededRandom random) =>
        OnAny(random, FinalReads(history).Where(static slice => slice.Records.Count > 0), slice =>
        {
            var last = FinalReads(history).Last(other => other.Partition == slice.Partition);
            last.Records.Add(new ReadRecord(last.End++, slice.Records[0].Value));
        });

    private static bool AcknowledgeElsewhere(ModelHistory history, SeededRandom random) =>
        OnAny(
            random, history.Sends.Where(send => send.IsKept && IsFinallyRead(history, send.Value)),
            static send => send.Offset += Unsent);

    private static bool GoBackInside(ModelHistory history, SeededRandom random) =>
        OnAny(
            random, history.Reads.Where(static read => read.Slice.Records.Count > 1),
            static read => read.Slice.Records.Reverse(0, 2));

    private static bool GoBackBetween(ModelHistory history, SeededRandom random) =>
        OnAny(random, FinalPairs(history), static pair => pair.Second.Records.Insert(0, pair.First.Records[^1]));

    private static bool SkipInside(ModelHistory history, SeededRandom random) =>
        OnAny(
            random,
            FinalReads(history).Where(slice => slice.Records.Count > 2 && IsKnownElsewhere(history, slice, slice.Records[1])),
            static slice => slice.Records.RemoveAt(1));

    private static bool SkipBetween(ModelHistory history, SeededRandom random) =>
        OnAny(
            random,
            FinalPairs(history).Where(pair =>
                pair.Second.Records.Count > 1 && IsKnownElsewhere(history, pair.Second, pair.Second.Records[0])),
            static pair => pair.Second.Records.RemoveAt(0));

    // The last record of a partition moves up; only if nothing else says where it lies.
    private static bool OpenGap(ModelHistory history, SeededRandom random)
    {
        var lasts = FinalReads(history).Where(slice => slice.Records.Count > 0
            && slice.Records[^1].Offset == slice.End - 1 && !IsKnownElsewhere(history, slice, slice.Records[^1]));
        return OnAny(random, lasts, slice =>
        {
            slice.Records[^1] = slice.Records[^1] with { Offset = slice.End };
            foreach (var later in FinalReads(history).Where(other => other.Partition == slice.Partition && other.End == slice.End).ToList())
            {
                later.End++;
            }
        });
    }

    private static bool LoseTail(ModelHistory history, SeededRandom random)
    {
        var lasts = FinalReads(history).Where(slice => slice.Records.Count > 0)
            .GroupBy(static slice => slice.Partition).Select(static slices => slices.Last())
            .Where(slice => history.Reads.Any(read =>
                !read.Poll.IsFinal && read.Slice.Records.Any(record => record.Value == slice.Records[^1].Value)));
        return OnAny(random, lasts, static slice => slice.Records.RemoveAt(slice.Records.Count - 1));
    }

    private static bool ReadUnsent(ModelHistory history, SeededRandom random) =>
        OnAny(
            random, history.Reads.Where(static read => read.Slice.Records.Count > 0),
            static read => read.Slice.Records[0] = read.Slice.Records[0] with { Value = Unsent });

    private static bool SendElsewhere(ModelHistory history, SeededRandom random) =>
        OnAny(
            random, history.Sends.Where(send => send.Partition is not null && IsFinallyRead(history, send.Value)),
            static send => send.Partition = new PartitionId("elsewhere", 0));

    private static bool ReadEarly(ModelHistory history, SeededRandom random) =>
        OnAny(random, history.Sends.Where(send => IsFinallyRead(history, send.Value)), send =>
        {
            send.Invoked = history.Operations.Max(static operation => operation.Completed ?? operation.Invoked) + 1;
            send.Completed = send.Completed is null ? null : send.Invoked + 1;
        });

    private static bool ReadFailed(ModelHistory history, SeededRandom random) =>
        OnAny(random, history.Sends.Where(send => IsFinallyRead(history, send.Value)), static send =>
        {
            send.Completed ??= send.Invoked + 1;
            send.Outcome = Outcome.Fail;
            send.Offset = -1;
        });

    private static bool ReorderSends(ModelHistory history, SeededRandom random, bool inOneRequest)
    {
        var crashes = history.Operations.Where(static operation => operation.Kind == OperationKind.Crash).ToList();
        var sends = history.Sends
            .Where(send => send.IsKept && IsFinallyRead(history, send.Value) && !crashes.Exists(crash => crash.Process == send.Process))
            .ToList();
        var pairs = from a in sends
                    from b in sends
                    where a.Offset == b.Offset - 1 && a.Process == b.Process && a.Partition == b.Partition
                        && (a.Batch != 0 && a.Batch == b.Batch) == inOneRequest
                    select (a, b);
        return OnAny(random, pairs, static pair =>
        {
            (pair.a.Value, pair.b.Value) = (pair.b.Value, pair.a.Value);
            (pair.a.Offset, pair.b.Offset) = (pair.b.Offset, pair.a.Offset);
        });
    }

    private static bool SendLate(ModelHistory history, SeededRandom random)
    {
        var kept = history.Sends.Where(static send => send.IsKept).ToList();
        var pairs = from a in kept from b in kept where a.Partition == b.Partition && a.Offset < b.Offset select (a, b);
        return OnAny(random, pairs, static pair =>
        {
            pair.a.Invoked = pair.b.Completed!.Value + 1;
            pair.a.Completed = pair.a.Invoked + 1;
        });
    }

    private static bool LowerEnd(ModelHistory history, SeededRandom random) =>
        OnAny(
            random, FinalReads(history).GroupBy(static slice => slice.Partition).Select(static slices => slices.Last())
                .Where(static slice => slice.End > 0),
            static slice => slice.End--);

    private static bool ReadAtEnd(ModelHistory history, SeededRandom random) =>
        OnAny(
            random, history.Reads.Where(static read => read.Slice.Records.Count > 0),
            static read => read.Slice.End = read.Slice.Records[^1].Offset);

    private static bool OnAny<T>(SeededRandom random, IEnumerable<T> places, Action<T> change)
    {
        var list = places.ToList();
        if (list.Count == 0)
        {
            return false;
        }

        change(list[random.Next(list.Count)]);
        return true;
    }

    private static IEnumerable<ModelSlice> FinalReads(ModelHistory history) =>
        history.Reads.Where(static read => read.Poll.IsFinal).Select(static read => read.Slice);

    /// <summary>What the final reader read from a partition in one poll and in the next.</summary>
    private static IEnumerable<(ModelSlice First, ModelSlice Second)> FinalPairs(ModelHistory history) =>
        FinalReads(history).Zip(FinalReads(history).Skip(1))
            .Where(static pair => pair.First.Partition == pair.Second.Partition && pair.First.Records.Count > 0);

    private static bool IsFinallyRead(ModelHistory history, long value) =>
        FinalReads(history).Any(slice => slice.Records.Exists(record => record.Value == value));

    /// <summary>Whether anything but this read says where a record lies.</summary>
    private static bool IsKnownElsewhere(ModelHistory history, ModelSlice slice, ReadRecord record) =>
        history.Sends.Any(send => send.Value == record.Value && send.IsKept)
        || history.Operations.SelectMany(static operation => operation.Slices)
            .Any(other => other != slice && other.Records.Contains(record));
}
