using Weir.Testing.Support.History;
using Xunit;

namespace Weir.Testing.Support.Tests.History;

/// <summary>Figures, the text of a report, and what the recorder refuses.</summary>
[Trait("Category", "Unit")]
public sealed class ReportTests
{
    [Fact]
    public void Figures_count_sends_and_reads()
    {
        var figures = HistoryChecker.Check(
            new Story().SentUpTo(2).Unknown(1, 3).Unknown(1, 4).Failed(1, 5).Poll(3, 0, (0, 1), (1, 2)).Poll(4, 1, (1, 2), (2, 3))
                .Log).Figures;
        Assert.Equal((2, 2, 1), (figures.Acknowledged, figures.Unknown, figures.Failed));
        Assert.Equal((3, 1, 4L, 2), (figures.Read, figures.UnknownRead, figures.RecordsRead, figures.Polls));
    }

    [Fact]
    public void Gaps_between_acknowledgements_count_from_the_first_send_to_the_end_of_the_last()
    {
        var figures = HistoryChecker.Check(new Story().SentUpTo(3).Wait(10).Sent(1, 4, 3).Wait(50).Unknown(1, 5).Log).Figures;
        Assert.Equal(TimeSpan.FromMilliseconds(52), figures.LongestGap);
        Assert.Equal(TimeSpan.FromMilliseconds(17), figures.LongestGapAt);
        Assert.Equal(TimeSpan.FromMilliseconds(12), figures.P99Gap);
    }

    [Fact]
    public void Lag_is_the_age_of_what_a_poll_missed()
    {
        var figures = HistoryChecker.Check(new Story().SentUpTo(1).Wait(20).Poll(3, 0).Poll(3, 0, (0, 1)).Log).Figures;
        Assert.Equal(TimeSpan.FromMilliseconds(21), figures.LongestLag);
        Assert.Equal(TimeSpan.Zero, figures.LagAtEnd);
        Assert.Equal(
            TimeSpan.FromMilliseconds(8), HistoryChecker.Check(new Story().SentUpTo(1).Wait(7).Poll(3, 0).Log).Figures.LagAtEnd);
    }

    [Fact]
    public void Report_counts_every_anomaly_and_describes_the_first_of_each_kind()
    {
        var report = HistoryChecker.Check(new Story().SentUpTo(40).Final(20, (20, 21)).Log);
        Assert.Equal(39, report.CountOf(AnomalyKind.Unseen));
        Assert.Equal(10, report.Anomalies.Count);
        Assert.Contains("Unseen: 39", report.ToString(), StringComparison.Ordinal);
        Assert.Contains("value 1 was acknowledged and never read; see #0 (send of value 1", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Operation_ends_once_and_as_what_it_is()
    {
        var story = new Story();
        var send = story.Begin(1, 1);
        Assert.Throws<InvalidOperationException>(() => story.Log.EndPoll(send, new PollResult(), 5));
        Assert.Throws<ArgumentException>(() => story.Acknowledge(send, 0, Story.There));
        story.Acknowledge(send, 0);
        Assert.Throws<InvalidOperationException>(() => story.Log.Fail(send, 5));
    }

    [Fact]
    public async Task Many_threads_record_at_once()
    {
        var log = new HistoryLog();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(process => Task.Run(() =>
        {
            var result = new PollResult();
            for (var i = 0; i < 20_000; i++)
            {
                var partition = new PartitionId("t", process);
                var send = log.BeginSend(process, partition, (process * 20_000L) + i, i);
                log.Acknowledge(send, partition, i, i);
                result.Clear().Partition(partition, i).Add(i, (process * 20_000L) + i);
                log.EndPoll(log.BeginPoll(process, i, isFinal: true), result, i);
            }
        })));
        var report = HistoryChecker.Check(log);
        Assert.True(report.IsClean, report.ToString());
        Assert.Equal(80_000, report.Figures.Read);
    }
}
