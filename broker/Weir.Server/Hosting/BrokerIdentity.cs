namespace Weir.Server.Hosting;

/// <summary>Who this broker is.</summary>
/// <param name="ClusterId">The cluster's id, made at its first start.</param>
/// <param name="NodeId">Its id in the cluster.</param>
/// <param name="Version">Its version.</param>
internal sealed record BrokerIdentity(string ClusterId, int NodeId, string Version);
