using Weir.Protocol.Messages;
using Weir.Testing.Support.History;
using Xunit;

namespace Weir.Testing.Support.Tests.History;

/// <summary>A small history, told one operation after the other; each begins and ends before the next.</summary>
internal sealed class Story
{
    public static readonly PartitionId Here = new("t", 0);
    public static readonly PartitionId There = new("t", 1);
    private long _time;

    public HistoryLog Log { get; } = new(ticksPerSecond: 1000);

    public int Begin(int process, long value, PartitionId? to = null, Acks acks = Acks.All, int batch = 0) =>
        Log.BeginSend(process, to ?? Here, value, ++_time, acks, batch);

    public Story Acknowledge(int send, long offset, PartitionId? to = null)
    {
        Log.Acknowledge(send, to ?? Here, offset, ++_time);
        return this;
    }

    public Story Sent(int process, long value, long offset, PartitionId? to = null, Acks acks = Acks.All, int batch = 0) =>
        Acknowledge(Begin(process, value, to, acks, batch), offset, to);

    /// <summary>Values 1, 2 ... at offsets 0, 1 ...</summary>
    public Story SentUpTo(int last)
    {
        for (var value = 1; value <= last; value++)
        {
            Sent(process: 1, value, value - 1);
        }

        return this;
    }

    public Story Unknown(int process, long value, PartitionId? to = null)
    {
        Log.Unknown(Begin(process, value, to), ++_time);
        return this;
    }

    public Story Failed(int process, long value)
    {
        Log.Fail(Begin(process, value), ++_time);
        return this;
    }

    public Story Poll(int process, long from, params (long Offset, long Value)[] records) =>
        Poll(process, Outcome.Ok, from, -1, Here, isFinal: false, records);

    public Story Final(long from, params (long Offset, long Value)[] records) =>
        Poll(99, Outcome.Ok, from, -1, Here, isFinal: true, records);

    public Story PollWithEnd(int process, long from, long end, params (long Offset, long Value)[] records) =>
        Poll(process, Outcome.Ok, from, end, Here, isFinal: false, records);

    public Story Poll(
        int process, Outcome outcome, long from, long end, PartitionId partition, bool isFinal, (long Offset, long Value)[] records)
    {
        var poll = Log.BeginPoll(process, ++_time, isFinal);
        var result = new PollResult().Partition(partition, from, end);
        foreach (var (offset, value) in records)
        {
            result.Add(offset, value);
        }

        Log.EndPoll(poll, result, ++_time, outcome);
        return this;
    }

    public Story Assign(int process, long? from = null)
    {
        Log.Assign(process, from is { } position ? new PollResult().Partition(Here, position) : null, ++_time);
        return this;
    }

    public Story Crash(int process)
    {
        Log.Crash(process, ++_time);
        return this;
    }

    public Story Gap(long from, long to, GapReason reason)
    {
        Log.DeclareGap(Here, from, to, reason);
        return this;
    }

    public Story Wait(long time)
    {
        _time += time;
        return this;
    }

    public void IsClean()
    {
        var report = HistoryChecker.Check(Log);
        Assert.True(report.IsClean, report.ToString());
    }

    /// <summary>Expects these kinds once each, and nothing else.</summary>
    public Anomaly Shows(params AnomalyKind[] kinds)
    {
        var report = HistoryChecker.Check(Log);
        Assert.True(
            report.Counts.OrderBy(static pair => pair.Key).Select(static pair => (pair.Key, pair.Value))
                .SequenceEqual(kinds.Order().Select(static kind => (kind, 1L))),
            report.ToString());
        return report.Anomalies.First(anomaly => anomaly.Kind == kinds[0]);
    }
}
