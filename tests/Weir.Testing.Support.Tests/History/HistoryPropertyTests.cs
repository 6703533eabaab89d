using CsCheck;
using Weir.Testing.Support.History;
using Xunit;

namespace Weir.Testing.Support.Tests.History;

/// <summary>Histories of a correct log are clean, and one lie in them is found.</summary>
[Trait("Category", "Simulation")]
public sealed class HistoryPropertyTests
{
    private static readonly Gen<(ulong Seed, int Steps)> AnyRun = Gen.Select(Gen.ULong, Gen.Int[0, 400]);

    public static TheoryData<string> Mutations => [.. HistoryMutation.All.Select(static mutation => mutation.Name)];

    [Fact]
    public void Correct_log_has_no_anomaly() => AnyRun.Sample(
        static run =>
        {
            var report = HistoryChecker.Check(ModelBroker.Run(run.Seed, run.Steps).ToLog());
            Assert.True(report.IsClean, report.ToString());
        },
        iter: 3000);

    [Theory]
    [MemberData(nameof(Mutations))]
    public void Lie_is_found(string name)
    {
        var mutation = HistoryMutation.All.Single(mutation => mutation.Name == name);
        var told = 0;
        AnyRun.Sample(
            run =>
            {
                var history = ModelBroker.Run(run.Seed, run.Steps);
                if (mutation.Apply(history, new SeededRandom(run.Seed, stream: 1)))
                {
                    Interlocked.Increment(ref told);
                    var report = HistoryChecker.Check(history.ToLog());
                    Assert.True(report.CountOf(mutation.Expected) > 0, report.ToString());
                }
            },
            iter: 300);
        Assert.True(told > 20, $"only {told} histories had a place for it");
    }

    [Fact]
    public void History_read_from_its_file_is_the_history_that_was_written() => AnyRun.Sample(
        static run =>
        {
            var history = ModelBroker.Run(run.Seed, run.Steps);
            if (run.Seed % 2 == 0)
            {
                HistoryMutation.All[run.Steps % HistoryMutation.All.Count].Apply(history, new SeededRandom(run.Seed, stream: 1));
            }

            var log = history.ToLog();
            using var text = new StringWriter();
            HistoryFile.Write(log, text);
            using var reader = new StringReader(text.ToString());
            var again = HistoryFile.Read(reader);
            Assert.Equal(HistoryChecker.Check(log).ToString(), HistoryChecker.Check(again).ToString());
            using var textAgain = new StringWriter();
            HistoryFile.Write(again, textAgain);
            Assert.Equal(text.ToString(), textAgain.ToString());
        },
        iter: 300);
}
