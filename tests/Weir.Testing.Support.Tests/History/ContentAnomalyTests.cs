using Weir.Protocol.Messages;
using Weir.Testing.Support.History;
using Xunit;

namespace Weir.Testing.Support.Tests.History;

/// <summary>What the records of a partition must not look like: a smallest history for each, and one nearby that is fine.</summary>
[Trait("Category", "Unit")]
public sealed class ContentAnomalyTests
{
    [Fact]
    public void Empty_history_is_clean() => new Story().IsClean();

    [Fact]
    public void Offset_that_was_acknowledged_for_one_value_and_read_with_another()
    {
        var anomaly = new Story().Sent(1, value: 1, offset: 0).Unknown(2, value: 2).Poll(3, from: 0, (0, 2))
            .Shows(AnomalyKind.InconsistentOffset, AnomalyKind.LostWrite);
        Assert.Equal([0, 2], anomaly.Operations);
        Assert.StartsWith("t/0: offset 0 holds value 1 and value 2; see #0 (send of value 1 to t/0, offset 0;", anomaly.Text);
    }

    [Fact]
    public void Offset_that_two_readers_saw_with_different_values() =>
        new Story().Unknown(1, 1).Unknown(2, 2).Poll(3, 0, (0, 1)).Poll(4, 0, (0, 2)).Shows(AnomalyKind.InconsistentOffset);

    [Fact]
    public void Offset_that_a_failed_poll_saw_with_another_value() =>
        new Story().SentUpTo(1).Unknown(2, 2).Poll(4, Outcome.Fail, 0, -1, Story.Here, isFinal: false, [(0, 2)])
            .Shows(AnomalyKind.InconsistentOffset);

    [Fact]
    public void Offset_with_one_value_in_each_of_two_partitions() =>
        new Story().Sent(1, 1, 0).Sent(1, 2, 0, Story.There).Poll(3, 0, (0, 1)).IsClean();

    [Fact]
    public void Offset_that_a_weak_acknowledgement_named_may_hold_another_value() =>
        new Story().Sent(1, 1, 0, acks: Acks.Leader).Sent(2, 2, 0).Final(0, (0, 2)).IsClean();

    [Fact]
    public void Acknowledged_value_where_the_broker_wrote_records_of_its_own() =>
        new Story().SentUpTo(1).Gap(0, 1, GapReason.Control).Shows(AnomalyKind.InconsistentOffset);

    [Fact]
    public void Value_at_two_offsets() =>
        new Story().Unknown(1, 1).Poll(3, 0, (0, 1), (1, 1)).Shows(AnomalyKind.Duplicate);

    [Fact]
    public void Value_read_beside_its_acknowledged_offset() =>
        new Story().Sent(1, 1, 0).Unknown(2, 2).Poll(3, 0, (0, 2), (1, 1))
            .Shows(AnomalyKind.InconsistentOffset, AnomalyKind.Duplicate);

    [Fact]
    public void Value_read_beside_its_weakly_acknowledged_offset() =>
        new Story().Sent(1, 1, 7, acks: Acks.Leader).Poll(3, 0, (0, 1)).Shows(AnomalyKind.Duplicate);

    [Fact]
    public void Value_in_two_partitions_where_the_client_chose()
    {
        var story = new Story();
        story.Log.BeginSend(1, partition: null, value: 1, time: 0);
        story.Poll(3, 0, (0, 1)).IsClean();
        story.Poll(3, Outcome.Ok, 4, -1, Story.There, isFinal: false, [(4, 1)]).Shows(AnomalyKind.Duplicate);
    }

    [Fact]
    public void Value_read_by_two_readers_is_no_duplicate() =>
        new Story().SentUpTo(1).Poll(3, 0, (0, 1)).Poll(4, 0, (0, 1)).IsClean();

    [Fact]
    public void Acknowledged_value_that_readers_passed() =>
        new Story().SentUpTo(2).Poll(3, 0).Poll(4, 1, (1, 2)).Shows(AnomalyKind.LostWrite);

    [Fact]
    public void Acknowledged_value_that_readers_have_not_reached_or_began_behind()
    {
        new Story().SentUpTo(3).Poll(3, 0, (0, 1), (1, 2)).IsClean();
        new Story().SentUpTo(3).Poll(3, 2, (2, 3)).IsClean();
    }

    [Fact]
    public void Acknowledged_value_that_was_read_only_by_a_failed_poll() =>
        new Story().SentUpTo(2).Poll(3, Outcome.Info, 0, -1, Story.Here, isFinal: false, [(0, 1)]).Poll(4, 0)
            .Poll(5, 1, (1, 2)).Shows(AnomalyKind.LostWrite);

    [Fact]
    public void Acknowledged_value_that_retention_removed() =>
        new Story().SentUpTo(2).Gap(0, 1, GapReason.Removed).Final(0, (1, 2)).IsClean();

    [Fact]
    public void Acknowledged_value_that_the_final_read_does_not_hold() =>
        new Story().SentUpTo(2).Final(0, (0, 1)).Shows(AnomalyKind.Unseen);

    [Fact]
    public void Value_without_a_lasting_acknowledgement_may_be_missing_at_the_end() =>
        new Story().SentUpTo(1).Unknown(1, 2).Failed(1, 3).Sent(1, 4, 1, acks: Acks.Leader).Sent(1, 5, -1, acks: Acks.None)
            .Final(0, (0, 1)).IsClean();

    [Fact]
    public void Acknowledged_value_without_a_final_read_is_not_missing() =>
        new Story().SentUpTo(2).Poll(3, 0, (0, 1)).IsClean();

    [Fact]
    public void Value_that_was_read_once_and_is_not_there_at_the_end() =>
        new Story().SentUpTo(1).Unknown(2, 2).Poll(3, 0, (0, 1), (1, 2)).Final(0, (0, 1)).Shows(AnomalyKind.Vanished);

    [Fact]
    public void Value_that_was_read_below_the_start_of_the_final_read() =>
        new Story().SentUpTo(2).Poll(3, 0, (0, 1)).Final(1, (1, 2)).IsClean();

    [Fact]
    public void Value_that_nobody_sent() => new Story().Poll(3, 0, (0, 1)).Shows(AnomalyKind.PhantomRead);

    [Fact]
    public void Value_that_was_sent_elsewhere() =>
        new Story().Unknown(1, 1, Story.There).Poll(3, 0, (0, 1)).Shows(AnomalyKind.PhantomRead);

    [Fact]
    public void Value_that_was_read_before_it_was_sent() =>
        new Story().Poll(3, 0, (0, 1)).Unknown(1, 1).Shows(AnomalyKind.PhantomRead);

    [Fact]
    public void Value_that_was_read_while_its_send_ran()
    {
        var story = new Story();
        var send = story.Begin(1, 1);
        story.Poll(3, 0, (0, 1)).Acknowledge(send, 0).IsClean();
    }

    [Fact]
    public void Value_whose_send_failed() =>
        new Story().Failed(1, 1).Poll(3, 0, (0, 1)).Shows(AnomalyKind.AbortedRead);

    [Fact]
    public void Value_whose_send_has_an_unknown_outcome_may_be_read() =>
        new Story().Unknown(1, 1).Failed(1, 2).Final(0, (0, 1)).IsClean();

    [Fact]
    public void Value_that_was_sent_twice_is_a_fault_of_the_history() =>
        Assert.Throws<ArgumentException>(() => new Story().Unknown(1, 1).Unknown(2, 1).IsClean());
}
