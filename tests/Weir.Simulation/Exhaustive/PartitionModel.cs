using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;
using Weir.Replication;
using Weir.Replication.Fetching;
using Weir.Replication.Partitions;
using Weir.Replication.Repair;
using Weir.Storage;

namespace Weir.Simulation.Exhaustive;

/// <summary>
/// Three replicas of one partition, min.insync.replicas 2, all in sync at first and led by broker 2, which is not the
/// preferred one: fetches, flushes, crashes, changes of ISR and leader, and the metadata that tells of them, in any order.
/// </summary>
internal sealed class PartitionModel : SearchModel
{
    private const int NeverMs = int.MaxValue / 4;
    private const int ReplicaLagMs = 1_000_000;
    private const int PollMs = 100;
    private const int FirstLeader = 2;
    private readonly PartitionBroker[] _brokers;
    private readonly ControllerStandIn _controller = new(Partition, FirstLeader);
    private readonly SortedDictionary<int, int> _leaders = [];
    private readonly CommitHistory _history;
    private Dictionary<long, (int Index, long Base)> _sessions = [];
    private long _fetcherEpoch;

    public PartitionModel(SearchOptions options)
        : base(options)
    {
        _history = new CommitHistory(Violate);
        Settings = SeededBugs.Apply(options.Bug, new ReplicationOptions
        {
            ReplicaLagMs = ReplicaLagMs, FetchWaitMs = NeverMs, RetryMs = PollMs / 2,
        });
        _brokers = [.. Enumerable.Range(1, 3).Select(id => new PartitionBroker(this, id))];
        foreach (var broker in _brokers)
        {
            broker.Start();
            broker.BrokerEpoch = _controller.Image.FindBroker(broker.NodeId)!.BrokerEpoch;
        }

        foreach (var broker in _brokers.OrderBy(static broker => broker.NodeId != FirstLeader))
        {
            broker.Learn(_controller.Image);
            RunPosted();
        }

        SettleAll();
    }

    public static LogIdentity Partition { get; } = new(new Guid(7, 0, 0, new byte[8]), 0);

    private static ReadOnlyMemory<byte>[] Batches { get; } = [.. Enumerable.Range(0, 16).Select(Encode)];

    public ReplicationOptions Settings { get; }

    /// <inheritdoc/>
    protected override IReadOnlyList<SearchNode> Nodes => _brokers;

    /// <inheritdoc/>
    public override bool IsUp(int node) => node == 0 || base.IsUp(node);

    /// <inheritdoc/>
    public override void Serve(int node, IMessage request, Action<IMessage> reply, Refuse refuse)
    {
        switch (request)
        {
            case AlterPartitionsRequest alter:
                _controller.Serve(alter, reply, refuse);
                break;
            case FetchReplicaRequest fetch:
                _brokers[node - 1].Replicas.Sessions.Receive(fetch, reply);
                break;
            default:
                throw new InvalidOperationException($"{request.GetType().Name} is not expected here");
        }
    }

    /// <summary>A client was told that a record is kept.</summary>
    public void OnAcknowledged(PartitionBroker broker, long offset)
    {
        _history.Note(broker.NodeId, broker.Log, offset + 1);
        foreach (var other in _brokers)
        {
            other.NoteDurable();
        }

        var durable = _brokers.Count(other => other.Durable.EpochAt(offset) == _history.Epochs[(int)offset]);
        if (durable < 2)
        {
            Violate(
                "AcknowledgedIsDurable", $"{broker.NodeId} acknowledged {offset}, which is on stable storage of {durable}: {Describe()}");
        }
    }

    /// <inheritdoc/>
    public override string Describe()
    {
        var state = _controller.Partition;
        return $"leader {state.Leader} e{state.LeaderEpoch} isr {string.Join(',', state.Isr)} elr {string.Join(',', state.Elr)}; "
            + string.Join("; ", _brokers.Select(static broker => broker switch
            {
                { IsUp: false } => $"{broker.NodeId} down, durable {broker.Durable}",
                { Replica: null } => $"{broker.NodeId} starting",
                { Replica: { } replica } => $"{broker.NodeId} {replica.Role} e{replica.LeaderEpoch}"
                    + $" isr {string.Join(',', replica.State!.Isr)} hw {replica.HighWatermark} log {broker.Log} {replica.DescribeProgress()}",
            }));
    }

