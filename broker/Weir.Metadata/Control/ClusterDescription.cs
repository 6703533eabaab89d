using Weir.Metadata.Quorum;
using Weir.Protocol.Messages;

namespace Weir.Metadata.Control;

/// <summary>Says in one message how the cluster is.</summary>
internal static class ClusterDescription
{
    public static DescribeClusterResponse Describe(QuorumNode quorum)
    {
        var image = quorum.Committed;
        var response = new DescribeClusterResponse
        {
            ClusterId = image.ClusterId,
            ControllerId = quorum.LeaderId,
            ControllerEpoch = quorum.Epoch,
            FeatureLevel = image.FeatureLevel,
            MetadataOffset = image.NextOffset,
            Topics = image.TopicCount,
            Partitions = image.PartitionCount,
            Voters = [.. quorum.DescribeVoters()],
            Configs = image.Settings.Describe(),
            Groups = image.GroupCount,
        };
        var brokers = image.Brokers.ToDictionary(static broker => broker.NodeId, ToStatus);
        foreach (var topic in image.Topics)
        {
            foreach (var partition in topic.Partitions)
            {
                Count(response, topic, partition);
                Count(brokers, partition);
            }
        }

        response.Brokers = [.. brokers.Values.OrderBy(static broker => broker.NodeId)];
        return response;
    }

    private static void Count(DescribeClusterResponse response, TopicImage topic, PartitionImage partition)
    {
        response.OfflinePartitions += partition.Leader < 0 ? 1 : 0;
        response.UnderReplicated += partition.Isr.Length < partition.Replicas.Length ? 1 : 0;
        response.UnderMinIsr +=
            partition.Isr.Length < topic.Settings.MinInsyncReplicasFor(partition.PromisedReplicas) ? 1 : 0;
        response.Reassigning += partition.AddingReplicas.Length + partition.RemovingReplicas.Length > 0 ? 1 : 0;
    }

    private static void Count(Dictionary<int, BrokerStatus> brokers, PartitionImage partition)
    {
        foreach (var id in partition.Replicas)
        {
            if (brokers.TryGetValue(id, out var broker))
            {
                broker.Replicas++;
                broker.OutOfSync += partition.Isr.Contains(id) ? 0 : 1;
                broker.Leaders += partition.Leader == id ? 1 : 0;
            }
        }
    }

    private static BrokerStatus ToStatus(BrokerImage broker) => new()
    {
        NodeId = broker.NodeId,
        Host = broker.Host,
        Port = broker.Port,
        Rack = broker.Rack,
        Version = broker.Version,
        BrokerEpoch = broker.BrokerEpoch,
        IsFenced = broker.Fenced,
        IsDraining = broker.Draining,
        IsCordoned = broker.Cordoned,
        IsDecommissioning = broker.Decommissioning,
    };
}
