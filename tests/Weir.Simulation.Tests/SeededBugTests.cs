using Xunit;

namespace Weir.Simulation.Tests;

/// <summary>
/// The harness is trusted only as far as it finds bugs that are put in. Each leaves out one rule that safety rests on; each
/// must be found within some seeds. What random orders meet too seldom, such as a fetch without the fence of the leader epoch,
/// the search of all orders finds.
/// </summary>
[Trait("Category", "Simulation")]
public sealed class SeededBugTests
{
    /// <summary>Bugs with the faults that they need (null: as the seed says), the seed from which the search starts, close to one that finds it, and how many seeds it may take.</summary>
    public static TheoryData<SeededBug, FaultKinds?, ulong, int> Bugs => new()
    {
        { SeededBug.QuorumFetchBeforeFlush, null, 1, 20 },
        { SeededBug.QuorumVoteNotDurable, null, 1, 40 },
        { SeededBug.QuorumVoteForStaleLog, null, 1, 40 },
        { SeededBug.QuorumCommitsOldEpochs, null, 1, 40 },
        { SeededBug.QuorumCountsWipedVoter, FaultKinds.Wipe | FaultKinds.Kill | FaultKinds.Isolate, 1, 80 },
        { SeededBug.QuorumNoTruncation, null, 1, 60 },
        { SeededBug.QuorumCommitsWithoutMajority, null, 1, 20 },
        { SeededBug.ReplicaFetchBeforeFlush, null, 1, 20 },
        { SeededBug.ReplicaTruncatesToHighWatermark, null, 1, 40 },
        { SeededBug.ReplicaMinimalIsr, null, 30, 80 },
        { SeededBug.ReplicaAcksBelowMinIsr, null, 1, 20 },
        { SeededBug.ReplicaJoinsBeforeEpochStart, null, 50, 80 },
        { SeededBug.ReplicaAcksOnAppend, null, 1, 20 },
        { SeededBug.ReplicaAppendsUnverified, null, 10, 120 },
        { SeededBug.ReplicaServesAboveHighWatermark, null, 1, 20 },
        { SeededBug.ReplicaShowsStaleHighWatermark, null, 1, 20 },
        { SeededBug.ReplicaRepairsBeforeSteppingDown, FaultKinds.Rot | FaultKinds.Kill, 1, 120 },
        { SeededBug.ProducerRenumbersRetries, null, 1, 20 },
        { SeededBug.ClientTrustsOldMetadata, null, 1, 60 },
    };

    [Theory]
    [MemberData(nameof(Bugs))]
    public void A_seeded_bug_is_found(SeededBug bug, FaultKinds? faults, ulong firstSeed, int seeds)
    {
        for (var i = 0; i < seeds; i++)
        {
            var options = new RunOptions { Seed = firstSeed + (ulong)i, Duration = TimeSpan.FromMinutes(3), Bug = bug, Faults = faults };
            if (new SimulationRun(options).Run().Violation is { } violation)
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"{bug}: seed {i + 1} of {seeds}: {violation}");
                return;
            }
        }

        Assert.Fail($"{seeds} seeds from {firstSeed} did not find {bug}");
    }
}
