using System.Collections.Immutable;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>
/// A cluster's image under random decisions, and beside it which records each replica has. A record is committed where as
/// many replicas are in sync as must be, on all of them and on those that the leader has asked for; a replica is asked for
/// after it has fetched everything.
/// </summary>
internal sealed class ClusterModel
{
    private static readonly string[] Durabilities = ["fsync", "fsync", "replicated", "leader"];
    private readonly SeededRandom _random;
    private readonly MetadataController _controller = new();
    private readonly Dictionary<int, Node> _nodes = [];
    private readonly Dictionary<(string Topic, int Index), Data> _data = [];
    private readonly List<AlterPartitionsRequest> _wishes = [];
    private readonly List<IMetadataRecord> _records = [];
    private readonly List<string> _history = [];
    private int _nextRecord;
    private int _nextTopic;
    private string _step = "";

    public ClusterModel(ulong seed)
    {
        _random = new SeededRandom(seed);
        Add([Cluster()]);
        var brokers = 3 + _random.Next(4);
        var racks = 1 + _random.Next(3);
        for (var id = 1; id <= brokers; id++)
        {
            _nodes[id] = new Node { Rack = racks == 1 ? null : $"r{_random.Next(racks)}" };
            Register(id);
            Decide(() => MetadataController.UnfenceBroker(Image, id));
        }

        for (var topics = 1 + _random.Next(4); topics > 0; topics--)
        {
            Create();
        }
    }

    /// <summary>What the records made.</summary>
    public MetadataImage Image { get; private set; } = MetadataImage.Empty;

    /// <summary>How many wishes were granted and records committed: a model that does nothing proves nothing.</summary>
    public (int Wishes, int Records) Progress { get; private set; }

    public void Step()
    {
        var node = 1 + _random.Next(_nodes.Count);
        var kind = _random.Next(64);
        _step = $"{kind} on {node}";
        switch (kind)
        {
            case < 9:
                Commit();
                break;
            case < 20:
                AskForIsr();
                break;
            case < 34:
                Deliver();
                break;
            case < 36:
                Stop(node, hasLostPower: kind == 34);
                break;
            case 36:
                Decide(() => MetadataController.FenceBroker(Image, node));
                break;
            case < 39:
                Wipe(node);
                break;
            case < 46:
                Register(PickNode(id => !_nodes[id].IsUp) ?? node);
                break;
            case < 54:
                Unfence(PickNode(id => _nodes[id].IsUp && Image.FindBroker(id) is { Fenced: true }) ?? node);
                break;
            case 54:
                Change(node, (BrokerAction)(1 + _random.Next(7)));
                break;
            case 55:
                Change(node, BrokerAction.Undrain);
                Change(node, BrokerAction.AbortDecommission);
                break;
            case < 59:
                Reassign();
                break;
            case < 61:
                Elect(node);
                break;
            case 61:
                Alter();
                break;
            case 62:
                Damage(node);
                break;
            default:
                Decide(() => MetadataController.BalanceLeaders(Image));
                break;
        }

        AssertSound();
    }

    /// <summary>The last steps, for a failure.</summary>
    public override string ToString() => string.Join('\n', _history.TakeLast(25));

    private static bool HasAll(Data data, int node) => data.On(node).IsSupersetOf(data.Committed);

    private (TopicImage Topic, PartitionImage Partition, Data Data)? Pick()
    {
        var topics = Image.Topics.OrderBy(static topic => topic.Name, StringComparer.Ordinal).ToList();
        if (topics.Count == 0)
        {
            return null;
        }

        var topic = topics[_random.Next(topics.Count)];
        var partition = topic.Partitions[_random.Next(topic.Partitions.Length)];
        return (topic, partition, _data[(topic.Name, partition.Index)]);
    }

    private int? PickNode(Func<int, bool> fits)
    {
        var found = _nodes.Keys.Where(fits).ToList();
        return found.Count > 0 ? found[_random.Next(found.Count)] : null;
    }

    private bool Serves(int node) =>
        Image.FindBroker(node) is { Fenced: false } broker && _nodes[node].IsUp && _nodes[node].Epoch == broker.BrokerEpoch;

    private void Commit()
    {
        if (Pick() is not var (topic, partition, data) || partition.Leader < 0)
        {
            return;
        }

        // The leader waits for the replicas that it has asked for too: the answer may be on its way.
        var asked = _wishes.SelectMany(static wish => wish.Partitions)
            .Where(wish => wish.TopicId == topic.TopicId && wish.Partition == partition.Index
                && wish.LeaderEpoch == partition.LeaderEpoch && wish.PartitionEpoch == partition.PartitionEpoch)
            .SelectMany(static wish => wish.Isr).Select(static member => member.NodeId);
        var isr = partition.Isr.Union(asked).ToList();
        if (partition.Isr.Length < MinIsr(topic, partition) || !isr.All(Serves))
        {
            return;
        }

        _nextRecord++;
        Progress = Progress with { Records = Progress.Records + 1 };
        data.Committed = data.Committed.Add(_nextRecord);
        foreach (var member in isr)
        {
            data.Set(member, data.On(member).Add(_nextRecord));
        }
    }

