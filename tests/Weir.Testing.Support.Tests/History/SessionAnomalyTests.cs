using Weir.Protocol.Messages;
using Weir.Testing.Support.History;
using Xunit;

namespace Weir.Testing.Support.Tests.History;

/// <summary>What one process must not see, and the order of sends: a smallest history for each, and one nearby that is fine.</summary>
[Trait("Category", "Unit")]
public sealed class SessionAnomalyTests
{
    [Fact]
    public void Poll_that_leaves_out_a_value()
    {
        var anomaly = Known(3).Poll(4, 0, (0, 1), (2, 3)).Shows(AnomalyKind.InternalPollSkip);
        Assert.Equal([2L, 3L], anomaly.Values);
        Known(3).Poll(4, 0, (0, 1), (1, 2), (2, 3)).IsClean();
    }

    [Fact]
    public void Poll_that_begins_above_its_position() => Known(2).Poll(4, 0, (1, 2)).Shows(AnomalyKind.InternalPollSkip);

    [Fact]
    public void Poll_that_passes_a_declared_gap()
    {
        Story Told() => new Story().Sent(1, 1, 0).Sent(1, 2, 2).Poll(3, 0, (0, 1), (2, 2));
        Told().Shows(AnomalyKind.UndeclaredGap);
        Told().Gap(1, 2, GapReason.Control).IsClean();
        Told().Gap(1, 2, GapReason.Removed).IsClean();
        Told().Gap(2, 9, GapReason.Removed).Shows(AnomalyKind.UndeclaredGap);
    }

    [Fact]
    public void Poll_that_passes_values_which_were_removed()
    {
        Known(3).Gap(1, 2, GapReason.Removed).Poll(4, 0, (0, 1), (2, 3)).IsClean();
        Known(3).Gap(0, 1, GapReason.Removed).Poll(4, 0, (0, 1), (2, 3)).Shows(AnomalyKind.InternalPollSkip);
    }

    [Fact]
    public void Poll_that_goes_back()
    {
        Known(2).Poll(4, 0, (0, 1), (1, 2), (0, 1)).Shows(AnomalyKind.InternalNonmonotonicPoll);
        Known(2).Poll(4, 0, (0, 1), (0, 1)).Shows(AnomalyKind.InternalNonmonotonicPoll);
        Known(2).Poll(4, 1, (0, 1)).Shows(AnomalyKind.InternalNonmonotonicPoll);
    }

    [Fact]
    public void Process_that_leaves_out_a_value_between_polls()
    {
        var anomaly = Known(3).Poll(4, 0, (0, 1)).Poll(4, 2, (2, 3)).Shows(AnomalyKind.PollSkip);
        Assert.Equal([4, 5], anomaly.Operations);
        Known(3).Poll(4, -1, (0, 1)).Poll(4, -1, (2, 3)).Shows(AnomalyKind.PollSkip);
        Known(3).Poll(4, 0, (0, 1)).Poll(5, 2, (2, 3)).IsClean();
        Known(3).Poll(4, 0, (0, 1)).Poll(4, 1).Poll(4, 1, (1, 2)).IsClean();
    }

    [Fact]
    public void Process_that_goes_back_between_polls()
    {
        Known(2).Poll(4, 0, (0, 1), (1, 2)).Poll(4, 1, (1, 2)).Shows(AnomalyKind.NonmonotonicPoll);
        Known(2).Poll(4, 0, (0, 1), (1, 2)).Poll(5, 1, (1, 2)).IsClean();
    }

    [Fact]
    public void Process_that_was_assigned_or_died_may_go_anywhere()
    {
        Known(3).Poll(4, 0, (0, 1)).Assign(4).Poll(4, 2, (2, 3)).Assign(4).Poll(4, 0, (0, 1)).IsClean();
        Known(3).Poll(4, 0, (0, 1)).Crash(4).Poll(4, 2, (2, 3)).Crash(4).Poll(4, 0, (0, 1)).IsClean();
    }

    [Fact]
    public void Process_that_does_not_begin_where_it_was_assigned()
    {
        Known(3).Assign(4, from: 1).Poll(4, -1, (1, 2)).IsClean();
        Known(3).Assign(4, from: 1).Poll(4, -1, (2, 3)).Shows(AnomalyKind.PollSkip);
        Known(3).Assign(4, from: 1).Poll(4, -1, (0, 1)).Shows(AnomalyKind.NonmonotonicPoll);
    }

    [Fact]
    public void Process_whose_poll_failed_may_have_read_more() =>
        Known(3).Poll(4, Outcome.Info, 0, -1, Story.Here, isFinal: false, [(0, 1)]).Poll(4, 2, (2, 3)).IsClean();

    [Fact]
    public void Failed_poll_must_show_the_truth_all_the_same() =>
        Known(3).Poll(4, Outcome.Info, 0, -1, Story.Here, isFinal: false, [(0, 1), (2, 3)])
            .Shows(AnomalyKind.InternalPollSkip);

