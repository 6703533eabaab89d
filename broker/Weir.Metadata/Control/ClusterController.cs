using Microsoft.Extensions.Logging;
using Weir.Metadata.Quorum;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Metadata.Control;

/// <summary>
/// The controller: on the leader of the metadata quorum it decides every change of the cluster, appends it, and answers once
/// it is committed. What it keeps beside the log, the brokers' sessions, it can lose: a new controller gives every broker a
/// new session.
/// </summary>
/// <remarks>
/// A state machine without I/O; one thread or step at a time, the quorum's. Decisions are made by
/// <see cref="MetadataController"/> on what the whole log says, so a decision never overlooks one that is not committed yet.
/// </remarks>
public sealed class ClusterController
{
    private const int ProducerIdBlock = 1000;
    private readonly QuorumNode _quorum;
    private readonly MetadataController _decisions;
    private readonly ControllerOptions _options;
    private readonly RandomBytes _random;
    private readonly ILogger _logger;
    private readonly BrokerSessions _sessions;
    private readonly VoterPolicy _voters;
    private readonly Queue<Pending> _pending = new();
    private int _activeEpoch = -1;
    private long _nextProducerId;
    private long _reservedProducerIds;
    private long _nextBalanceMs;
    private long _nowMs;

    /// <summary>Creates the controller of a node; it acts while the node leads the quorum.</summary>
    public ClusterController(
        QuorumNode quorum, MetadataController decisions, ControllerOptions options, RandomBytes random, ILogger logger)
    {
        _quorum = quorum;
        _decisions = decisions;
        _options = options;
        _random = random;
        _logger = logger;
        _sessions = new BrokerSessions(options);
        _voters = new VoterPolicy(quorum);
    }

    /// <summary>Whether this node is the controller.</summary>
    public bool IsActive => _activeEpoch >= 0 && _quorum.IsActiveLeader && _activeEpoch == _quorum.Epoch;

    /// <summary>Answers what was committed, and does what is due. After every step of the quorum.</summary>
    public void Tick(long nowMs)
    {
        _nowMs = nowMs;
        _sessions.Tick(nowMs);
        FollowLeadership();
        AnswerCommitted();
        if (!IsActive)
        {
            return;
        }

        FenceSilentBrokers();
        if (_pending.Count == 0)
        {
            _voters.Tick(nowMs);
            BalanceLeaders();
        }
    }

    /// <summary>A broker's connections broke and cannot be opened again. Only a hint.</summary>
    public void OnPeerLost(int nodeId) => _sessions.OnLost(nodeId);

    /// <summary>A broker joins.</summary>
    public void Receive(RegisterBrokerRequest request, long nowMs, Action<RegisterBrokerResponse> reply, Refuse refuse)
    {
        _nowMs = nowMs;
        Propose(
            image =>
            {
                var isAlive = _sessions.IsAlive(request.NodeId);
                return MetadataController.RegisterBroker(image, request, isAlive);
            },
            () =>
            {
                var broker = _quorum.Committed.FindBroker(request.NodeId);
                if (broker?.IncarnationId == request.IncarnationId)
                {
                    reply(new RegisterBrokerResponse { BrokerEpoch = broker.BrokerEpoch });
                }
                else
                {
                    refuse(ErrorCode.StaleBrokerEpoch, $"broker {request.NodeId} registered again meanwhile");
                }
            },
            refuse,
            onAppended: _ => _sessions.Renew(request.NodeId));
    }