    private static int MinIsr(TopicImage topic, PartitionImage partition) =>
        topic.Settings.MinInsyncReplicasFor(partition.PromisedReplicas);

    private void AskForIsr()
    {
        if (Pick() is not var (topic, partition, data) || partition.Leader < 0 || !Serves(partition.Leader))
        {
            return;
        }

        var isr = new List<int> { partition.Leader };
        foreach (var replica in partition.Replicas.Where(id => id != partition.Leader && Image.FindBroker(id) is not null))
        {
            if (_random.Chance(partition.Isr.Contains(replica) ? 4 : 3, 5))
            {
                if (!partition.Isr.Contains(replica))
                {
                    if (!_nodes[replica].IsUp)
                    {
                        continue;
                    }

                    data.Set(replica, data.On(partition.Leader));
                }

                isr.Add(replica);
            }
        }

        if (_wishes.Count == 8)
        {
            _wishes.RemoveAt(0);
        }

        _wishes.Add(new AlterPartitionsRequest
        {
            NodeId = partition.Leader,
            BrokerEpoch = _nodes[partition.Leader].Epoch,
            Partitions =
            [
                new PartitionAlteration
                {
                    TopicId = topic.TopicId,
                    Partition = partition.Index,
                    LeaderEpoch = partition.LeaderEpoch,
                    PartitionEpoch = partition.PartitionEpoch,
                    Isr = [.. isr.Select(id => new ReplicaState { NodeId = id, BrokerEpoch = _nodes[id].Epoch })],
                },
            ],
        });
        _step += $" wish {topic.Name}-{partition.Index} {string.Join(',', isr)}";
    }

    /// <summary>A wish arrives, now and then twice.</summary>
    private void Deliver()
    {
        if (_wishes.Count == 0)
        {
            return;
        }

        var index = _random.Chance(3, 4) ? _wishes.Count - 1 : _random.Next(_wishes.Count);
        var wish = _wishes[index];
        if (_random.Chance(4, 5))
        {
            _wishes.RemoveAt(index);
        }

        Decide(() =>
        {
            var decision = MetadataController.AlterPartitions(Image, wish);
            Progress = Progress with { Wishes = Progress.Wishes + (decision.Records.Count > 0 ? 1 : 0) };
            _step += $" {decision.Outcome[0].Error}";
            return decision.Records;
        });
    }

    private void Stop(int node, bool hasLostPower)
    {
        _nodes[node].IsUp = false;
        if (!hasLostPower)
        {
            return;
        }

        _nodes[node].IsLossy = true;
        foreach (var topic in Image.Topics.Where(static topic => topic.Settings.Durability != Durability.Fsync))
        {
            foreach (var partition in topic.Partitions)
            {
                Lose(partition, _data[(topic.Name, partition.Index)], node);
            }
        }
    }

    private void Wipe(int node)
    {
        if (_nodes[node].IsUp || Image.FindBroker(node) is null)
        {
            return;
        }

        _nodes[node].Wiped++;
        _nodes[node].IsForgotten = true;
        foreach (var topic in Image.Topics)
        {
            foreach (var partition in topic.Partitions)
            {
                Lose(partition, _data[(topic.Name, partition.Index)], node);
            }
        }
    }

    /// <summary>A replica loses its records. Only where nobody else is in sync or eligible with them, they are lost by right.</summary>
    private static void Lose(PartitionImage partition, Data data, int node)
    {
        data.Set(node, []);
        if (partition.Isr.Contains(node) || partition.Elr.Contains(node))
        {
            var others = partition.Isr.AddRange(partition.Elr).Remove(node);
            if (!others.Any(other => HasAll(data, other)))
            {
                data.Committed = [];
            }
        }
    }

    private void Register(int node)
    {
        var state = _nodes[node];
        if (state.IsUp && Image.FindBroker(node) is not null)
        {
            return;
        }

        var isAlive = Image.FindBroker(node) is { Fenced: false } && _random.Chance(1, 2);
        var request = new RegisterBrokerRequest
        {
            ClusterId = "c",
            NodeId = node,
            DirectoryId = Directory(node, state.Wiped),
            Host = "h",
            Port = 1,
            Rack = state.Rack,
            Version = "1",
            IsLossyRestart = state.IsLossy,
        };
        if (Decide(() => MetadataController.RegisterBroker(Image, request, isAlive)) == ErrorCode.None)
        {
            (state.IsUp, state.IsLossy, state.IsForgotten) = (true, false, false);
            state.Epoch = Image.FindBroker(node)!.BrokerEpoch;
        }
    }

