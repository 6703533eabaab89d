using Weir.Protocol.Messages;
using Xunit;

namespace Weir.Simulation.Tests;

/// <summary>
/// Schedules that other systems failed at, played exactly: each ends healed, with everything that was acknowledged read back
/// by every client and equal on all replicas.
/// </summary>
[Trait("Category", "Simulation")]
public sealed class ScenarioTests
{
    private const int Partitions = 2;

    [Fact]
    public void Power_loss_of_all_brokers_at_once_loses_nothing()
    {
        var scenario = Start(seed: 1);
        for (var round = 0; round < 10; round++)
        {
            scenario.RunFor(2000);
            foreach (var broker in scenario.Cluster.Brokers)
            {
                broker.LosePower();
            }

            scenario.RunFor(500);
            StartAll(scenario);
        }

        End(scenario);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    public void Power_loss_of_one_broker_between_pauses_of_others_splits_nothing(int brokers)
    {
        var scenario = Start(seed: 2, new ClusterShape { Brokers = brokers, Voters = brokers });
        var cluster = scenario.Cluster;
        for (var round = 0; round < 5; round++)
        {
            scenario.RunFor(1000);
            cluster.Broker(3).LosePower();
            cluster.Broker(1).Pause();
            cluster.Broker(2).Pause();
            scenario.RunFor(3000);
            cluster.Broker(3).Start();
            scenario.RunFor(3000);
            cluster.Broker(1).Resume();
            cluster.Broker(2).Resume();
            foreach (var last in cluster.Brokers.Where(static broker => broker.NodeId > 3))
            {
                last.Pause();
            }

            scenario.RunFor(5000);
            foreach (var last in cluster.Brokers)
            {
                last.Resume();
            }
        }

        End(scenario);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_bit_flipped_in_committed_records_is_repaired_from_peers(bool ofTheLeader)
    {
        var scenario = Start(seed: 3);
        for (var round = 0; round < 5; round++)
        {
            scenario.RunFor(4000);
            scenario.Require(30_000, () => scenario.IsWhole() && scenario.Leader(0) is { IsUp: true }, "all are in sync");
            var victim = ofTheLeader
                ? scenario.Leader(0)!
                : scenario.Cluster.Brokers.First(broker => broker != scenario.Leader(0));
            FlipBit(scenario, victim, partition: 0);
            victim.ScrubAll();
            Assert.Contains(victim.Node!.Replicas.Table.All, static replica => replica.DamagedFrom is not null);
            scenario.Require(
                30_000, () => victim.Node?.Replicas.Table.All.All(static replica => replica.DamagedFrom is null) == true
                    && scenario.IsWhole(), "the damage is repaired");
        }

        End(scenario);
    }

    [Fact]
    public void Damaged_metadata_on_a_minority_deletes_nothing_and_is_fetched_again()
    {
        var scenario = Start(seed: 4);
        scenario.RunFor(10_000);
        var victim = scenario.Cluster.Brokers.First(broker => broker != scenario.Controller);
        var before = victim.Node!.Replicas.Table.Count;
        victim.Kill();
        foreach (var name in victim.Disk.ListFiles("metadata"))
        {
            Rot(victim, $"metadata/{name}");
        }

        foreach (var directory in victim.Disk.ListDirectories("metadata"))
        {
            foreach (var name in victim.Disk.ListFiles($"metadata/{directory}"))
            {
                Rot(victim, $"metadata/{directory}/{name}");
            }
        }

        Assert.Equal(before, victim.Disk.ListDirectories("partitions").Count);
        victim.Start();
        scenario.Require(30_000, () => victim.Node?.Session.IsUnfenced == true && scenario.IsWhole(), "it is back");
        Assert.Equal(before, victim.Node!.Replicas.Table.Count);
        scenario.Require(30_000, () => scenario.Cluster.IsQuorumWhole, "it is a voter again, as a new one");
        End(scenario);
    }

    [Fact]
    public void A_leader_cut_off_from_its_followers_acknowledges_nothing_that_dies_with_it()
    {
        var scenario = Start(seed: 5);
        for (var round = 0; round < 5; round++)
        {
            scenario.RunFor(2000);
            scenario.Require(30_000, () => scenario.IsWhole(), "all are in sync");
            var leader = scenario.Leader(0)!;
            foreach (var other in scenario.Cluster.Brokers.Where(broker => broker != leader))
            {
                scenario.Cluster.Network.Cut(leader.NodeId, other.NodeId);
                scenario.Cluster.Network.Cut(other.NodeId, leader.NodeId);
            }

            scenario.RunFor(6000);
            leader.LosePower();
            scenario.Cluster.Network.Heal();
            scenario.RunFor(3000);
            leader.Start();
        }

        End(scenario);
    }

    [Fact]
    public void Quick_elections_one_after_the_other_leave_one_history()
    {
        var scenario = Start(seed: 6);
        for (var round = 0; round < 30; round++)
        {
            scenario.RunFor(700);
            if (scenario.Leader(round % Partitions) is { IsUp: true } leader)
            {
                leader.LosePower();
                scenario.RunFor(900);
                leader.Start();
            }
        }

        End(scenario);
    }

    [Fact]
    public void The_last_replica_standing_is_waited_for_and_not_guessed()
    {
        var scenario = Start(seed: 7);
        scenario.RunFor(3000);
        var last = scenario.Leader(0)!;
        foreach (var other in scenario.Cluster.Brokers.Where(broker => broker != last))
        {
            other.Kill();
            scenario.RunFor(4000);
        }

        last.LosePower();
        scenario.RunFor(1000);
        foreach (var other in scenario.Cluster.Brokers.Where(broker => broker != last))
        {
            other.Start();
        }

        scenario.RunFor(10_000);
        last.Start();
        End(scenario);
    }

    [Fact]
    public void A_wiped_voter_is_a_new_one_and_gets_its_vote_back()
    {
        var scenario = Start(seed: 8);
        for (var id = 1; id <= 3; id++)
        {
            scenario.RunFor(3000);
            scenario.Require(60_000, () => scenario.IsWhole() && scenario.Cluster.IsQuorumWhole, "all are whole");
            var victim = scenario.Cluster.Broker(id);
            victim.Wipe();
            scenario.Oracle.OnWiped(victim);
            scenario.RunFor(2000);
            victim.Start();
        }

        scenario.Require(60_000, () => scenario.Cluster.IsQuorumWhole, "all vote again");
        End(scenario);
    }

    [Theory]
    [InlineData(SeededBug.None)]
    [InlineData(SeededBug.ReplicaIgnoresBrokerEpoch)]
    public void A_leader_does_not_take_a_wiped_follower_for_what_it_was(SeededBug bug)
    {
        var scenario = Start(seed: 9, new ClusterShape { Bug = bug });
        scenario.RunFor(3000);
        scenario.Require(30_000, () => scenario.IsWhole(), "all are in sync");
        var partition = Enumerable.Range(0, Partitions).First(index => scenario.Leader(index) != scenario.Controller);
        var leader = scenario.Leader(partition)!;
        var follower = scenario.Cluster.Brokers.First(broker => broker != leader && broker != scenario.Controller);
        scenario.Cluster.Network.Cut(follower.NodeId, leader.NodeId);
        scenario.StopSending();
        scenario.RunFor(200);
        follower.Wipe();
        scenario.Oracle.OnWiped(follower);
        follower.Start();
        scenario.RunFor(8000);
        if (bug == SeededBug.None)
        {
            End(scenario);
        }
        else
        {
            Assert.StartsWith("LeaderCandidateCompleteness", scenario.Oracle.Violation, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(SeededBug.None)]
    [InlineData(SeededBug.QuorumBootstrapByMajority)]
    public void Only_all_configured_voters_together_make_a_cluster(SeededBug bug)
    {
        var scenario = new Scenario(10, new ClusterShape { Bug = bug });
        var cluster = scenario.Cluster;
        cluster.Broker(1).Start();
        cluster.Broker(2).Start();
        scenario.RunFor(5000);
        cluster.Broker(1).Kill();
        cluster.Broker(2).Wipe();
        cluster.Broker(2).Start();
        cluster.Broker(3).Start();
        scenario.RunFor(5000);
        cluster.Broker(1).Start();
        scenario.RunFor(10_000);

        var clusters = cluster.Brokers.Select(static broker => broker.Image.ClusterId).Where(static id => id.Length > 0).Distinct();
        Assert.Equal(bug != SeededBug.None, scenario.Oracle.Violation is not null);
        Assert.True(bug != SeededBug.None || clusters.Count() == 1, "there is not one cluster");
    }

    [Fact]
    public void Without_a_quorum_committed_records_are_read_and_nothing_is_acknowledged_that_could_be_lost()
    {
        var scenario = Start(seed: 11);
        scenario.RunFor(3000);
        scenario.Require(30_000, () => scenario.IsWhole(), "all are in sync");
        var survivor = scenario.Leader(0)!;
        foreach (var other in scenario.Cluster.Brokers.Where(broker => broker != survivor))
        {
            other.Kill();
        }

        scenario.RunFor(3000);
        var acknowledged = scenario.Oracle.Acknowledged;
        var read = scenario.Oracle.Read;
        scenario.AddClient(Partitions, meanIntervalUs: int.MaxValue / 4);
        scenario.RunFor(5000);

        Assert.Equal(acknowledged, scenario.Oracle.Acknowledged);
        Assert.True(scenario.Oracle.Read > read, "the survivor did not serve what is committed");
        End(scenario);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Bits_flipped_in_two_of_three_replicas_at_once_are_repaired_from_the_third(bool leaderLast)
    {
        var scenario = Start(seed: 31);
        scenario.RunFor(5000);
        var leader = scenario.Leader(0)!;
        SimulatedBroker[] damaged = [leader, scenario.Cluster.Brokers.First(broker => broker != leader)];
        foreach (var broker in leaderLast ? damaged.Reverse() : damaged)
        {
            FlipBit(scenario, broker, partition: 0);
        }

        foreach (var broker in leaderLast ? damaged.Reverse() : damaged)
        {
            broker.ScrubAll();
        }

        End(scenario);
    }

    [Fact]
    public void A_move_goes_no_faster_than_it_may()
    {
        const int BytesPerSecond = 5_000;
        var scenario = Start(seed: 21, new ClusterShape { Brokers = 4, Voters = 3 });
        scenario.RunFor(30_000);
        var bytes = scenario.Leader(0)!.Node!.Replicas.Table.Find(new Storage.LogIdentity(scenario.TopicId, 0))!.Log.SizeBytes;
        Ask(scenario, new AlterTopicRequest
        {
            Name = "events",
            Configs = [new ConfigEntry { Name = "reassignment.bytes.per.second", Value = $"{BytesPerSecond}" }],
        });
        var present = Partition(scenario).Replicas;
        var added = Enumerable.Range(1, 4).Single(id => !present.Contains(id));
        Ask(scenario, new ReassignPartitionsRequest
        {
            Topic = "events",
            Partitions = [new ReplicaAssignment { Partition = 0, Replicas = [.. present.Take(2), added] }],
        });
        var started = scenario.World.NowUs;
        scenario.Require(600_000, () => !Partition(scenario).IsReassigning && Partition(scenario).Isr.Contains(added), "the replica has moved");

        var seconds = (scenario.World.NowUs - started) / 1_000_000.0;
        Assert.True(bytes > 10 * BytesPerSecond, $"{bytes} bytes are too few to tell");
        Assert.True(seconds >= 0.9 * bytes / BytesPerSecond, $"{bytes} bytes were moved within {seconds} s");
        End(scenario);
    }

    private static Metadata.PartitionImage Partition(Scenario scenario) =>
        scenario.Controller!.Image.Find(scenario.TopicId)!.Partitions[0];

    private static void Ask(Scenario scenario, Protocol.Wire.IMessage request)
    {
        var isDone = false;
        var controller = scenario.Controller!;
        controller.Run(controller.Incarnation, () => controller.Serve(
            request, _ => isDone = true, (code, text) => Assert.Fail($"{code}: {text}")));
        scenario.Require(5000, () => isDone, "the controller answers");
    }

    private static Scenario Start(ulong seed, ClusterShape? shape = null)
    {
        var scenario = new Scenario(seed, shape ?? new ClusterShape());
        scenario.Form();
        scenario.CreateTopic(Partitions);
        scenario.AddClient(Partitions, meanIntervalUs: 20_000);
        return scenario;
    }

    private static void StartAll(Scenario scenario)
    {
        foreach (var broker in scenario.Cluster.Brokers)
        {
            broker.Start();
        }
    }

    private static void End(Scenario scenario)
    {
        scenario.Settle();
        Assert.Null(scenario.Oracle.Violation);
        Assert.True(scenario.Oracle.Acknowledged > 0, "nothing was acknowledged, so nothing was shown");
    }

    private static void FlipBit(Scenario scenario, SimulatedBroker broker, int partition)
    {
        var replica = broker.Node!.Replicas.Table.Find(new Storage.LogIdentity(scenario.TopicId, partition))!;
        var directory = $"partitions/{replica.Identity.DirectoryName}";
        var path = $"{directory}/{broker.Disk.ListFiles(directory).First(static name => name.EndsWith(".log", StringComparison.Ordinal))}";
        broker.Disk.Rot(path, position: 200, bit: 3);
    }

    private static void Rot(SimulatedBroker broker, string path)
    {
        long length;
        using (var file = broker.Disk.Open(path, Storage.Files.OpenKind.Read))
        {
            length = file.Length;
        }

        for (var position = 0L; position < length; position += 37)
        {
            broker.Disk.Rot(path, position, bit: 1);
        }
    }

}