    /// <summary>A broker lives.</summary>
    public void Receive(
        BrokerHeartbeatRequest request, long nowMs, Action<BrokerHeartbeatResponse> reply, Refuse refuse)
    {
        _nowMs = nowMs;
        if (!IsActive)
        {
            RefuseAsInactive(refuse);
            return;
        }

        var broker = _quorum.Latest.FindBroker(request.NodeId);
        if (broker is null || broker.BrokerEpoch != request.BrokerEpoch)
        {
            refuse(ErrorCode.StaleBrokerEpoch, $"broker {request.NodeId} is not registered with epoch {request.BrokerEpoch}");
            return;
        }

        _sessions.Renew(request.NodeId);
        if (request.Intent == BrokerIntent.Stop)
        {
            if (!broker.Fenced)
            {
                TryAppend(image => MetadataController.FenceBroker(image, request.NodeId));
            }
        }
        else if (broker.Fenced && !request.IsRecovering && request.MetadataOffset > broker.BrokerEpoch)
        {
            TryAppend(image => MetadataController.UnfenceBroker(image, request.NodeId));
        }

        var committed = _quorum.Committed;
        var state = committed.FindBroker(request.NodeId);
        reply(new BrokerHeartbeatResponse
        {
            IsFenced = state is null || state.Fenced || state.BrokerEpoch != request.BrokerEpoch,
            MayStop = request.Intent == BrokerIntent.Stop && state is { Fenced: true }
                && state.BrokerEpoch == request.BrokerEpoch && !Leads(committed, request.NodeId),
        });
    }

    /// <summary>Leaders want other in-sync replicas.</summary>
    public void Receive(
        AlterPartitionsRequest request, long nowMs, Action<AlterPartitionsResponse> reply, Refuse refuse)
    {
        _nowMs = nowMs;
        IReadOnlyList<AlteredPartition> outcome = [];
        Propose(
            image =>
            {
                var decision = MetadataController.AlterPartitions(image, request);
                outcome = decision.Outcome;
                return decision.Records;
            },
            () => reply(new AlterPartitionsResponse { Partitions = [.. outcome] }),
            refuse);
    }

    /// <summary>Replicas are damaged.</summary>
    public void Receive(ReportDamageRequest request, long nowMs, Action<EmptyMessage> reply, Refuse refuse)
    {
        _nowMs = nowMs;
        Propose(image => MetadataController.ReportDamage(image, request), () => reply(new EmptyMessage()), refuse);
    }

    /// <summary>Gives out a producer id that was never given out.</summary>
    public void Receive(InitProducerRequest request, long nowMs, Action<InitProducerResponse> reply, Refuse refuse)
    {
        _nowMs = nowMs;
        _ = request;
        var needsBlock = _nextProducerId == _reservedProducerIds;
        Propose(
            image => needsBlock ? [MetadataController.ReserveProducerIds(image, ProducerIdBlock)] : [],
            () => reply(new InitProducerResponse { ProducerId = _nextProducerId++, ProducerEpoch = 0 }),
            refuse,
            onAppended: image =>
            {
                if (needsBlock)
                {
                    _reservedProducerIds = image.NextProducerId;
                    _nextProducerId = image.NextProducerId - ProducerIdBlock;
                }
            });
    }

    /// <summary>Creates a topic, or only checks the request.</summary>
    public void Receive(CreateTopicRequest request, long nowMs, Action<CreateTopicResponse> reply, Refuse refuse)
    {
        _nowMs = nowMs;
        TopicCreated? created = null;
        Propose(
            image =>
            {
                created = _decisions.CreateTopic(image, request, RandomId.NewGuid(_random), RandomId.NewSeed(_random), _quorum.WallClockMs());
                return request.ValidateOnly ? [] : [created];
            },
            () => reply(new CreateTopicResponse
            {
                TopicId = request.ValidateOnly ? Guid.Empty : created!.TopicId,
                Partitions = created!.Partitions.Length,
                ReplicationFactor = (short)created.Partitions[0].Replicas.Length,
            }),
            refuse);
    }

    /// <summary>Changes a topic, all of it or nothing.</summary>
    public void Receive(AlterTopicRequest request, long nowMs, Action<EmptyMessage> reply, Refuse refuse) =>
        Change(nowMs, image => _decisions.AlterTopic(image, request), request.ValidateOnly, reply, refuse);

