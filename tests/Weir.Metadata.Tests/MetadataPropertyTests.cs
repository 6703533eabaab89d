using CsCheck;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Random commands on topics and brokers, and restarts: what is opened again is what was live, whatever snapshots and segments lie below.</summary>
[Trait("Category", "Simulation")]
public sealed class MetadataPropertyTests
{
    private static readonly string[] Names = ["a", "b", "A", "a.b", "a_b"];

    private static readonly ConfigEntry[][] Configs =
    [
        [],
        [Entry("retention.ms", "1000")],
        [Entry("retention.ms", null)],
        [Entry("segment.ms", "2000"), Entry("durability", "leader")],
        [Entry("durability", null), Entry("retention.bytes", "5")],
        [Entry("durability", "never")],
        [Entry("min.insync.replicas", "2")],
    ];

    private static readonly Gen<Command> AnyCommand =
        Gen.Select(Gen.Int[0, 14], Gen.Int[0, Names.Length - 1], Gen.Int[0, 5], Gen.Int[0, Configs.Length - 1])
            .Select(static (kind, name, partitions, configs) => new Command(kind, Names[name], partitions, Configs[configs]));

    [Fact]
    public void Image_after_restart_is_the_live_image() => AnyCommand.Array[1, 40].Sample(
        static commands =>
        {
            var disk = new SimulatedDisk();
            var options = Tight();
            var log = Open(disk, options);
            var model = new Model();
            foreach (var command in commands)
            {
                if (command.Kind is not (8 or 9))
                {
                    model.Check(Run(log, command), command, log.Image);
                    continue;
                }

                var live = log.Image;
                if (command.Kind == 8)
                {
                    log.Dispose();
                }
                else
                {
                    disk = disk.CrashImage((ulong)live.NextOffset);
                }

                log = Open(disk, options);
                Assert.Equal(Print(live), Print(log.Image));
            }

            log.Dispose();
        },
        iter: 300);

    [Fact]
    public void Snapshot_and_the_records_after_it_make_the_image_that_all_records_make() => AnyCommand.Array[1, 60].Sample(
        static commands =>
        {
            var controller = new MetadataController(maxPartitions: 40);
            var live = Apply([Cluster(), .. Broker(NodeId)]);
            var fromSnapshot = live;
            foreach (var (command, index) in commands.Select(static (command, index) => (command, index)))
            {
                if (command.Kind is 8 or 9)
                {
                    fromSnapshot = MetadataImage.FromSnapshot(fromSnapshot.ToSnapshot(), fromSnapshot.NextOffset);
                    continue;
                }

                try
                {
                    foreach (var record in Decide(controller, live, command, index))
                    {
                        live = live.Apply(record);
                        fromSnapshot = fromSnapshot.Apply(record);
                    }
                }
                catch (ProtocolException)
                {
                    // Refused: nothing changes.
                }

                Assert.Equal(Print(live), Print(fromSnapshot));
                Assert.Equal(live.Topics.Sum(static topic => topic.Partitions.Length), live.PartitionCount);
            }
        },
        iter: 2000);

    [Fact]
    public void Whatever_is_decided_no_committed_record_is_lost_and_the_image_is_sound() => Gen.Select(Gen.ULong, Gen.Int[1, 150]).Sample(
        static (seed, steps) => Walk(seed, steps),
        iter: 1500);

    /// <summary>A move was cancelled while most of what was in sync was new: one broker's loss of power then took the rest.</summary>
    [Theory]
    [InlineData(29792, 73)]
    public void What_was_found_stays_found(ulong seed, int steps) => Walk(seed, steps);

    [Fact]
    public void Random_decisions_reach_what_they_shall_test()
    {
        var (wishes, records) = (0, 0);
        for (var seed = 0UL; seed < 50; seed++)
        {
            var model = new ClusterModel(seed);
            for (var i = 0; i < 150; i++)
            {
                model.Step();
            }

            (wishes, records) = (wishes + model.Progress.Wishes, records + model.Progress.Records);
        }

        Assert.True(wishes > 200 && records > 200, $"{wishes} wishes granted, {records} records committed");
    }

    private static IEnumerable<Records.IMetadataRecord> Decide(
        MetadataController controller, MetadataImage image, Command command, int index) => command.Kind switch
        {
            < 3 => [controller.CreateTopic(
                image, Create(command.Name, command.Partitions, command.Configs), new Guid(index + 1, 0, 0, new byte[8]), index, NowMs)],
            < 6 => controller.AlterTopic(image, Alter(command.Name, command.Partitions, command.Configs)),
            6 => [MetadataController.DeleteTopic(image, new DeleteTopicRequest { Name = command.Name })],
            7 => [MetadataController.ReserveProducerIds(image, command.Partitions)],
            10 or 11 => controller.CreateGroup(
                image, command.ToGroup(), new Guid(index + 1, 2, 0, new byte[8]), new Guid(index + 1, 3, 0, new byte[8]), index, NowMs),
            12 => MetadataController.AlterGroup(image, command.ToGroupChange()),
            13 => [MetadataController.DeleteGroup(image, new DeleteGroupRequest { Name = command.Name })],
            _ => MetadataController.AlterCluster(image, command.ToClusterChange()),
        };