    [Fact]
    public void Records_of_one_request_out_of_order()
    {
        Pipelined(batch: 1, batchOfSecond: 1, first: 1, second: 0).Shows(AnomalyKind.InternalNonmonotonicSend);
        Pipelined(batch: 1, batchOfSecond: 1, first: 0, second: 1).IsClean();
    }

    [Fact]
    public void Sends_of_one_process_out_of_order()
    {
        Pipelined(batch: 0, batchOfSecond: 0, first: 1, second: 0).Shows(AnomalyKind.NonmonotonicSend);
        Pipelined(batch: 1, batchOfSecond: 2, first: 1, second: 0).Shows(AnomalyKind.NonmonotonicSend);
        Pipelined(batch: 0, batchOfSecond: 0, first: 0, second: 4).IsClean();
        Pipelined(batch: 0, batchOfSecond: 0, first: 1, second: 0, secondProcess: 2).IsClean();
    }

    [Fact]
    public void Unknown_sends_of_one_process_out_of_order()
    {
        Story Told(int process)
        {
            var story = new Story();
            var (first, second) = (story.Begin(1, 1), story.Begin(process, 2));
            story.Log.Unknown(first, 9);
            story.Log.Unknown(second, 9);
            return story.Poll(3, 0, (0, 2), (1, 1));
        }

        Told(process: 1).Shows(AnomalyKind.NonmonotonicSend);
        Told(process: 2).IsClean();
    }

    [Fact]
    public void Send_of_a_process_that_died_may_arrive_after_those_of_the_next()
    {
        var story = new Story();
        story.Begin(1, 1);
        story.Crash(1).Sent(1, 2, 0).Poll(3, 0, (0, 2), (1, 1)).IsClean();
    }

    [Fact]
    public void Send_below_an_offset_that_was_acknowledged_before()
    {
        var anomaly = new Story().Sent(1, 1, 5).Sent(2, 2, 4).Shows(AnomalyKind.RealTimeOrder);
        Assert.Equal([0, 1], anomaly.Operations);
        new Story().Sent(1, 1, 5).Sent(2, 2, 6).IsClean();
        new Story().Sent(1, 1, 5).Sent(2, 2, 4, Story.There).IsClean();
    }

    [Fact]
    public void Send_below_an_offset_that_was_read_before() =>
        new Story().Unknown(1, 1).Poll(3, 5, (5, 1)).Sent(2, 2, 4).Shows(AnomalyKind.RealTimeOrder);

    [Fact]
    public void Unknown_send_that_is_found_below_an_offset_that_was_acknowledged_before() =>
        new Story().Sent(1, 1, 1).Unknown(2, 2).Poll(3, 0, (0, 2), (1, 1)).Shows(AnomalyKind.RealTimeOrder);

    [Fact]
    public void Send_below_an_offset_that_was_acknowledged_meanwhile()
    {
        var story = new Story();
        var send = story.Begin(2, 2);
        story.Sent(1, 1, 5).Acknowledge(send, 4).IsClean();
    }

    [Fact]
    public void Send_below_a_weakly_acknowledged_offset() =>
        new Story().Sent(1, 1, 5, acks: Acks.Leader).Sent(2, 2, 4).IsClean();

    [Fact]
    public void End_that_goes_back()
    {
        Known(2).PollWithEnd(4, 2, end: 2).PollWithEnd(4, 2, end: 1).Shows(AnomalyKind.EndWentBack);
        Known(2).PollWithEnd(4, 2, end: 2).Assign(4).PollWithEnd(4, 1, end: 1).Shows(AnomalyKind.EndWentBack);
        Known(2).PollWithEnd(4, 2, end: 2).PollWithEnd(5, 1, end: 1).IsClean();
        Known(2).PollWithEnd(4, 2, end: 2).Crash(4).PollWithEnd(4, 1, end: 1).IsClean();
        Known(2).PollWithEnd(4, 2, end: 2).Poll(4, 2).PollWithEnd(4, 2, end: 2).IsClean();
    }

    [Fact]
    public void Record_at_or_above_the_end()
    {
        Known(2).PollWithEnd(4, 1, end: 1, (1, 2)).Shows(AnomalyKind.ReadAboveEnd);
        Known(2).PollWithEnd(4, 1, end: 2, (1, 2)).IsClean();
    }

    /// <summary>Values 1, 2 ... at offsets 0, 1 ..., acknowledged and read by process 3.</summary>
    private static Story Known(int last) =>
        new Story().SentUpTo(last).Poll(3, 0, [.. Enumerable.Range(0, last).Select(static i => ((long)i, i + 1L))]);

    private static Story Pipelined(int batch, int batchOfSecond, long first, long second, int secondProcess = 1)
    {
        var story = new Story();
        var a = story.Begin(1, 1, batch: batch);
        var b = story.Begin(secondProcess, 2, batch: batchOfSecond);
        return story.Acknowledge(b, second).Acknowledge(a, first);
    }
}
