using System.Globalization;
using Weir.Client.Admin;
using Weir.Client.Connections;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client;

/// <summary>
/// Administration of the cluster: its brokers, where replicas are and who leads. Any broker takes the requests and brings
/// them to the controller. Thread-safe. Every call throws <see cref="WeirException"/> with the broker's error;
/// QuorumUnavailable (retriable) names the voters of the metadata quorum that are missing.
/// </summary>
public sealed class ClusterAdmin
{
    private readonly ClusterConnections _cluster;

    internal ClusterAdmin(ClusterConnections cluster) => _cluster = cluster;

    /// <summary>The state of the whole cluster.</summary>
    public async Task<ClusterStatus> DescribeAsync(CancellationToken ct = default)
    {
        var reply = await _cluster.RequestAnyAsync<DescribeClusterRequest, DescribeClusterResponse>(
            new DescribeClusterRequest(), isRepeatable: true, ct).ConfigureAwait(false);
        return new ClusterStatus(
            reply.ClusterId, reply.ControllerId, reply.ControllerEpoch, reply.Topics, reply.Partitions,
            reply.OfflinePartitions, reply.UnderReplicated, reply.UnderMinIsr, reply.Reassigning,
            [
                .. reply.Voters.Select(static voter => new QuorumVoter(
                    voter.NodeId, voter.LogEndOffset,
                    voter.LastFetchMsAgo < 0 ? null : TimeSpan.FromMilliseconds(voter.LastFetchMsAgo))),
            ],
            [
                .. reply.Brokers.Select(static broker => new ClusterBroker(
                    broker.NodeId, string.Create(CultureInfo.InvariantCulture, $"{broker.Host}:{broker.Port}"), broker.Rack,
                    broker.Version, broker.IsFenced, broker.IsDraining, broker.IsCordoned, broker.IsDecommissioning,
                    broker.Leaders, broker.Replicas, broker.OutOfSync)),
            ],
            reply.Groups, AdminMapping.ToConfigs(reply.Configs));
    }

    /// <summary>Changes what a broker is used for. Doing it twice is the same as doing it once.</summary>
    /// <param name="nodeId">The broker.</param>
    /// <param name="action">What is wanted of it.</param>
    /// <param name="validateOnly">Check everything, change nothing.</param>
    /// <param name="ct">Ends the waiting; the change may be made nevertheless.</param>
    public Task ChangeBrokerAsync(
        int nodeId, BrokerAction action, bool validateOnly = false, CancellationToken ct = default) =>
        _cluster.RequestAnyAsync<ChangeBrokerRequest, EmptyMessage>(
            new ChangeBrokerRequest { NodeId = nodeId, Action = action, ValidateOnly = validateOnly },
            isRepeatable: action is not (BrokerAction.Decommission or BrokerAction.Remove), ct);

    /// <summary>Whether a broker may be stopped now without harm, or has come back in full.</summary>
    /// <param name="nodeId">The broker.</param>
    /// <param name="check">Which of the two.</param>
    /// <param name="ct">Ends the waiting.</param>
    public async Task<BrokerCheckResult> CheckBrokerAsync(int nodeId, BrokerCheck check, CancellationToken ct = default)
    {
        var reply = await _cluster.RequestAnyAsync<CheckBrokerRequest, CheckBrokerResponse>(
            new CheckBrokerRequest { NodeId = nodeId, Check = check }, isRepeatable: true, ct).ConfigureAwait(false);
        return new BrokerCheckResult(reply.IsOk, reply.CaughtUpPercent, reply.Reasons);
    }

    /// <summary>Moves the replicas of partitions. Their old places stay until the new ones are in sync.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="replicas">Node ids by partition, the preferred leader first.</param>
    /// <param name="validateOnly">Check everything, change nothing.</param>
    /// <param name="ct">Ends the waiting; the move may begin nevertheless.</param>
    public Task ReassignAsync(
        string topic, IReadOnlyDictionary<int, IReadOnlyList<int>> replicas, bool validateOnly = false,
        CancellationToken ct = default) =>
        ReassignAsync(
            new ReassignPartitionsRequest
            {
                Topic = topic,
                Partitions =
                [
                    .. replicas.Select(static pair => new ReplicaAssignment { Partition = pair.Key, Replicas = [.. pair.Value] }),
                ],
                ValidateOnly = validateOnly,
            },
            ct);