    private static ErrorCode Run(LoneController log, Command command)
    {
        try
        {
            switch (command.Kind)
            {
                case < 3:
                    log.CreateTopic(Create(command.Name, command.Partitions, command.Configs));
                    break;
                case < 6:
                    log.AlterTopic(Alter(command.Name, command.Partitions, command.Configs));
                    break;
                case 6:
                    log.DeleteTopic(new DeleteTopicRequest { Name = command.Name });
                    break;
                case 7:
                    log.NextProducerId();
                    break;
                case 10 or 11:
                    log.CreateGroup(command.ToGroup());
                    break;
                case 12:
                    log.AlterGroup(command.ToGroupChange());
                    break;
                case 13:
                    log.DeleteGroup(new DeleteGroupRequest { Name = command.Name });
                    break;
                default:
                    log.AlterCluster(command.ToClusterChange());
                    break;
            }

            return ErrorCode.None;
        }
        catch (ProtocolException e)
        {
            return e.Code;
        }
    }

    private sealed record Command(int Kind, string Name, int Partitions, ConfigEntry[] Configs)
    {
        public CreateGroupRequest ToGroup() => new()
        {
            Name = Name, Mode = (GroupMode)(Partitions % 4), Topics = Topics, OnUse = Kind == 11, Configs = [Entry("lock.ms", $"{Partitions * 1000}")],
        };

        public AlterGroupRequest ToGroupChange() => new()
        {
            Name = Name, Topics = Partitions < 3 ? [] : Topics, Owner = Partitions % 2 == 0 ? null : $"{Partitions}",
        };

        public AlterClusterRequest ToClusterChange() => new()
        {
            Configs = [Entry("declare.groups.on.use", Partitions % 2 == 0 ? null : "true")],
        };

        private string[] Topics => Partitions % 2 == 0 ? ["a"] : ["a*", $"{Name}.*"];

        public override string ToString() =>
            $"{Kind} {Name} {Partitions} {string.Join(',', Configs.Select(static entry => $"{entry.Name}={entry.Value}"))}";
    }

    /// <summary>What a user expects: names with partitions and settings.</summary>
    private sealed class Model
    {
        private readonly Dictionary<string, (int Partitions, Dictionary<string, string> Configs)> _topics = [];
        private readonly Dictionary<string, (string[] Topics, string? Owner, GroupMode Mode)> _groups = [];
        private bool _declaresOnUse;

        public void Check(ErrorCode outcome, Command command, MetadataImage image)
        {
            if (outcome == ErrorCode.None)
            {
                Expect(command);
            }

            var own = image.Topics.Select(static topic => topic.Name).Where(static name => name != GroupImage.StateTopic);
            Assert.Equal(_topics.Keys.Order(StringComparer.Ordinal), own.Order(StringComparer.Ordinal));
            Assert.True(image.GroupCount == 0 || image.Find(GroupImage.StateTopic) is not null);
            Assert.Equal(_declaresOnUse, image.Settings.DeclaresGroupsOnUse);
            Assert.Equal(_groups.Keys.Order(StringComparer.Ordinal), image.Groups.Select(static group => group.Name).Order(StringComparer.Ordinal));
            foreach (var (name, (topics, owner, mode)) in _groups)
            {
                var group = image.FindGroup(name)!;
                Assert.Equal(topics, group.Topics);
                Assert.Equal((owner, mode), (group.Owner, group.Mode));
            }

            foreach (var (name, (partitions, configs)) in _topics)
            {
                var topic = image.Find(name)!;
                Assert.Equal(partitions, topic.Partitions.Length);
                Assert.Equal(
                    configs.OrderBy(static pair => pair.Key).Select(static pair => $"{pair.Key}={pair.Value}"),
                    topic.Settings.Describe().Where(static entry => !entry.IsDefault).Select(static entry => $"{entry.Name}={entry.Value}"));
            }
        }

        private void Expect(Command command)
        {
            switch (command.Kind)
            {
                case < 3:
                    _topics.Add(command.Name, (command.Partitions, []));
                    Set(command);
                    break;
                case < 6:
                    var (partitions, configs) = _topics[command.Name];
                    if (command.Partitions > partitions)
                    {
                        configs.TryAdd("key.partitions", $"{partitions}");
                    }

                    _topics[command.Name] = (Math.Max(partitions, command.Partitions), configs);
                    Set(command);
                    break;
                case 6:
                    Assert.True(_topics.Remove(command.Name));
                    break;
                case 10 or 11:
                    Assert.True(command.Kind == 10 || _declaresOnUse);
                    var declared = command.ToGroup();
                    _groups.Add(command.Name, (declared.Topics, declared.Owner, declared.Mode));
                    break;
                case 12:
                    var change = command.ToGroupChange();
                    var group = _groups[command.Name];
                    _groups[command.Name] = (change.Topics.Length > 0 ? change.Topics : group.Topics, change.Owner ?? group.Owner, group.Mode);
                    break;
                case 13:
                    Assert.True(_groups.Remove(command.Name));
                    break;
                case 14:
                    _declaresOnUse = command.Partitions % 2 == 1;
                    break;
            }
        }

        private void Set(Command command)
        {
            foreach (var entry in command.Configs)
            {
                if (entry.Value is { } value)
                {
                    _topics[command.Name].Configs[entry.Name] = value;
                }
                else
                {
                    _topics[command.Name].Configs.Remove(entry.Name);
                }
            }
        }
    }

    private static void Walk(ulong seed, int steps)
    {
        var model = new ClusterModel(seed);
        for (var i = 0; i < steps; i++)
        {
            var e = Record.Exception(model.Step);
            Assert.True(e is null, $"step {i}: {e}\n{model}");
        }

        model.AssertReplays();
    }
}
