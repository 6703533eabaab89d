using Weir.Simulation.Exhaustive;
using Xunit;

namespace Weir.Simulation.Tests;

/// <summary>
/// Every order of steps of three voters and of three replicas, up to a depth: nothing may break. The search is trusted as far
/// as it finds bugs that are put in.
/// </summary>
[Trait("Category", "Simulation")]
public sealed class ExhaustiveSearchTests
{
    /// <summary>Subject, depth, faults, and how many states there are at least.</summary>
    public static TheoryData<SearchSubject, int, int, int> Spaces => new()
    {
        { SearchSubject.Quorum, 5, 1, 5000 },
        { SearchSubject.Quorum, 4, 2, 1500 },
        { SearchSubject.Partition, 6, 1, 7000 },
        { SearchSubject.Partition, 5, 2, 3000 },
    };

    [Theory]
    [MemberData(nameof(Spaces))]
    public void No_order_of_steps_breaks_a_rule(SearchSubject subject, int depth, int faults, int states)
    {
        var options = new SearchOptions { Subject = subject, Depth = depth, Faults = faults };

        var result = new ExplicitSearch(options).Run();

        TestContext.Current.TestOutputHelper?.WriteLine($"{result.States} states, {result.Steps} steps, {result.Elapsed.TotalSeconds:F1} s");
        Assert.True(result.Violation is null, $"{result.Violation}; by: {string.Join(", ", result.Choices)}");
        Assert.Equal(depth, result.Depth);
        Assert.True(result.States > states, $"only {result.States} states were seen");
    }

    /// <summary>Paths that once led to a fault, and what it was.</summary>
    public static TheoryData<SearchSubject, string, string> Paths => new()
    {
        {
            SearchSubject.Partition, "a follower took the answer to a fetch of an older leader epoch for one of the present epoch",
            "Elect, Learn 1, Learn 3, Deliver 3>1, Publish 1, Fence 1, Learn 2, Unfence 1, Fence 3, Learn 1, Settle 1-2, Learn 2, "
                + "Poll 2, Deliver 2>0, Elect, Learn 1, Learn 2, Publish 1, Flush 1, Settle 1-2, Learn 3, Deliver 1>3, "
                + "Deliver 3>1, Deliver 1>3"
        },
    };

    [Theory]
    [MemberData(nameof(Paths))]
    public void A_path_that_once_failed_breaks_no_rule(SearchSubject subject, string shown, string choices)
    {
        var steps = new List<string>();

        var violation = ExplicitSearch.Replay(
            new SearchOptions { Subject = subject, Records = 3, Epochs = 9 }, SearchCommand.Split(choices), steps.Add);

        Assert.True(violation is null, $"{shown}; now: {violation}");
        Assert.DoesNotContain(steps, static step => step.EndsWith("not possible", StringComparison.Ordinal));
    }

    [Fact]
    public void The_same_bounds_give_the_same_states_of_a_partition()
    {
        var options = new SearchOptions { Subject = SearchSubject.Partition, Depth = 4, Faults = 1 };

        var first = new ExplicitSearch(options with { Threads = 1 }).Run();
        var second = new ExplicitSearch(options with { Threads = 3 }).Run();

        Assert.Equal(first.States, second.States);
    }

    /// <summary>
    /// Bugs with the most steps and faults that they need, and the steps that lead to where they are looked for: nothing where
    /// the search finds the whole way within seconds.
    /// </summary>
    public static TheoryData<SeededBug, int, int, int, string> Bugs => new()
    {
        { SeededBug.QuorumFetchBeforeFlush, 3, 0, 1, "" },
        { SeededBug.QuorumCommitsWithoutMajority, 2, 0, 1, "" },
        { SeededBug.QuorumVoteForStaleLog, 4, 0, 1, "" },
        { SeededBug.QuorumVoteNotDurable, 6, 1, 0, "" },
        {
            SeededBug.QuorumCommitsOldEpochs, 4, 0, 1,
            "Publish 1, Flush 1, Timeout 2, Exchange 2>3, Exchange 2>3, Exchange 2>1, Exchange 2>1, Timeout 1, Deliver 1>3, "
                + "Exchange 1>3, Exchange 1>3, Exchange 1>3, Exchange 3>1, Flush 3, Deliver 3>1"
        },
        { SeededBug.ReplicaAcksOnAppend, 2, 0, 1, "" },
        { SeededBug.ReplicaFetchBeforeFlush, 4, 1, 1, "" },
        { SeededBug.ReplicaAcksBelowMinIsr, 5, 2, 1, "" },
        { SeededBug.ReplicaMinimalIsr, 5, 0, 1, "Fence 3, Unfence 3" },
        { SeededBug.ReplicaTruncatesToHighWatermark, 5, 0, 2, "Publish 2, Flush 2, Elect, Learn 1" },
        { SeededBug.ReplicaNoEpochFence, 5, 1, 1, "Publish 2, Deliver 2>3, Flush 3, Elect, Learn 1" },
        {
            SeededBug.ReplicaJoinsBeforeEpochStart, 6, 0, 1,
            "Fence 3, Learn 2, Publish 2, Flush 2, Deliver 2>1, Flush 1, Deliver 1>2, Unfence 3, Elect"
        },
    };

    [Theory]
    [MemberData(nameof(Bugs))]
    public void A_seeded_bug_is_found_and_nothing_without_it(SeededBug bug, int depth, int faults, int records, string prefix)
    {
        var options = new SearchOptions
        {
            Subject = bug.ToString().StartsWith("Quorum", StringComparison.Ordinal) ? SearchSubject.Quorum : SearchSubject.Partition,
            Depth = depth,
            Faults = faults,
            Records = records,
            Epochs = 3,
            Prefix = SearchCommand.Split(prefix),
            Bug = bug,
        };

        var result = new ExplicitSearch(options).Run();

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{bug}: {result.States} states: {result.Violation}; by: {string.Join(", ", result.Choices)}");
        Assert.NotNull(result.Violation);

        // The way to it is one that can be gone, and the rule that was left out is what it takes.
        var replayed = options with { Prefix = [] };
        Assert.Equal(result.Violation, ExplicitSearch.Replay(replayed, result.Choices, static _ => { }));
        Assert.Null(ExplicitSearch.Replay(replayed with { Bug = SeededBug.None }, result.Choices, static _ => { }));
    }
}
