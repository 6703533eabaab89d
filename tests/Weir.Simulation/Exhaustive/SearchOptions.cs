namespace Weir.Simulation.Exhaustive;

/// <summary>What is searched.</summary>
public enum SearchSubject
{
    /// <summary>The metadata quorum.</summary>
    Quorum,

    /// <summary>The replicas of a partition, under a controller that never fails.</summary>
    Partition,
}

/// <summary>How far a search goes.</summary>
public sealed record SearchOptions
{
    /// <summary>What is searched.</summary>
    public required SearchSubject Subject { get; init; }

    /// <summary>Steps that lead to where the search starts; its bounds count from there.</summary>
    public IReadOnlyList<string> Prefix { get; init; } = [];

    /// <summary>Most steps from the start.</summary>
    public int Depth { get; init; } = 8;

    /// <summary>Most faults on one path.</summary>
    public int Faults { get; init; } = 1;

    /// <summary>Most records that are published on one path.</summary>
    public int Records { get; init; } = 2;

    /// <summary>Most leader epochs on one path, after the one at its start.</summary>
    public int Epochs { get; init; } = 2;

    /// <summary>A bug to put in.</summary>
    public SeededBug Bug { get; init; }

    /// <summary>The search ends when this much time has passed.</summary>
    public TimeSpan MaxTime { get; init; } = TimeSpan.MaxValue;

    /// <summary>The search ends when it has so many states.</summary>
    public int MaxStates { get; init; } = 20_000_000;

    /// <summary>How many paths are followed at once.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}

/// <summary>What a search came to.</summary>
/// <param name="States">Different states that were seen.</param>
/// <param name="Steps">Steps that were tried.</param>
/// <param name="Depth">The depth up to which every state was seen.</param>
/// <param name="IsExhausted">Whether there is no further state within the bounds on faults, records and epochs.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Violation">What went wrong; null if nothing did.</param>
/// <param name="Choices">The steps that lead to it, for <see cref="ExplicitSearch.Replay"/>.</param>
public sealed record SearchResult(
    int States, long Steps, int Depth, bool IsExhausted, TimeSpan Elapsed, string? Violation, IReadOnlyList<string> Choices);
