using Weir.Metadata.Quorum;
using Weir.Replication;

namespace Weir.Simulation;

/// <summary>Bugs that can be put in: each leaves out one rule that safety rests on. The simulation must find every one.</summary>
public enum SeededBug
{
    /// <summary>None.</summary>
    None,

    // What each of these leaves out stands at the rule of the same meaning in OmittedQuorumRules and OmittedReplicationRules.
    QuorumFetchBeforeFlush,
    QuorumVoteNotDurable,
    QuorumVoteForStaleLog,
    QuorumCommitsOldEpochs,
    QuorumCountsWipedVoter,
    QuorumBootstrapByMajority,
    QuorumNoTruncation,
    QuorumCommitsWithoutMajority,
    ReplicaFetchBeforeFlush,
    ReplicaNoEpochFence,
    ReplicaTruncatesToHighWatermark,
    ReplicaMinimalIsr,
    ReplicaAcksBelowMinIsr,
    ReplicaJoinsBeforeEpochStart,
    ReplicaAcksOnAppend,
    ReplicaIgnoresBrokerEpoch,
    ReplicaAppendsUnverified,
    ReplicaServesAboveHighWatermark,
    ReplicaShowsStaleHighWatermark,
    ReplicaRepairsBeforeSteppingDown,

    /// <summary>A producer sends again under a new sequence number what was not answered.</summary>
    ProducerRenumbersRetries,

    /// <summary>A client follows metadata of the past back to a leader of the past.</summary>
    ClientTrustsOldMetadata,
}

/// <summary>Turns a seeded bug into the rule that is left out.</summary>
public static class SeededBugs
{
    /// <summary>Every bug.</summary>
    public static IEnumerable<SeededBug> All => Enum.GetValues<SeededBug>().Where(static bug => bug != SeededBug.None);

    internal static QuorumOptions Apply(SeededBug bug, QuorumOptions options) => options with
    {
        Omits = bug switch
        {
            SeededBug.QuorumFetchBeforeFlush => OmittedQuorumRules.FlushBeforeFetch,
            SeededBug.QuorumVoteNotDurable => OmittedQuorumRules.DurableVote,
            SeededBug.QuorumVoteForStaleLog => OmittedQuorumRules.LogUpToDate,
            SeededBug.QuorumCommitsOldEpochs => OmittedQuorumRules.OwnEpochOnly,
            SeededBug.QuorumCountsWipedVoter => OmittedQuorumRules.DirectoryIdentity,
            SeededBug.QuorumBootstrapByMajority => OmittedQuorumRules.UnanimousBootstrap,
            SeededBug.QuorumNoTruncation => OmittedQuorumRules.TruncateOnDivergence,
            SeededBug.QuorumCommitsWithoutMajority => OmittedQuorumRules.Majority,
            _ => OmittedQuorumRules.None,
        },
    };

    internal static ReplicationOptions Apply(SeededBug bug, ReplicationOptions options) => options with
    {
        Omits = bug switch
        {
            SeededBug.ReplicaFetchBeforeFlush => OmittedReplicationRules.SettleBeforeFetch,
            SeededBug.ReplicaNoEpochFence => OmittedReplicationRules.EpochFence,
            SeededBug.ReplicaTruncatesToHighWatermark => OmittedReplicationRules.TruncateByEpoch,
            SeededBug.ReplicaMinimalIsr => OmittedReplicationRules.MaximalIsr,
            SeededBug.ReplicaAcksBelowMinIsr => OmittedReplicationRules.StrictMinIsr,
            SeededBug.ReplicaJoinsBeforeEpochStart => OmittedReplicationRules.EpochStartBeforeIsr,
            SeededBug.ReplicaAcksOnAppend => OmittedReplicationRules.AckAtHighWatermark,
            SeededBug.ReplicaIgnoresBrokerEpoch => OmittedReplicationRules.BrokerEpochInIsr,
            SeededBug.ReplicaAppendsUnverified => OmittedReplicationRules.VerifyFetched,
            SeededBug.ReplicaServesAboveHighWatermark => OmittedReplicationRules.ReadBelowHighWatermark,
            SeededBug.ReplicaShowsStaleHighWatermark => OmittedReplicationRules.HideStaleHighWatermark,
            SeededBug.ReplicaRepairsBeforeSteppingDown => OmittedReplicationRules.StepDownBeforeRepair,
            _ => OmittedReplicationRules.None,
        },
    };
}