    /// <inheritdoc/>
    protected override void CollectOwn(List<Choice> choices)
    {
        var state = _controller.Partition;
        var mayElect = state.LeaderEpoch < Options.Epochs;
        foreach (var broker in _brokers)
        {
            var known = _controller.Image.FindBroker(broker.NodeId)!;
            if (!known.Fenced && (mayElect || state.Leader != broker.NodeId))
            {
                choices.Add(new Choice(ChoiceKind.Fence, broker.NodeId));
            }

            if (!broker.IsUp)
            {
                continue;
            }

            if (known.Fenced && broker.Replicas.AppliedOffset > known.BrokerEpoch)
            {
                choices.Add(new Choice(ChoiceKind.Unfence, broker.NodeId));
            }

            if (broker.Replicas.AppliedOffset < _controller.Image.NextOffset)
            {
                choices.Add(new Choice(ChoiceKind.Learn, broker.NodeId));
            }

            if (broker.Replica is { Role: ReplicaRole.Leader } && Published < Options.Records)
            {
                choices.Add(new Choice(ChoiceKind.Publish, broker.NodeId));
            }

            if (!Pool.IsWaiting(broker.NodeId))
            {
                choices.Add(new Choice(ChoiceKind.Poll, broker.NodeId));
            }
        }

        if (mayElect && state.Leader >= 0 && state.Leader != state.Replicas[0] && state.Isr.Contains(state.Replicas[0]))
        {
            choices.Add(new Choice(ChoiceKind.Elect));
        }

        choices.Add(new Choice(ChoiceKind.Lag));
    }

    /// <inheritdoc/>
    protected override void DoOwn(Choice choice)
    {
        var broker = choice.Node > 0 ? _brokers[choice.Node - 1] : null;
        switch (choice.Kind)
        {
            case ChoiceKind.Publish:
                broker!.Publish(Batches[Published++]);
                break;
            case ChoiceKind.Learn:
                broker!.Learn(_controller.Image);
                break;
            case ChoiceKind.Poll:
                NowMs += PollMs;
                broker!.Replicas.Tick();
                break;
            case ChoiceKind.Fence:
                _controller.Fence(choice.Node);
                break;
            case ChoiceKind.Unfence:
                _controller.Unfence(choice.Node);
                break;
            case ChoiceKind.Elect:
                _controller.ElectPreferred();
                break;
            case ChoiceKind.Lag:
                NowMs += ReplicaLagMs + 1;
                break;
            default:
                throw new InvalidOperationException($"{choice} is not a choice here");
        }
    }

    /// <inheritdoc/>
    protected override void Start(SearchNode node)
    {
        node.Start();
        _brokers[node.NodeId - 1].BrokerEpoch = _controller.Register(node.NodeId);
    }

    /// <inheritdoc/>
    protected override StateHash NewHash()
    {
        _sessions = [];
        return new StateHash(Visit) { Normalize = Normalize };
    }

    /// <inheritdoc/>
    protected override void AddTo(StateHash hash)
    {
        hash.Add(Published);
        foreach (var epoch in _history.Epochs)
        {
            hash.Add(epoch);
        }

        hash.Walk(_leaders);
        Visit(hash, _controller.Image);
        foreach (var broker in _brokers)
        {
            hash.Add(broker.IsUp);
            hash.Add(_controller.OrdinalOf(broker.BrokerEpoch));
            if (!broker.IsUp)
            {
                hash.Walk(broker.Durable);
                continue;
            }

            Visit(hash, broker.Image);
            hash.Walk(broker.Replicas);
            foreach (var other in _brokers)
            {
                hash.Add(NowMs - broker.Replicas.Sessions.LastFetchMs(other.NodeId) > ReplicaLagMs);
            }
        }
    }

