namespace Weir.Testing.Support.History;

/// <summary>
/// Holds a history against what a log with offsets promises, without transactions. Nothing is searched: each rule is
/// one pass, so that time and memory follow the history's size.
/// </summary>
/// <remarks>
/// The image of a partition is what polls of any outcome read (a reader must never be shown what may go away) and what
/// was acknowledged to stay. Lost writes are those below a read record, from the lowest position of any poll on; a poll
/// without a position counts as one from the start. The rules of the final read hold if any poll was marked final.
/// </remarks>
public static class HistoryChecker
{
    /// <summary>Checks a history that is no longer recorded to.</summary>
    /// <exception cref="ArgumentException">A value was sent twice: the history itself is wrong.</exception>
    public static CheckReport Check(HistoryLog history)
    {
        var findings = new Findings(history);
        var values = new SentValues(history);
        var content = new ContentCheck(history, values, findings);
        var images = content.Build();
        new LossCheck(history, values, images, findings).Run(content.HasFinalPhase);
        var sessions = new SessionCheck(history, values, images, findings);
        sessions.Run();
        return findings.ToReport(Figures(history, values, sessions));
    }

    private static HistoryFigures Figures(HistoryLog history, SentValues values, SessionCheck sessions)
    {
        var acknowledgements = new List<long>();
        var (polls, unknown, failed, read, unknownRead) = (0, 0, 0, 0, 0);
        var (first, last) = (long.MaxValue, long.MinValue);
        var send = 0;
        for (var id = 0; id < history.Count; id++)
        {
            ref readonly var operation = ref history.At(id);
            polls += operation.Kind == OperationKind.Poll ? 1 : 0;
            if (operation.Kind != OperationKind.Send)
            {
                continue;
            }

            var isRead = values.Seen[send++].IsRead;
            read += isRead ? 1 : 0;
            unknown += operation.Outcome == Outcome.Info ? 1 : 0;
            unknownRead += operation.Outcome == Outcome.Info && isRead ? 1 : 0;
            failed += operation.Outcome == Outcome.Fail ? 1 : 0;
            first = Math.Min(first, operation.Invoked);
            last = Math.Max(last, operation.Completed == Operation.Never ? operation.Invoked : operation.Completed);
            if (operation.Outcome == Outcome.Ok)
            {
                acknowledgements.Add(operation.Completed);
            }
        }

        var gaps = new AcknowledgementGaps(acknowledgements, first, last);
        return new HistoryFigures
        {
            Acknowledged = acknowledgements.Count,
            Unknown = unknown,
            Failed = failed,
            UnknownRead = unknownRead,
            Read = read,
            RecordsRead = history.RecordCount,
            Polls = polls,
            Partitions = history.Partitions.Count,
            LongestGap = ToTime(history, gaps.Longest),
            LongestGapAt = ToTime(history, gaps.LongestAt),
            P99Gap = ToTime(history, gaps.P99),
            LongestLag = ToTime(history, sessions.LongestLag),
            LagAtEnd = ToTime(history, sessions.LagAtEnd),
        };
    }

    private static TimeSpan ToTime(HistoryLog history, long ticks) =>
        TimeSpan.FromTicks((long)((Int128)ticks * TimeSpan.TicksPerSecond / history.TicksPerSecond));
}

/// <summary>The times without an acknowledgement, from the first send to the end of the last.</summary>
internal readonly struct AcknowledgementGaps
{
    public AcknowledgementGaps(List<long> acknowledgements, long first, long last)
    {
        if (first > last)
        {
            return;
        }

        acknowledgements.Sort();
        var gaps = new long[acknowledgements.Count + 1];
        var before = first;
        for (var i = 0; i < gaps.Length; i++)
        {
            var at = i < acknowledgements.Count ? acknowledgements[i] : Math.Max(last, before);
            gaps[i] = at - before;
            if (gaps[i] > Longest)
            {
                (Longest, LongestAt) = (gaps[i], before - first);
            }

            before = at;
        }

        Array.Sort(gaps);
        P99 = gaps[(int)((gaps.Length - 1) * 0.99)];
    }

    public long Longest { get; }

    public long LongestAt { get; }

    public long P99 { get; }
}
