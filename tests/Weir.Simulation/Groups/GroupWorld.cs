using Weir.Groups;
using Weir.Metadata;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Testing.Support;

namespace Weir.Simulation.Groups;

/// <summary>What a run of a group is made of.</summary>
public sealed record GroupRunOptions
{
    /// <summary>Decides everything.</summary>
    public ulong Seed { get; init; }

    /// <summary>Mode of the group.</summary>
    public GroupMode Mode { get; init; } = GroupMode.Stream;

    /// <summary>A rule that is left out, to see that it is missed.</summary>
    internal OmittedGroupRules Omits { get; init; }
}

/// <summary>
/// One group under a seed: coordinators that fail over and linger as zombies, a log of which a failover keeps what is committed
/// and some of the rest, partitions that grow, members that crash, pause and leave, messages that are late or lost. The
/// coordinators' code is the brokers' own.
/// </summary>
public sealed class GroupWorld
{
    /// <summary>Partitions of the topic.</summary>
    public const int Partitions = 4;

    private const int Records = 120;
    private const int Members = 5;
    private const long FaultsMs = 40_000;
    private const long LimitMs = 400_000;
    private readonly World _world;
    private readonly GroupRunOptions _options;
    private readonly SeededRandom _random;
    private readonly List<SimulatedMember> _members = [];

    private GroupWorld(GroupRunOptions options)
    {
        _options = options;
        _world = new World(options.Seed);
        _random = _world.Stream(1);
        Oracle = new GroupOracle(this);
        Image = MetadataImage.Empty.Apply(new ClusterCreated { ClusterId = "c", FeatureLevel = 1 })
            .Apply(NewTopic(TopicId, "t", Partitions)).Apply(NewTopic(DeadLetterId, "dead", 2)).Apply(NewGroup());
        Topics = new SimulatedTopics(this);
        Log = new SimulatedGroupLog(this);
        Coordinator = new SimulatedCoordinator(this, Log, options.Omits);
    }

    /// <summary>The group.</summary>
    public static Guid GroupId { get; } = new(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]);

    internal static Guid TopicId { get; } = new(1, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]);

    internal static Guid DeadLetterId { get; } = new(2, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]);

    internal GroupMode Mode => _options.Mode;

    internal long NowMs => _world.NowMs;

    internal SeededRandom Random => _random;

    internal MetadataImage Image { get; }

    internal SimulatedTopics Topics { get; }

    internal SimulatedGroupLog Log { get; }

    internal GroupOracle Oracle { get; }

    internal SimulatedCoordinator Coordinator { get; private set; }

    internal bool HasFaults => NowMs < FaultsMs;

    /// <summary>Runs a seed; what was violated, or null.</summary>
    public static string? Run(GroupRunOptions options)
    {
        var world = new GroupWorld(options);
        try
        {
            return world.Run();
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or ArgumentException or ProtocolException)
        {
            return $"{e.GetType().Name} at {world.NowMs} ms: {e.Message} {e.StackTrace?.Split('\n')[0]}";
        }
    }

    internal void After(long ms, Action action) => _world.After(ms * 1000, action);

    /// <summary>Takes a message to the other side: late, and lost now and then while there are faults.</summary>
    internal void Send(Action deliver, bool mayBeLost = true)
    {
        if (mayBeLost && HasFaults && _random.Chance(1, 40))
        {
            return;
        }

        After(1 + (_random.Chance(1, 20) ? _random.Next(800) : _random.Next(10)), deliver);
    }

    private static TopicCreated NewTopic(Guid id, string name, int partitions) => new()
    {
        TopicId = id,
        Name = name,
        Partitions = [.. Enumerable.Range(0, partitions).Select(static index => new PartitionAssignment { Index = index, Leader = 1, Replicas = [1], Isr = [1] })],
    };

    private GroupCreated NewGroup() => new()
    {
        GroupId = GroupId,
        Name = "g",
        Mode = Mode,
        Topics = ["t"],
        DeadLetterTopic = Mode == GroupMode.Stream ? null : "dead",
        CreatedAtMs = 1,
        Configs =
        [
            new ConfigSetting { Name = GroupConfigCatalog.SessionTimeoutMs, Value = "3000" },
            new ConfigSetting { Name = GroupConfigCatalog.HeartbeatIntervalMs, Value = "500" },
            new ConfigSetting { Name = GroupConfigCatalog.RebalanceTimeoutMs, Value = "6000" },
            new ConfigSetting { Name = GroupConfigCatalog.LockMs, Value = "2500" },
            new ConfigSetting { Name = GroupConfigCatalog.RetryBackoffMs, Value = "200" },
            new ConfigSetting { Name = GroupConfigCatalog.RetryBackoffMaxMs, Value = "2000" },
            new ConfigSetting { Name = GroupConfigCatalog.MaxDeliveries, Value = "4" },
            .. Mode == GroupMode.Stream ? Array.Empty<ConfigSetting>() : [new ConfigSetting { Name = GroupConfigCatalog.KeyFailure, Value = "pass" }],
        ],
    };

    private string? Run()
    {
        for (var i = 0; i < Members; i++)
        {
            AddMember();
        }

        for (var i = 0; i < Records; i++)
        {
            var key = _random.Next(10);
            After(_random.Next((int)FaultsMs), () => Topics.Publish(key % Partitions, key));
        }

        After(500 + _random.Next(3000), FailOver);
        Tick();
        for (var until = 1000L; until <= LimitMs && Oracle.Violation is null; until += 1000)
        {
            _world.RunUntil(until * 1000, () => Oracle.Violation is not null);
            if (until > FaultsMs + 1000 && Oracle.IsDone)
            {
                return Oracle.CheckEnd();
            }
        }

        return Oracle.Violation ?? $"not done after {LimitMs} ms: {Oracle.Describe()}";
    }

    private void AddMember()
    {
        var member = new SimulatedMember(this, _members.Count + 1);
        _members.Add(member);
        member.Start();
        if (HasFaults)
        {
            After(1000 + _random.Next(15_000), () =>
            {
                if (HasFaults)
                {
                    member.Disturb();
                    AddMember();
                }
            });
        }
    }

    private void Tick()
    {
        Coordinator.Tick();
        After(20, Tick);
    }

    /// <summary>Another broker takes over; the coordinator before may not know for a while.</summary>
    private void FailOver()
    {
        if (!HasFaults)
        {
            return;
        }

        var before = Coordinator;
        Log.FailOver(_random);
        After(_random.Next(3000), before.Stop);
        Coordinator = new SimulatedCoordinator(this, Log, _options.Omits);
        After(500 + _random.Next(8000), FailOver);
    }
}