    /// <summary>Deletes a topic.</summary>
    public void Receive(DeleteTopicRequest request, long nowMs, Action<EmptyMessage> reply, Refuse refuse) =>
        Change(nowMs, image => [MetadataController.DeleteTopic(image, request)], validateOnly: false, reply, refuse);

    /// <summary>Declares a group, or only checks the request.</summary>
    public void Receive(CreateGroupRequest request, long nowMs, Action<CreateGroupResponse> reply, Refuse refuse)
    {
        _nowMs = nowMs;
        var groupId = Guid.Empty;
        Propose(
            image =>
            {
                var id = RandomId.NewGuid(_random);
                var records = _decisions.CreateGroup(
                    image, request, id, RandomId.NewGuid(_random), RandomId.NewSeed(_random), _quorum.WallClockMs());
                groupId = request.ValidateOnly ? Guid.Empty : id;
                return request.ValidateOnly ? [] : records;
            },
            () => reply(new CreateGroupResponse { GroupId = groupId }),
            refuse);
    }

    /// <summary>Changes a group's declaration, all of it or nothing.</summary>
    public void Receive(AlterGroupRequest request, long nowMs, Action<EmptyMessage> reply, Refuse refuse) =>
        Change(nowMs, image => MetadataController.AlterGroup(image, request), request.ValidateOnly, reply, refuse);

    /// <summary>Deletes a group.</summary>
    public void Receive(DeleteGroupRequest request, long nowMs, Action<EmptyMessage> reply, Refuse refuse) =>
        Change(nowMs, image => [MetadataController.DeleteGroup(image, request)], validateOnly: false, reply, refuse);

    /// <summary>Changes settings of the cluster.</summary>
    public void Receive(AlterClusterRequest request, long nowMs, Action<EmptyMessage> reply, Refuse refuse) =>
        Change(nowMs, image => MetadataController.AlterCluster(image, request), request.ValidateOnly, reply, refuse);

    /// <summary>Changes what a broker is used for.</summary>
    public void Receive(ChangeBrokerRequest request, long nowMs, Action<EmptyMessage> reply, Refuse refuse) =>
        Change(nowMs, image => MetadataController.ChangeBroker(image, request), request.ValidateOnly, reply, refuse);

    /// <summary>Moves replicas.</summary>
    public void Receive(ReassignPartitionsRequest request, long nowMs, Action<EmptyMessage> reply, Refuse refuse) =>
        Change(nowMs, image => MetadataController.Reassign(image, request), request.ValidateOnly, reply, refuse);

    /// <summary>Chooses leaders.</summary>
    public void Receive(ElectLeadersRequest request, long nowMs, Action<EmptyMessage> reply, Refuse refuse) =>
        Change(nowMs, image => MetadataController.ElectLeaders(image, request), validateOnly: false, reply, refuse);

    /// <summary>Whether a broker may be stopped, or is back. Only the controller says yes.</summary>
    public void Receive(CheckBrokerRequest request, long nowMs, Action<CheckBrokerResponse> reply, Refuse refuse)
    {
        _nowMs = nowMs;

        // A record that changes nothing: only a controller that can commit it may say yes, not one that was replaced and does
        // not know.
        Propose(
            image => [BrokerDecisions.Require(image, request.NodeId).ToState()],
            () => reply(MetadataController.CheckBroker(_quorum.Committed, request, _quorum.DescribeVoters())),
            refuse);
    }

    /// <summary>The state of the cluster, as the controller knows it.</summary>
    public void Receive(DescribeClusterRequest request, long nowMs, Action<DescribeClusterResponse> reply, Refuse refuse)
    {
        _nowMs = nowMs;
        _ = request;
        Propose(static _ => [], () => reply(ClusterDescription.Describe(_quorum)), refuse);
    }

    private static bool Leads(MetadataImage image, int nodeId) =>
        image.Topics.Any(topic => topic.Partitions.Any(partition => partition.Leader == nodeId));

