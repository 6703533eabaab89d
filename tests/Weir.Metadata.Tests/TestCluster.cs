using Weir.Metadata.Records;
using Weir.Protocol.Messages;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>An image that decisions are made on and applied to, one after the other.</summary>
internal sealed class TestCluster
{
    private readonly Dictionary<int, int> _wiped = [];

    /// <summary>Brokers 1 to <paramref name="brokers"/>, all running.</summary>
    public TestCluster(int brokers, params string?[] racks)
    {
        Image = Apply(Cluster());
        for (var id = 1; id <= brokers; id++)
        {
            Add(Broker(id, racks.Length > 0 ? racks[(id - 1) % racks.Length] : null, epoch: Image.NextOffset));
        }
    }

    public MetadataImage Image { get; private set; }

    public PartitionImage Partition => Image.Find("t")!.Partitions[0];

    /// <summary>Topic "t" with one partition.</summary>
    public TestCluster WithTopic(int[] replicas, string? minIsr = null, string? durability = null)
    {
        var topic = Topic(TopicId(1), "t");
        topic.Configs = [.. Settings(minIsr, durability)];
        topic.Partitions[0] = new PartitionAssignment { Leader = replicas[0], Replicas = replicas, Isr = replicas };
        return Add(topic);
    }

    public TestCluster Add(params IEnumerable<IMetadataRecord> records)
    {
        foreach (var record in records)
        {
            Image = Image.Apply(record);
        }

        return this;
    }

    public TestCluster Fence(params int[] nodes)
    {
        foreach (var node in nodes)
        {
            Add(MetadataController.FenceBroker(Image, node));
        }

        return this;
    }

    public TestCluster Unfence(int node) => Add(MetadataController.UnfenceBroker(Image, node));

    public TestCluster Register(int node, bool isWiped = false, bool isLossy = false, bool isAlive = false) =>
        Add(MetadataController.RegisterBroker(Image, Registration(node, isWiped, isLossy), isAlive));

    /// <summary>Comes back and has caught up with the metadata.</summary>
    public TestCluster Return(int node, bool isWiped = false, bool isLossy = false) =>
        Register(node, isWiped, isLossy).Unfence(node);

    public TestCluster Change(int node, BrokerAction action) =>
        Add(MetadataController.ChangeBroker(Image, new ChangeBrokerRequest { NodeId = node, Action = action }));

    public TestCluster Damage(int node) => Add(MetadataController.ReportDamage(Image, new ReportDamageRequest
    {
        NodeId = node,
        BrokerEpoch = Image.FindBroker(node)!.BrokerEpoch,
        Partitions = [new PartitionKey { TopicId = TopicId(1) }],
    }));

    public TestCluster Move(params int[] replicas) => Add(MetadataController.Reassign(Image, new ReassignPartitionsRequest
    {
        Topic = "t", Partitions = [new ReplicaAssignment { Replicas = replicas }],
    }));

    public TestCluster Replicate(short factor) =>
        Add(MetadataController.Reassign(Image, new ReassignPartitionsRequest { Topic = "t", ReplicationFactor = factor }));

    public TestCluster Cancel() =>
        Add(MetadataController.Reassign(Image, new ReassignPartitionsRequest { Topic = "t", Cancel = true }));

    public TestCluster Elect(ElectionKind kind, int node = -1) => Add(MetadataController.ElectLeaders(
        Image, new ElectLeadersRequest { Kind = kind, Topic = "t", NodeId = node }));

    public TestCluster Set(string key, string? value) =>
        Add(new MetadataController().AlterTopic(Image, Alter("t", 0, Entry(key, value))));

    /// <summary>The present leader wants other in-sync replicas, and gets them.</summary>
    public TestCluster InSync(params int[] isr)
    {
        var decision = MetadataController.AlterPartitions(Image, Wish(isr));
        Xunit.Assert.Equal(Weir.Protocol.Errors.ErrorCode.None, decision.Outcome[0].Error);
        return Add(decision.Records);
    }

    /// <summary>The wish of the present leader for other in-sync replicas, as it is now.</summary>
    public AlterPartitionsRequest Wish(params int[] isr) => new()
    {
        NodeId = Partition.Leader,
        BrokerEpoch = Image.FindBroker(Partition.Leader)?.BrokerEpoch ?? -1,
        Partitions =
        [
            new PartitionAlteration
            {
                TopicId = TopicId(1),
                LeaderEpoch = Partition.LeaderEpoch,
                PartitionEpoch = Partition.PartitionEpoch,
                Isr = [.. isr.Select(id => new ReplicaState { NodeId = id, BrokerEpoch = Image.FindBroker(id)?.BrokerEpoch ?? -1 })],
            },
        ],
    };

    public RegisterBrokerRequest Registration(int node, bool isWiped = false, bool isLossy = false)
    {
        _wiped[node] = _wiped.GetValueOrDefault(node) + (isWiped ? 1 : 0);
        return new RegisterBrokerRequest
        {
            ClusterId = Image.ClusterId,
            NodeId = node,
            DirectoryId = Directory(node, _wiped[node]),
            Host = "h",
            Port = 9092,
            Rack = Image.FindBroker(node)?.Rack,
            Version = "1",
            IsLossyRestart = isLossy,
        };
    }

    /// <summary>Leader, ISR and ELR in one line; then replicas that come and go.</summary>
    public override string ToString()
    {
        var partition = Partition;
        var moves = partition.IsReassigning
            ? $"+{string.Join(',', partition.AddingReplicas)} -{string.Join(',', partition.RemovingReplicas)}"
            : "";
        return $"{partition.Leader} of {string.Join(',', partition.Isr.Order())} / {string.Join(',', partition.Elr.Order())}"
            + (moves.Length > 0 && !partition.Elr.IsEmpty ? " " : "") + moves;
    }

    private static IEnumerable<ConfigSetting> Settings(string? minIsr, string? durability)
    {
        if (minIsr is not null)
        {
            yield return new ConfigSetting { Name = "min.insync.replicas", Value = minIsr };
        }

        if (durability is not null)
        {
            yield return new ConfigSetting { Name = "durability", Value = durability };
        }
    }
}
