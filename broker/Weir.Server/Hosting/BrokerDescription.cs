using System.Globalization;
using Weir.Metadata;
using Weir.Protocol.Messages;
using Weir.Server.Partitions;
using Weir.Server.Transport;
using Weir.Storage.Files;

namespace Weir.Server.Hosting;

/// <summary>What this broker says of itself.</summary>
internal sealed class BrokerDescription(
    BrokerContext broker, BrokerIdentity identity, PartitionTable partitions, PhysicalLogFiles files,
    ConnectionListener listener, Func<MetadataImage> metadata)
{
    private readonly long _startedAtMs = broker.NowMs;

    /// <summary>Its figures and settings now.</summary>
    public DescribeBrokerResponse Describe()
    {
        var options = broker.Options;
        return new DescribeBrokerResponse
        {
            ClusterId = identity.ClusterId,
            NodeId = identity.NodeId,
            BrokerVersion = identity.Version,
            StartedAtMs = _startedAtMs,
            Connections = listener.Count,
            Topics = metadata().TopicCount,
            Partitions = partitions.Count,
            OfflinePartitions = partitions.All.Count(static partition => partition.IsOffline),
            LogBytes = partitions.All.Sum(static partition => partition.Log.SizeBytes),
            FreeBytes = files.FreeBytes,
            Configs =
            [
                Entry("listen", listener.EndPoint.ToString()),
                Entry("http", options.Http),
                Entry("data", Path.GetFullPath(options.Data)),
                Entry("max.connections", options.MaxConnections),
                Entry("max.frame.bytes", options.MaxFrameBytes),
                Entry("produce.window.bytes", options.ProduceWindowBytes),
                Entry("tail.memory.bytes", options.TailMemoryBytes),
                Entry("min.free.bytes", options.MinFreeBytes),
                Entry("max.partitions", options.MaxPartitions),
            ],
        };
    }

    private static ConfigEntry Entry(string name, IFormattable value) =>
        Entry(name, value.ToString(null, CultureInfo.InvariantCulture));

    private static ConfigEntry Entry(string name, string value) => new() { Name = name, Value = value };
}
