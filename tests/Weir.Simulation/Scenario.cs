using Weir.Protocol.Messages;

namespace Weir.Simulation;

/// <summary>A cluster that a test drives step by step; <see cref="SimulationRun"/> drives one by its seed.</summary>
public sealed class Scenario
{
    private const long SettleUs = 90_000_000;
    private readonly List<SimulatedClient> _clients = [];

    public Scenario(ulong seed, ClusterShape shape, Action<string>? log = null)
    {
        World = new World(seed);
        Cluster = new SimulatedCluster(World, shape, log);
    }

    public World World { get; }

    public SimulatedCluster Cluster { get; }

    /// <summary>The topic of the run.</summary>
    public Guid TopicId { get; private set; }

    public Oracle Oracle => Cluster.Oracle;

    /// <summary>The broker that leads the metadata quorum in the newest epoch; null if none does.</summary>
    public SimulatedBroker? Controller => Cluster.Brokers.Where(static broker => broker.Node?.Controller.IsActive == true)
        .MaxBy(static broker => broker.Node!.Quorum.Epoch);

    /// <summary>The broker that leads a partition, as the newest metadata has it; null if none does.</summary>
    public SimulatedBroker? Leader(int partition)
    {
        var newest = Cluster.Brokers.MaxBy(static broker => broker.Image.NextOffset)!.Image;
        var leader = newest.Find(TopicId)?.Partitions[partition].Leader ?? -1;
        return leader < 0 ? null : Cluster.Broker(leader);
    }

    /// <summary>Starts all brokers and waits until each is counted on.</summary>
    public void Form()
    {
        foreach (var broker in Cluster.Brokers)
        {
            broker.Start();
        }

        Require(60_000, () => Cluster.Brokers.All(static broker => broker.Node?.Session.IsUnfenced == true), "a cluster is formed");
    }

    /// <summary>Creates the topic, with three replicas.</summary>
    public void CreateTopic(int partitions)
    {
        var admin = new SimulatedClient(Cluster, 999, Guid.Empty, 0, 1);
        for (var attempt = 0; attempt < 20 && TopicId == Guid.Empty; attempt++)
        {
            foreach (var broker in Cluster.Brokers)
            {
                admin.AskController<CreateTopicResponse>(
                    broker.NodeId, new CreateTopicRequest { Name = "events", Partitions = partitions, ReplicationFactor = 3 },
                    _ => { }, _ => { });
            }

            RunUntil(3000, () => Known() != Guid.Empty);
            TopicId = Known();
        }

        Require(1, () => TopicId != Guid.Empty, "a topic is created");

        Guid Known() => Cluster.Brokers.Select(static broker => broker.Image.Find("events")?.TopicId ?? Guid.Empty)
            .FirstOrDefault(static id => id != Guid.Empty);
    }

    /// <summary>Adds a client that publishes to and reads all partitions.</summary>
    public SimulatedClient AddClient(int partitions, int meanIntervalUs)
    {
        var client = new SimulatedClient(Cluster, 1000 + _clients.Count, TopicId, partitions, meanIntervalUs);
        _clients.Add(client);
        client.Start();
        return client;
    }

    /// <summary>Lets the clients send nothing new.</summary>
    public void StopSending()
    {
        foreach (var client in _clients)
        {
            client.StopSending();
        }
    }

    /// <summary>Lets time pass; ends early at a violation.</summary>
    public void RunFor(long ms) => World.RunUntil(World.NowUs + ms * 1000, () => Oracle.Violation is not null);

    /// <summary>Lets time pass until a condition holds.</summary>
    public bool RunUntil(long ms, Func<bool> isReached)
    {
        // Looked at now and then, as it is not cheap.
        var end = World.NowUs + ms * 1000;
        while (World.NowUs < end && Oracle.Violation is null)
        {
            World.RunUntil(Math.Min(end, World.NowUs + 100_000), () => Oracle.Violation is not null);
            if (isReached())
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Lets time pass until a condition holds; it is a violation if it does not.</summary>
    public void Require(long ms, Func<bool> isReached, string what)
    {
        if (!RunUntil(ms, isReached))
        {
            Oracle.Violate("Liveness", $"{what}: not within {ms} ms: {Cluster.Describe()}");
        }
    }

    /// <summary>Ends all faults: then everything must become well, and all that was acknowledged be read by all.</summary>
    public void Settle()
    {
        Cluster.Log("--- everything is healed");
        Cluster.Network.Heal();
        Cluster.Network.Faults = new NetworkFaults();
        foreach (var broker in Cluster.Brokers)
        {
            broker.DiskStallUs = 0;
            broker.Disk.HealSync();
            broker.Resume();
            broker.Start();
        }

        StopSending();
        Require(SettleUs / 1000, () => _clients.All(static client => client.IsQuiet) && IsWhole(), "everything is in sync again");
        foreach (var broker in Cluster.Brokers)
        {
            broker.ScrubAll();
        }

        Require(SettleUs / 1000, IsWhole, "everything is repaired");
        foreach (var client in _clients)
        {
            client.ReadAgain();
        }

        Require(SettleUs / 1000, () => _clients.All(static client => client.HasReadAll), "everything is read");
        Oracle.CheckAtEnd();
    }

    /// <summary>Whether every broker is counted on, and every replica in sync and not known to be damaged.</summary>
    public bool IsWhole() => Cluster.Brokers.All(static broker => broker is { IsUp: true, Node.Session.IsUnfenced: true }
        && broker.Node.Replicas.Table.InOrder.All(static replica => replica.DamagedFrom is null)
        && broker.Image.Topics.All(static topic => topic.Partitions.All(
            static partition => partition.Isr.Length == partition.Replicas.Length && partition.Leader >= 0)));
}
