using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Storage;

namespace Weir.Simulation.Exhaustive;

/// <summary>
/// A controller that never fails: every change is decided by the rules of production and committed at once. Who hears of it
/// when is up to the search.
/// </summary>
internal sealed class ControllerStandIn
{
    private readonly Dictionary<long, int> _registrations = [];
    private readonly Dictionary<int, int> _registrationsOf = [];

    public ControllerStandIn(LogIdentity partition, int leader)
    {
        Commit([new ClusterCreated { ClusterId = "search" }]);
        for (var id = 1; id <= 3; id++)
        {
            Register(id);
            Unfence(id);
        }

        Commit([new TopicCreated
        {
            TopicId = partition.TopicId,
            Name = "events",
            Partitions = [new PartitionAssignment { Leader = leader, Replicas = [1, 2, 3], Isr = [1, 2, 3] }],
        }]);
        TopicId = partition.TopicId;
    }

    public Guid TopicId { get; }

    public MetadataImage Image { get; private set; } = MetadataImage.Empty;

    public PartitionImage Partition => Image.Find(TopicId)!.Partitions[0];

    /// <summary>Which registration of its broker an epoch stands for.</summary>
    public int OrdinalOf(long brokerEpoch) => _registrations.GetValueOrDefault(brokerEpoch, -1);

    /// <summary>A broker joins.</summary>
    /// <returns>Epoch of its registration.</returns>
    public long Register(int nodeId)
    {
        Commit(MetadataController.RegisterBroker(
            Image,
            new RegisterBrokerRequest
            {
                ClusterId = "search",
                NodeId = nodeId,
                IncarnationId = new Guid((int)Image.NextOffset, 0, 0, new byte[8]),
                DirectoryId = QuorumPeer.DirectoryOf(nodeId),
                Host = $"node{nodeId}",
                Port = 9650,
                IsLossyRestart = true,
            },
            isAlive: false));
        var epoch = Image.FindBroker(nodeId)!.BrokerEpoch;
        _registrations[epoch] = _registrationsOf[nodeId] = _registrationsOf.GetValueOrDefault(nodeId) + 1;
        return epoch;
    }

    public void Fence(int nodeId) => Commit(MetadataController.FenceBroker(Image, nodeId));

    public void Unfence(int nodeId) => Commit(MetadataController.UnfenceBroker(Image, nodeId));

    public void ElectPreferred() => Commit(MetadataController.BalanceLeaders(Image));

    /// <summary>A leader wants other in-sync replicas.</summary>
    public void Serve(AlterPartitionsRequest request, Action<IMessage> reply, Refuse refuse)
    {
        try
        {
            var decision = MetadataController.AlterPartitions(Image, request);
            Commit(decision.Records);
            reply(new AlterPartitionsResponse { Partitions = [.. decision.Outcome] });
        }
        catch (ProtocolException e)
        {
            refuse(e.Code, e.Message);
        }
    }

    private void Commit(IReadOnlyList<IMetadataRecord> records)
    {
        foreach (var record in records)
        {
            Image = Image.Apply(record);
        }
    }
}