    private void Unfence(int node)
    {
        if (Image.FindBroker(node) is { Fenced: true } broker && _nodes[node].IsUp && _nodes[node].Epoch == broker.BrokerEpoch)
        {
            Decide(() => MetadataController.UnfenceBroker(Image, node));
        }
    }

    private void Change(int node, BrokerAction action)
    {
        var code = Decide(() => MetadataController.ChangeBroker(Image, new ChangeBrokerRequest { NodeId = node, Action = action }));
        if (action == BrokerAction.Remove && code == ErrorCode.None)
        {
            _nodes[node].IsUp = false;
        }
    }

    private void Reassign()
    {
        if (Pick() is not var (topic, partition, _))
        {
            return;
        }

        var request = new ReassignPartitionsRequest { Topic = topic.Name };
        switch (_random.Next(4))
        {
            case 0:
                request.Cancel = true;
                break;
            case 1:
                request.ReplicationFactor = (short)(1 + _random.Next(3));
                break;
            default:
                var nodes = _nodes.Keys.OrderBy(_ => _random.NextUInt64()).Take(1 + _random.Next(3));
                request.Partitions = [new ReplicaAssignment { Partition = partition.Index, Replicas = [.. nodes] }];
                break;
        }

        Decide(() => MetadataController.Reassign(Image, request));
    }

    private void Elect(int node)
    {
        if (Pick() is not var (topic, partition, data))
        {
            return;
        }

        var request = new ElectLeadersRequest
        {
            Kind = _random.Chance(1, 2) ? ElectionKind.Preferred : ElectionKind.Unclean,
            Topic = topic.Name,
            Partition = partition.Index,
            NodeId = node,
        };
        if (Decide(() => MetadataController.ElectLeaders(Image, request)) == ErrorCode.None && request.Kind == ElectionKind.Unclean)
        {
            data.Committed = data.Committed.Intersect(data.On(node));
        }
    }

    private void Alter()
    {
        if (Image.TopicCount < 4 && _random.Chance(1, 3))
        {
            Create();
            return;
        }

        if (_random.Chance(1, 12))
        {
            DeclareGroup();
            return;
        }

        if (Pick() is not var (topic, _, _))
        {
            return;
        }

        if (_random.Chance(1, 6))
        {
            Decide(() => [MetadataController.DeleteTopic(Image, new DeleteTopicRequest { Name = topic.Name })]);
            return;
        }

        var request = _random.Next(4) switch
        {
            0 => TestMetadata.Alter(topic.Name, Math.Min(3, topic.Partitions.Length + 1)),
            1 => TestMetadata.Alter(topic.Name, 0, Entry("min.insync.replicas", null)),
            _ => TestMetadata.Alter(topic.Name, 0, Entry("min.insync.replicas", $"{1 + _random.Next(3)}")),
        };
        Decide(() => _controller.AlterTopic(Image, request));
        Track(topic.Name);
    }

    private void Create()
    {
        var name = $"t{_nextTopic++}";
        var request = TestMetadata.Create(name, 1 + _random.Next(2), Entry("durability", Durabilities[_random.Next(4)]));
        request.ReplicationFactor = (short)(1 + _random.Next(3));
        Decide(() => [_controller.CreateTopic(Image, request, TopicId(_nextTopic), 1, NowMs)]);
        Track(name);
    }

    /// <summary>With it comes the topic of the groups' state, once: its replicas are as safe as any other's.</summary>
    private void DeclareGroup()
    {
        var number = _nextTopic++;
        var request = new CreateGroupRequest { Name = $"g{number}", Topics = ["t*"] };
        Decide(() => _controller.CreateGroup(Image, request, TopicId(number), TopicId(10_000 + number), 1, NowMs));
        Track(GroupImage.StateTopic);
    }

    private void Track(string name)
    {
        foreach (var partition in Image.Find(name)?.Partitions ?? [])
        {
            _data.TryAdd((name, partition.Index), new Data());
        }
    }

    private void Damage(int node)
    {
        if (Pick() is not var (topic, partition, data) || !_nodes[node].IsUp || partition.Replicas.Length < 2)
        {
            return;
        }

        var request = new ReportDamageRequest
        {
            NodeId = node,
            BrokerEpoch = _nodes[node].Epoch,
            Partitions = [new PartitionKey { TopicId = topic.TopicId, Partition = partition.Index }],
        };
        if (Image.FindBroker(node)?.BrokerEpoch == _nodes[node].Epoch)
        {
            Lose(partition, data, node);
            Decide(() => MetadataController.ReportDamage(Image, request));

            // What it loses is lost before it says so: its leader does not ask for it with what it had.
            _wishes.RemoveAll(wish => wish.Partitions[0].TopicId == topic.TopicId && wish.Partitions[0].Partition == partition.Index);
        }
    }