    private void Change(
        long nowMs, Func<MetadataImage, IReadOnlyList<IMetadataRecord>> decide, bool validateOnly,
        Action<EmptyMessage> reply, Refuse refuse)
    {
        _nowMs = nowMs;
        Propose(
            image =>
            {
                var records = decide(image);
                return validateOnly ? [] : records;
            },
            () => reply(new EmptyMessage()),
            refuse);
    }

    /// <summary>Decides, appends, and answers once everything that was decided on is committed.</summary>
    private void Propose(
        Func<MetadataImage, IReadOnlyList<IMetadataRecord>> decide, Action onCommitted, Refuse refuse,
        Action<MetadataImage>? onAppended = null)
    {
        if (!IsActive)
        {
            RefuseAsInactive(refuse);
            return;
        }

        try
        {
            var records = decide(_quorum.Latest);
            var offset = records.Count > 0 ? _quorum.Append(records, _nowMs) : _quorum.Latest.NextOffset;
            onAppended?.Invoke(_quorum.Latest);
            _pending.Enqueue(new Pending(offset, onCommitted, refuse));
            AnswerCommitted();
        }
        catch (ProtocolException e)
        {
            refuse(e.Code, e.Message);
        }
    }

    private void TryAppend(Func<MetadataImage, IReadOnlyList<IMetadataRecord>> decide) =>
        Propose(decide, static () => { }, (code, text) => ControlEvents.NotDecided(_logger, code, text));

    private void RefuseAsInactive(Refuse refuse)
    {
        var missing = _quorum.MissingVoters();
        if (_quorum.LeaderId >= 0 && _quorum.Role != QuorumRole.Leader)
        {
            refuse(ErrorCode.NotController, $"broker {_quorum.LeaderId} is the controller");
        }
        else
        {
            refuse(
                ErrorCode.QuorumUnavailable,
                missing.Count > 0
                    ? $"the metadata quorum has no leader: voters {string.Join(", ", missing)} do not answer"
                    : "the metadata quorum is electing a leader");
        }
    }

    private void FollowLeadership()
    {
        if (_quorum.IsActiveLeader && _activeEpoch != _quorum.Epoch)
        {
            FailPending();
            _activeEpoch = _quorum.Epoch;
            _nextProducerId = _reservedProducerIds = 0;
            _nextBalanceMs = _nowMs + _options.BalanceIntervalMs;
            _sessions.StartAll(_quorum.Latest.Brokers);
            ControlEvents.Active(_logger, _activeEpoch);
        }
        else if (_activeEpoch >= 0 && (_quorum.Role != QuorumRole.Leader || _quorum.Epoch != _activeEpoch))
        {
            _activeEpoch = -1;
            FailPending();
        }
    }

    /// <summary>What was appended may be committed by the next leader, so the outcome is not known.</summary>
    private void FailPending()
    {
        while (_pending.TryDequeue(out var pending))
        {
            RefuseAsInactive(pending.Refuse);
        }
    }

    private void AnswerCommitted()
    {
        while (_pending.TryPeek(out var pending) && pending.Offset <= _quorum.HighWatermark)
        {
            _pending.Dequeue();
            pending.OnCommitted();
        }
    }

    private void FenceSilentBrokers()
    {
        foreach (var broker in _quorum.Latest.Brokers)
        {
            if (!broker.Fenced && !_sessions.IsAlive(broker.NodeId))
            {
                ControlEvents.Fencing(_logger, broker.NodeId, broker.BrokerEpoch);
                TryAppend(image => MetadataController.FenceBroker(image, broker.NodeId));
            }
        }
    }

    private void BalanceLeaders()
    {
        if (_options.BalanceIntervalMs > 0 && _nowMs >= _nextBalanceMs)
        {
            _nextBalanceMs = _nowMs + _options.BalanceIntervalMs;
            TryAppend(MetadataController.BalanceLeaders);
        }
    }

    private readonly record struct Pending(long Offset, Action OnCommitted, Refuse Refuse);
}

/// <summary>Takes a typed refusal.</summary>
public delegate void Refuse(ErrorCode code, string text);
