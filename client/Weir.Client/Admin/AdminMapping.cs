using Weir.Protocol.Messages;

namespace Weir.Client.Admin;

/// <summary>Turns messages into the types of the public surface.</summary>
internal static class AdminMapping
{
    public static ConfigEntry[] ToEntries(IReadOnlyDictionary<string, string?>? configs) => configs is null
        ? []
        : [.. configs.Select(static pair => new ConfigEntry { Name = pair.Key, Value = pair.Value })];

    public static List<ConfigValue> ToConfigs(ConfigEntry[] entries) =>
        [.. entries.Select(static entry => new ConfigValue(entry.Name, entry.Value, entry.IsDefault))];

    public static PartitionSummary ToSummary(PartitionInfo info) =>
        new(info.Partition, info.Leader, info.LeaderEpoch, info.Replicas, info.Isr);

    public static TopicSummary ToSummary(TopicInfo info) => new(
        info.Name, info.TopicId, info.Kind, info.Durability, info.MaxBatchBytes,
        [.. info.Partitions.Select(ToSummary)], info.KeyPartitions);

    public static ClusterMetadata ToMetadata(MetadataResponse reply) => new(
        reply.ClusterId,
        reply.ControllerId,
        [.. reply.Brokers.Select(static broker => new BrokerEndpoint(broker.NodeId, broker.Host, broker.Port))],
        [.. reply.Topics.Where(static topic => topic.Error == Protocol.Errors.ErrorCode.None).Select(ToSummary)]);

    public static TopicDescription ToDescription(DescribeTopicResponse reply) => new(
        reply.Name,
        reply.TopicId,
        reply.Kind,
        reply.Durability,
        DateTimeOffset.FromUnixTimeMilliseconds(reply.CreatedAtMs),
        ToConfigs(reply.Configs),
        [.. reply.Partitions.Select(static partition => new PartitionStatus(
            ToSummary(partition.Info), partition.Error, partition.LogStartOffset, partition.HighWatermark,
            partition.LogEndOffset, partition.SizeBytes))]);

    public static BrokerDescription ToDescription(DescribeBrokerResponse reply) => new(
        reply.ClusterId, reply.NodeId, reply.BrokerVersion, DateTimeOffset.FromUnixTimeMilliseconds(reply.StartedAtMs),
        reply.Connections, reply.Topics, reply.Partitions, reply.OfflinePartitions, reply.LogBytes, reply.FreeBytes,
        ToConfigs(reply.Configs));
}
