using Xunit;

namespace Weir.Simulation.Tests;

/// <summary>Seeds that once showed a fault, each run twice: no rule is broken, and the history is the same.</summary>
[Trait("Category", "Simulation")]
public sealed class PinnedSeedTests
{
    /// <summary>Seed and what it showed.</summary>
    public static TheoryData<ulong, string> Seeds => new()
    {
        { 10, "an answer to a fetch was taken twice when it named the leader" },
        { 41, "a snapshot left what was known of the log before it" },
        { 62, "an acknowledgement was lost when a partition joined a fetch session before it was settled" },
        { 86, "damage was never looked for" },
        { 103, "damage was never looked for" },
        { 294, "a log that was started anew remembered its old leader epochs" },
        { 301, "a log that was started anew remembered its old leader epochs" },
        { 1037, "an acknowledgement was lost when a partition joined a fetch session before it was settled" },
        { 1043, "a broker that came back led by metadata of the past" },
        { 147, "damage that a cut of the log met was not reported" },
        { 384, "a snapshot ahead of the member's own log made its data directory another one" },
        { 954, "a snapshot ahead of the member's own log made its data directory another one" },
        { 969, "what a replica acknowledged before its damage counted after it" },
        { 5027, "a follower cut its log between two acknowledgements" },
        { 5488, "a controller that was paused decided on as if it were none the wiser" },
    };

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_seed_that_once_failed_keeps_every_promise(ulong seed, string shown)
    {
        var options = new RunOptions { Seed = seed, Duration = TimeSpan.FromMinutes(3) };

        var first = new SimulationRun(options).Run();
        var second = new SimulationRun(options).Run();

        Assert.True(first.Violation is null, $"{shown}; now: {first.Violation}. Replay: {Replay(options)}");
        Assert.Equal(first.TraceHash, second.TraceHash);
    }

    /// <summary>The command that plays a run again, with every event.</summary>
    internal static string Replay(RunOptions options) =>
        $"dotnet run -c Release --project tests/Weir.Simulation -- --seed {options.Seed} --minutes "
            + $"{options.Duration.TotalMinutes:F0}{(options.Bug == SeededBug.None ? string.Empty : $" --bug {options.Bug}")} --trace";
}