    private ErrorCode Decide(Func<IReadOnlyList<IMetadataRecord>> decide)
    {
        try
        {
            Add(decide());
            return ErrorCode.None;
        }
        catch (ProtocolException e)
        {
            _step += $": {e.Code}";
            return e.Code;
        }
    }

    private void Add(IReadOnlyList<IMetadataRecord> records)
    {
        var before = Image;
        var next = Image;
        foreach (var record in records)
        {
            next = next.Apply(record);
            _records.Add(record);
        }

        Image = next;
        foreach (var topic in next.Topics)
        {
            foreach (var partition in topic.Partitions)
            {
                if (before.Find(topic.TopicId) is { } old && partition.Index < old.Partitions.Length)
                {
                    AssertFollows(topic, old.Partitions[partition.Index], partition);
                }
            }
        }
    }

    private void AssertFollows(TopicImage topic, PartitionImage before, PartitionImage after)
    {
        var where = $"{_step}: {topic.Name}-{after.Index}: {before} -> {after}";
        Assert.True(after.LeaderEpoch >= before.LeaderEpoch && after.PartitionEpoch >= before.PartitionEpoch, where);
        Assert.True(after.Leader == before.Leader || after.LeaderEpoch > before.LeaderEpoch, where);
        var data = _data[(topic.Name, after.Index)];
        var last = after.Isr.AddRange(after.Elr);
        if (last.Length >= MinIsr(topic, after) && last.All(id => IsLost(topic, id)))
        {
            // As many replicas as acknowledge a record lost it, and the controller does not know yet: too many faults at once.
            data.Committed = [];
        }

        if (before.Isr.IsEmpty && before.Elr.IsEmpty && after.Leader >= 0)
        {
            // Nobody had everything any more, and without fsync somebody leads with what is left.
            data.Committed = data.Committed.Intersect(data.On(after.Leader));
        }
    }

    private void AssertSound()
    {
        _history.Add(_step);
        foreach (var topic in Image.Topics)
        {
            foreach (var partition in topic.Partitions)
            {
                AssertSound(topic, partition, _data[(topic.Name, partition.Index)]);
            }
        }

        Assert.Equal(Print(Image), Print(MetadataImage.FromSnapshot(Image.ToSnapshot(), Image.NextOffset)));
    }

    public void AssertReplays() => Assert.Equal(
        Print(Image), Print(_records.Aggregate(MetadataImage.Empty, static (image, record) => image.Apply(record))));

    private void AssertSound(TopicImage topic, PartitionImage partition, Data data)
    {
        var state = $"{topic.Name}-{partition.Index} min {MinIsr(topic, partition)} leader {partition.Leader} replicas "
            + $"{string.Join(',', partition.Replicas)} isr {string.Join(',', partition.Isr)} elr {string.Join(',', partition.Elr)}";
        foreach (var member in partition.Isr.AddRange(partition.Elr).Where(id => !IsLost(topic, id)))
        {
            Assert.True(HasAll(data, member), $"{member} lacks committed records: {state}");
        }

        Assert.True(partition.Leader < 0 || partition.Isr.Contains(partition.Leader), $"the leader is not in sync: {state}");
        Assert.True(partition.Leader >= 0 || partition.Isr.IsEmpty, $"nobody leads: {state}");
        Assert.True(!partition.Isr.Any(partition.Elr.Contains), $"ISR and ELR meet: {state}");
        Assert.True(partition.Isr.Length < MinIsr(topic, partition) || partition.Elr.IsEmpty, $"ELR above min ISR: {state}");
        Assert.True(partition.Isr.All(id => Image.FindBroker(id) is { Fenced: false }), $"a fenced broker is in sync: {state}");
        Assert.True(
            data.Committed.IsEmpty || partition.Isr.Length + partition.Elr.Length > 0, $"nobody may lead with what is committed: {state}");
    }

    /// <summary>It was wiped or lost what was not synced, and could not say so yet.</summary>
    private bool IsLost(TopicImage topic, int node) =>
        _nodes[node].IsForgotten || (_nodes[node].IsLossy && topic.Settings.Durability != Durability.Fsync);

    private sealed class Node
    {
        public bool IsUp { get; set; }

        public bool IsLossy { get; set; }

        public bool IsForgotten { get; set; }

        public int Wiped { get; set; }

        public long Epoch { get; set; } = -1;

        public string? Rack { get; init; }
    }

    private sealed class Data
    {
        private readonly Dictionary<int, ImmutableHashSet<int>> _on = [];

        public ImmutableHashSet<int> Committed { get; set; } = [];

        public ImmutableHashSet<int> On(int node) => _on.GetValueOrDefault(node, []);

        public void Set(int node, ImmutableHashSet<int> records) => _on[node] = records;
    }
}