    /// <inheritdoc/>
    protected override bool Visit(StateHash hash, object value)
    {
        switch (value)
        {
            case SearchModel or SearchNode or MessagePool or ReplicationOptions or ReplicaRepair or Scrubber or TopicImage:
                return true;
            case MetadataImage image:
                VisitImage(hash, image);
                return true;
            case PartitionImage state:
                VisitState(hash, state);
                return true;
            case PartitionLog log:
                hash.Walk(PartitionBroker.Shape(log, log.LogEndOffset));
                hash.Add(log.DurableOffset);
                return true;
            case FollowerProgress follower:
                hash.Add(_controller.OrdinalOf(follower.BrokerEpoch));
                hash.Add(follower.FetchOffset);
                hash.Add(follower.SettledOffset);
                hash.Add(NowMs - follower.CaughtUpMs > ReplicaLagMs);
                return true;
            case ReplicaFetcher fetcher:
                _fetcherEpoch = SessionEpoch(fetcher);
                VisitSession(hash, SessionId(fetcher), _fetcherEpoch);
                return false;
            case FetchSession session:
                VisitSession(hash, session.SessionId, session.NextEpoch);
                return false;
            case FetchReplicaRequest request:
                VisitSession(hash, request.SessionId, request.SessionEpoch);
                return false;
            default:
                return false;
        }
    }

    /// <inheritdoc/>
    protected override void CheckInvariants()
    {
        foreach (var broker in _brokers)
        {
            if (broker is not { IsUp: true, Replica: { } replica })
            {
                continue;
            }

            if (replica.Role == ReplicaRole.Leader && _leaders.TryAdd(replica.LeaderEpoch, broker.NodeId) is false
                && _leaders[replica.LeaderEpoch] != broker.NodeId)
            {
                Violate("SingleLeader", $"{_leaders[replica.LeaderEpoch]} and {broker.NodeId} lead in epoch {replica.LeaderEpoch}");
            }

            _history.Note(broker.NodeId, broker.Log, replica.HighWatermark);
        }

        // Whoever may lead next, without a record of the controller's in between, has all that anybody could have read.
        foreach (var candidate in _controller.Partition.Isr.Concat(_controller.Partition.Elr))
        {
            if (_history.FirstMissing(_brokers[candidate - 1].Durable) is >= 0 and var missing)
            {
                Violate("LeaderCandidateCompleteness", $"{candidate} may lead without the committed record at {missing}: {Describe()}");
            }
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_sessionId")]
    private static extern ref long SessionId(ReplicaFetcher fetcher);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_sessionEpoch")]
    private static extern ref int SessionEpoch(ReplicaFetcher fetcher);

    private static ReadOnlyMemory<byte> Encode(int value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        using var builder = new RecordBatchBuilder(1024);
        builder.TryAdd(1, default, hasKey: false, bytes, hasValue: true, []);
        return builder.Seal(Partition.TopicId, Partition.Partition, BatchProducer.None).ToArray();
    }

    private static void AddAll(StateHash hash, ImmutableArray<int> nodes)
    {
        foreach (var node in nodes)
        {
            hash.Add(node);
        }

        hash.Add(-5);
    }

    /// <summary>Counters that only ever are compared: how far they are from the newest says all.</summary>
    private long Normalize(string name, long value) => name switch
    {
        "brokerEpoch" => _controller.OrdinalOf(value),
        "positionEpoch" => value == int.MaxValue ? -1 : _fetcherEpoch - value,
        "partitionEpoch" => _controller.Partition.PartitionEpoch - value,
        _ => value,
    };

    /// <summary>Sessions by the order in which they are met, their counters from where they stand there.</summary>
    private void VisitSession(StateHash hash, long id, long epoch)
    {
        if (!_sessions.TryGetValue(id, out var session))
        {
            _sessions[id] = session = (_sessions.Count, epoch);
        }

        hash.Add(id < 0 ? -1 : session.Index);
        hash.Add(epoch - session.Base);
    }

    private void VisitImage(StateHash hash, MetadataImage image)
    {
        foreach (var broker in image.Brokers)
        {
            hash.Add(broker.Fenced);
            hash.Add(_controller.OrdinalOf(broker.BrokerEpoch));
        }

        if (image.Find(Partition.TopicId) is { } topic)
        {
            VisitState(hash, topic.Partitions[0]);
        }
    }

    private void VisitState(StateHash hash, PartitionImage state)
    {
        hash.Add(state.Leader);
        hash.Add(state.LeaderEpoch);
        hash.Add(_controller.Partition.PartitionEpoch - state.PartitionEpoch);
        AddAll(hash, state.Isr);
        AddAll(hash, state.Elr);
    }
}
