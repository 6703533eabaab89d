using Weir.Metadata.Quorum;

namespace Weir.Server.Hosting;

/// <summary>Who this broker is. Thread-safe.</summary>
internal sealed class BrokerIdentity(DirectoryIdentity directory, string version)
{
    /// <summary>What brokers call themselves in the hello to each other.</summary>
    public const string PeerSdkName = "weir-broker";

    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The cluster's id; empty before it is known.</summary>
    public string ClusterId => directory.ClusterId;

    /// <summary>Its id in the cluster.</summary>
    public int NodeId => directory.NodeId;

    /// <summary>Its version.</summary>
    public string Version => version;

    /// <summary>Completes once the cluster's id is known.</summary>
    public Task Joined => directory.ClusterId.Length > 0 ? Task.CompletedTask : _joined.Task;

    /// <summary>Notes the cluster, durably.</summary>
    /// <exception cref="Metadata.MetadataException">The data directory belongs to another one.</exception>
    public void Join(string clusterId)
    {
        if (clusterId.Length > 0)
        {
            directory.Join(clusterId);
            _joined.TrySetResult();
        }
    }
}