    /// <summary>Changes how many replicas each partition of a topic has; the controller chooses where.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="replicationFactor">Replicas of each partition.</param>
    /// <param name="validateOnly">Check everything, change nothing.</param>
    /// <param name="ct">Ends the waiting; the change may begin nevertheless.</param>
    public Task ChangeReplicationFactorAsync(
        string topic, short replicationFactor, bool validateOnly = false, CancellationToken ct = default) =>
        ReassignAsync(
            new ReassignPartitionsRequest
            {
                Topic = topic, ReplicationFactor = replicationFactor, ValidateOnly = validateOnly,
            },
            ct);

    /// <summary>Lets the replicas of a topic stay where they were.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="ct">Ends the waiting.</param>
    public Task CancelReassignmentAsync(string topic, CancellationToken ct = default) =>
        ReassignAsync(new ReassignPartitionsRequest { Topic = topic, Cancel = true }, ct);

    /// <summary>Gives leaderships back to the preferred replicas that are in sync.</summary>
    /// <param name="topic">The topic; null for all.</param>
    /// <param name="ct">Ends the waiting.</param>
    public Task ElectPreferredLeadersAsync(string? topic = null, CancellationToken ct = default) =>
        _cluster.RequestAnyAsync<ElectLeadersRequest, EmptyMessage>(
            new ElectLeadersRequest { Kind = ElectionKind.Preferred, Topic = topic ?? string.Empty, Partition = -1 },
            isRepeatable: true, ct);

    /// <summary>
    /// Lets a live replica lead a partition that nobody leads, although it may lack acknowledged records: those are lost.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <param name="partition">The partition.</param>
    /// <param name="nodeId">The replica.</param>
    /// <param name="ct">Ends the waiting.</param>
    /// <returns>What was given up, as far as the replicas that can be asked know.</returns>
    /// <exception cref="WeirException">It is refused, as while the partition has a leader; or the replica cannot be asked.</exception>
    public async Task<UncleanElection> ElectUncleanLeaderAsync(
        string topic, int partition, int nodeId, CancellationToken ct = default)
    {
        var chosen = await DescribeReplicaAsync(topic, partition, nodeId, ct).ConfigureAwait(false);
        var offset = chosen.LogEndOffset;
        var (end, committed) = (offset, chosen.HighWatermark);
        var unreachable = new List<int>();
        foreach (var other in chosen.Info.Replicas.Where(id => id != nodeId))
        {
            try
            {
                var replica = await DescribeReplicaAsync(topic, partition, other, ct).ConfigureAwait(false);
                (end, committed) = (Math.Max(end, replica.LogEndOffset), Math.Max(committed, replica.HighWatermark));
            }
            catch (WeirException)
            {
                unreachable.Add(other);
            }
        }

        await _cluster.RequestAnyAsync<ElectLeadersRequest, EmptyMessage>(
            new ElectLeadersRequest { Kind = ElectionKind.Unclean, Topic = topic, Partition = partition, NodeId = nodeId },
            isRepeatable: false, ct).ConfigureAwait(false);
        return new UncleanElection(offset, end, committed, unreachable);
    }

    private async Task<PartitionDescription> DescribeReplicaAsync(
        string topic, int partition, int nodeId, CancellationToken ct)
    {
        var described = await _cluster.RequestAnyAsync<DescribeTopicRequest, DescribeTopicResponse>(
            new DescribeTopicRequest { Name = topic, ReplicasOf = nodeId }, isRepeatable: false, ct).ConfigureAwait(false);
        return partition >= 0 && partition < described.Partitions.Length
            ? described.Partitions[partition]
            : throw new WeirException(ErrorCode.UnknownPartition, $"topic '{topic}' has no partition {partition}");
    }

    private Task<EmptyMessage> ReassignAsync(ReassignPartitionsRequest request, CancellationToken ct) =>
        _cluster.RequestAnyAsync<ReassignPartitionsRequest, EmptyMessage>(request, isRepeatable: true, ct);
}
