namespace Weir.Testing.Support.History;

/// <summary>What a history can show that a log must not.</summary>
public enum AnomalyKind
{
    /// <summary>An offset holds two values.</summary>
    InconsistentOffset,

    /// <summary>A value lies at two offsets.</summary>
    Duplicate,

    /// <summary>An acknowledged value was passed by reads and never read.</summary>
    LostWrite,

    /// <summary>An acknowledged value was not read by the end of the final read phase: lost, or stale.</summary>
    Unseen,

    /// <summary>A value that was read before is not in a final read that began below it.</summary>
    Vanished,

    /// <summary>A value was read that nobody sent, or not to there, or not yet.</summary>
    PhantomRead,

    /// <summary>A value was read whose send definitely failed.</summary>
    AbortedRead,

    /// <summary>A poll left out a value between two that it read, or after its position.</summary>
    InternalPollSkip,

    /// <summary>A poll went back.</summary>
    InternalNonmonotonicPoll,

    /// <summary>A process left out a value between two polls.</summary>
    PollSkip,

    /// <summary>A process went back between two polls.</summary>
    NonmonotonicPoll,

    /// <summary>A reader passed offsets that hold nothing and were not declared.</summary>
    UndeclaredGap,

    /// <summary>Two records of one request lie in the wrong order.</summary>
    InternalNonmonotonicSend,

    /// <summary>Two sends of one process lie in the wrong order.</summary>
    NonmonotonicSend,

    /// <summary>A send got an offset below one that was acknowledged or read before the send was invoked.</summary>
    RealTimeOrder,

    /// <summary>The end of a partition went back, as one process saw it.</summary>
    EndWentBack,

    /// <summary>A record was read at or above the end that came with it.</summary>
    ReadAboveEnd,
}

/// <summary>One anomaly.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Partition">Where.</param>
/// <param name="Text">In words, with the operations and values that show it.</param>
/// <param name="Operations">The numbers of those operations.</param>
/// <param name="Values">Those values.</param>
public sealed record Anomaly(
    AnomalyKind Kind,
    PartitionId Partition,
    string Text,
    IReadOnlyList<int> Operations,
    IReadOnlyList<long> Values);
