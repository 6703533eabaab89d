using Weir.Testing.Support;

namespace Weir.Simulation;

/// <summary>How a run is made.</summary>
public sealed record RunOptions
{
    /// <summary>Decides everything.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Simulated time under faults.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>A bug to put in.</summary>
    public SeededBug Bug { get; init; }

    /// <summary>Faults that may happen; null leaves the choice to the seed.</summary>
    public FaultKinds? Faults { get; init; }

    /// <summary>Takes a line for everything that happens; null for none.</summary>
    public Action<string>? Log { get; init; }
}

/// <summary>What came of a run.</summary>
public sealed record RunResult(
    ulong Seed, string? Violation, ulong TraceHash, long Events, long SimulatedMs, long Acknowledged, long Read,
    int Elections, int Leaderships, IReadOnlyDictionary<FaultKinds, int> Faults);

/// <summary>One cluster with clients and faults under one seed: faults for a time, then none, then everything must be well.</summary>
public sealed class SimulationRun
{
    private readonly RunOptions _options;
    private readonly Scenario _scenario;
    private readonly SeededRandom _random;
    private readonly Nemesis _nemesis;

    public SimulationRun(RunOptions options)
    {
        _options = options;
        _random = new World(options.Seed).Stream(1);
        var brokers = _random.Chance(1, 4) ? 5 : 3;
        var shape = new ClusterShape
        {
            Brokers = brokers,
            Voters = brokers == 5 && _random.Chance(1, 2) ? 5 : 3,
            Racks = _random.Chance(1, 3) ? 3 : 0,
            SegmentBytes = 8192 << _random.Next(4),
            RecordsPerSnapshot = 20 << _random.Next(4),
            Bug = options.Bug,
        };
        _scenario = new Scenario(options.Seed, shape, options.Log);
        var faults = options.Faults ?? (FaultKinds)(_random.NextUInt64() & (ulong)FaultKinds.All);
        _nemesis = new Nemesis(_scenario.Cluster, faults, meanIntervalUs: 250_000 << _random.Next(6));
        _scenario.Cluster.Network.Faults = new NetworkFaults
        {
            ResetPerMille = _random.Chance(1, 2) ? _random.Next(20) : 0,
            DuplicatePerMille = _random.Chance(1, 2) ? _random.Next(20) : 0,
            DamagePerMille = _random.Chance(1, 4) ? 5 : 0,
            SlowPerMille = _random.Chance(1, 2) ? _random.Next(10) : 0,
            LatencyUs = 200 << _random.Next(5),
        };
    }

    /// <summary>Runs to the end or to the first violation.</summary>
    public RunResult Run()
    {
        var oracle = _scenario.Oracle;
        try
        {
            Play();
        }
        catch (Exception e)
        {
            oracle.Violate("NoCrash", e.ToString());
        }

        var world = _scenario.World;
        return new RunResult(
            _options.Seed, oracle.Violation, world.TraceHash, world.EventCount, world.NowMs, oracle.Acknowledged, oracle.Read,
            oracle.Elections, oracle.Leaderships, _nemesis.Done);
    }

    private void Play()
    {
        _scenario.Form();
        var partitions = 1 + _random.Next(3);
        _scenario.CreateTopic(partitions);
        for (var clients = 1 + _random.Next(3); clients > 0; clients--)
        {
            _scenario.AddClient(partitions, meanIntervalUs: 50_000 << _random.Next(4));
        }

        _nemesis.Start();
        _scenario.RunFor((long)_options.Duration.TotalMilliseconds);
        _nemesis.End();
        _scenario.Settle();
    }
}
