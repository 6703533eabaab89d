using Weir.Metadata.Control;
using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Replication;

/// <summary>
/// All state machines of one broker: its member of the metadata quorum, the controller that it may become, its session with
/// the controller, and its replicas. Sockets drive it in production, a seeded scheduler in the simulation.
/// </summary>
/// <remarks>
/// <see cref="StepMetadata"/>, <see cref="TickMetadata"/> and the requests that are not <see cref="IsForReplicas"/> belong to
/// one thread or step at a time; the replicas have rules of their own.
/// </remarks>
public sealed class BrokerNode
{
    private readonly IReplicaHost _host;

    /// <summary>Puts a broker together.</summary>
    public BrokerNode(
        BrokerDetails details, QuorumNode quorum, ClusterController controller, IReplicaHost host,
        IPeerNetwork metadataNetwork, IPeerNetwork replicaNetwork, ReplicationOptions options)
    {
        _host = host;
        Quorum = quorum;
        Controller = controller;
        Replicas = new BrokerReplicas(
            details.NodeId, host, replicaNetwork, options, () => Quorum.LeaderId, () => Session!.BrokerEpoch);
        Session = new BrokerSession(
            details, host, metadataNetwork, options, () => Quorum.LeaderId, () => Replicas.AppliedOffset);
    }

    /// <summary>Its member of the metadata quorum.</summary>
    public QuorumNode Quorum { get; }

    /// <summary>The controller, active while it leads the quorum.</summary>
    public ClusterController Controller { get; }

    /// <summary>Its session with the controller.</summary>
    public BrokerSession Session { get; }

    /// <summary>Its replicas.</summary>
    public BrokerReplicas Replicas { get; }

    /// <summary>Whether a request is one for the replicas, which take it on any thread.</summary>
    public static bool IsForReplicas(IMessage request) => request is FetchReplicaRequest or FetchRangeRequest;

    /// <summary>Does what is due in quorum, controller and session.</summary>
    public void TickMetadata(long nowMs)
    {
        Quorum.Tick(nowMs);
        Controller.Tick(nowMs);
        Session.Tick();
    }

    /// <summary>After any call into the quorum: answers what was committed by it.</summary>
    public void StepMetadata(long nowMs) => Controller.Tick(nowMs);

    /// <summary>Takes a request of a peer, or one for the controller.</summary>
    /// <param name="request">The request.</param>
    /// <param name="reply">Takes the response, once.</param>
    /// <param name="refuse">Takes the error instead.</param>
    public void Receive(IMessage request, Action<IMessage> reply, Refuse refuse)
    {
        var nowMs = _host.NowMs;
        switch (request)
        {
            case FetchReplicaRequest fetch:
                Replicas.Sessions.Receive(fetch, reply);
                return;
            case FetchRangeRequest range:
                Repair.RangeReader.Answer(Replicas, range, reply, refuse);
                return;
            case VoteRequest vote:
                reply(Quorum.Receive(vote, nowMs));
                break;
            case BeginEpochRequest begin:
                reply(Quorum.Receive(begin, nowMs));
                break;
            case TransferLeadershipRequest transfer:
                reply(Quorum.Receive(transfer, nowMs));
                break;
            case FetchMetadataRequest fetch:
                Quorum.Receive(fetch, nowMs, reply);
                break;
            case FetchSnapshotRequest fetch:
                reply(Quorum.Receive(fetch, nowMs));
                break;
            default:
                ReceiveAsController(request, nowMs, reply, refuse);
                break;
        }

        StepMetadata(nowMs);
    }

    private void ReceiveAsController(IMessage request, long nowMs, Action<IMessage> reply, Refuse refuse)
    {
        switch (request)
        {
            case RegisterBrokerRequest register:
                Controller.Receive(register, nowMs, reply, refuse);
                break;
            case BrokerHeartbeatRequest heartbeat:
                Controller.Receive(heartbeat, nowMs, reply, refuse);
                break;
            case AlterPartitionsRequest alter:
                Controller.Receive(alter, nowMs, reply, refuse);
                break;
            case ReportDamageRequest damage:
                Controller.Receive(damage, nowMs, reply, refuse);
                break;
            case InitProducerRequest init:
                Controller.Receive(init, nowMs, reply, refuse);
                break;
            case CreateTopicRequest create:
                Controller.Receive(create, nowMs, reply, refuse);
                break;
            case AlterTopicRequest alter:
                Controller.Receive(alter, nowMs, reply, refuse);
                break;
            case DeleteTopicRequest delete:
                Controller.Receive(delete, nowMs, reply, refuse);
                break;
            case CreateGroupRequest create:
                Controller.Receive(create, nowMs, reply, refuse);
                break;
            case AlterGroupRequest alter:
                Controller.Receive(alter, nowMs, reply, refuse);
                break;
            case DeleteGroupRequest delete:
                Controller.Receive(delete, nowMs, reply, refuse);
                break;
            case AlterClusterRequest alter:
                Controller.Receive(alter, nowMs, reply, refuse);
                break;
            case ChangeBrokerRequest change:
                Controller.Receive(change, nowMs, reply, refuse);
                break;
            case CheckBrokerRequest check:
                Controller.Receive(check, nowMs, reply, refuse);
                break;
            case DescribeClusterRequest describe:
                Controller.Receive(describe, nowMs, reply, refuse);
                break;
            case ReassignPartitionsRequest reassign:
                Controller.Receive(reassign, nowMs, reply, refuse);
                break;
            case ElectLeadersRequest elect:
                Controller.Receive(elect, nowMs, reply, refuse);
                break;
            default:
                refuse(ErrorCode.UnknownApi, $"{request.GetType().Name} is no request for a broker's peers");
                break;
        }
    }
}
