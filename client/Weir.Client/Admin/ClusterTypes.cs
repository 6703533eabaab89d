namespace Weir.Client.Admin;

/// <summary>The cluster as its controller knows it.</summary>
/// <param name="ClusterId">Its id.</param>
/// <param name="ControllerId">Node id of the controller, which leads the metadata quorum.</param>
/// <param name="ControllerEpoch">Epoch of the metadata quorum.</param>
/// <param name="Topics">Topics.</param>
/// <param name="Partitions">Partitions.</param>
/// <param name="OfflinePartitions">Partitions without a leader.</param>
/// <param name="UnderReplicated">Partitions with fewer in-sync replicas than replicas.</param>
/// <param name="UnderMinIsr">Partitions that take no records with acks=all, as too few replicas are in sync.</param>
/// <param name="Reassigning">Partitions whose replicas are being moved.</param>
/// <param name="Voters">Voters of the metadata quorum.</param>
/// <param name="Brokers">Brokers by node id.</param>
/// <param name="Groups">Declared groups.</param>
/// <param name="Configs">Every setting of the cluster with its present value.</param>
public sealed record ClusterStatus(
    string ClusterId, int ControllerId, int ControllerEpoch, int Topics, int Partitions, int OfflinePartitions,
    int UnderReplicated, int UnderMinIsr, int Reassigning, IReadOnlyList<QuorumVoter> Voters,
    IReadOnlyList<ClusterBroker> Brokers, int Groups, IReadOnlyList<ConfigValue> Configs);

/// <summary>A voter of the metadata quorum.</summary>
/// <param name="NodeId">Node id.</param>
/// <param name="LogEndOffset">How far its metadata log goes; -1 if that is not known.</param>
/// <param name="LastFetch">How long ago it was heard from; null for never.</param>
public sealed record QuorumVoter(int NodeId, long LogEndOffset, TimeSpan? LastFetch);

/// <summary>A broker as the controller sees it.</summary>
/// <param name="NodeId">Node id.</param>
/// <param name="Address">HOST:PORT.</param>
/// <param name="Rack">Its rack; null if it has none.</param>
/// <param name="Version">Its version of Weir.</param>
/// <param name="IsFenced">It is down, or has not caught up yet.</param>
/// <param name="IsDraining">It gives up its leaderships.</param>
/// <param name="IsCordoned">It gets no new replicas.</param>
/// <param name="IsDecommissioning">Its replicas are moved away.</param>
/// <param name="Leaders">Partitions that it leads.</param>
/// <param name="Replicas">Replicas that it holds.</param>
/// <param name="OutOfSync">Those of them that are not in sync.</param>
public sealed record ClusterBroker(
    int NodeId, string Address, string? Rack, string Version, bool IsFenced, bool IsDraining, bool IsCordoned,
    bool IsDecommissioning, int Leaders, int Replicas, int OutOfSync);

/// <summary>What an unclean election gave up.</summary>
/// <param name="Offset">The new leader has every record below; what was acknowledged from here on is lost.</param>
/// <param name="EndOffset">
/// Highest end that another replica had: records from <paramref name="Offset"/> up to it existed. Equal to it if none is known.
/// </param>
/// <param name="CommittedOffset">Highest high watermark that a replica knew: records up to it were acknowledged for certain.</param>
/// <param name="Unreachable">Replicas that could not be asked, and may have had more.</param>
public sealed record UncleanElection(long Offset, long EndOffset, long CommittedOffset, IReadOnlyList<int> Unreachable);

/// <summary>The outcome of a check of a broker. Anything but <see cref="IsOk"/> means no.</summary>
/// <param name="IsOk">Whether nothing speaks against it.</param>
/// <param name="CaughtUpPercent">Share of its replicas that are in sync.</param>
/// <param name="Reasons">What speaks against it.</param>
public sealed record BrokerCheckResult(bool IsOk, int CaughtUpPercent, IReadOnlyList<string> Reasons);
