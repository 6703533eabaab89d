using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Replication.Partitions;

/// <summary>
/// This broker's replica of one partition: its log, its role, its high watermark. A state machine without I/O of its own but
/// the log's appends to memory and, on divergence, its truncation.
/// </summary>
/// <remarks>
/// Thread-safe. The high watermark is the smallest settled offset of all replicas in sync (KIP-497: or proposed to be), and
/// moves only while at least min.insync.replicas are (KIP-966). It never goes back, but for a divergence that an unclean
/// election brought.
/// </remarks>
public sealed class Replica : ILogListener
{
    private readonly Lock _gate = new();
    private readonly int _self;
    private readonly IReplicaHost _host;
    private readonly IReplicaListener _listener;
    private readonly OmittedReplicationRules _omits;
    private readonly AckQueue _acks = new();
    private readonly FollowerLog _follower;
    private LeaderRole? _leader;
    private PartitionImage? _state;
    private TopicImage _topic;
    private long _highWatermark;

    internal Replica(
        int self, PartitionLog log, TopicImage topic, IReplicaHost host, IReplicaListener listener,
        OmittedReplicationRules omits)
    {
        _self = self;
        _host = host;
        _listener = listener;
        _omits = omits;
        _topic = topic;
        Log = log;
        _follower = new FollowerLog(log, host, omits);
        _highWatermark = log.LogStartOffset;
        log.Listener = this;
    }

    /// <summary>Its log.</summary>
    public PartitionLog Log { get; }

    /// <summary>Which partition.</summary>
    public LogIdentity Identity => Log.Identity;

    /// <summary>The topic as it was last applied.</summary>
    public TopicImage Topic => Volatile.Read(ref _topic);

    /// <summary>What this broker is to the partition.</summary>
    public ReplicaRole Role { get; private set; }

    /// <summary>The partition as the controller committed it; null before the first.</summary>
    public PartitionImage? State => Volatile.Read(ref _state);

    /// <summary>Whether it is on its way to become one of the partition's replicas.</summary>
    public bool IsMovingHere => State?.AddingReplicas.Contains(_self) ?? false;

    /// <summary>Epoch of the leadership that it leads or follows; -1 before the first.</summary>
    public int LeaderEpoch => State?.LeaderEpoch ?? -1;

    /// <summary>First offset that consumers cannot read yet.</summary>
    public long HighWatermark => Volatile.Read(ref _highWatermark);

    /// <summary>Everything below is kept as the topic's durability wants it.</summary>
    public long SettledOffset => Topic.Settings.Durability switch
    {
        Durability.Fsync => Log.DurableOffset,
        Durability.Memory => Log.LogEndOffset,
        _ => Log.WrittenOffset,
    };

    /// <summary>
    /// Offset from which on its content is damaged; null if none is known to be. It neither leads nor follows with it unless
    /// it is the only replica.
    /// </summary>
    public long? DamagedFrom { get; private set; }

    /// <summary>
    /// Whether a leader's high watermark has reached the start of its epoch: before that it may be behind what clients were
    /// told by the leader before it.
    /// </summary>
    public bool IsHighWatermarkCurrent
    {
        get
        {
            lock (_gate)
            {
                return _leader is null || HighWatermark >= _leader.EpochStartOffset
                    || _omits.HasFlag(OmittedReplicationRules.HideStaleHighWatermark);
            }
        }
    }

    /// <summary>Consumers read below this offset.</summary>
    public long ReadLimit =>
        _omits.HasFlag(OmittedReplicationRules.ReadBelowHighWatermark) ? Log.LogEndOffset : HighWatermark;

    /// <summary>How many replicas an acknowledgement with acks=all needs.</summary>
    public int MinInsyncReplicas => Topic.Settings.Durability is Durability.Fsync or Durability.Replicated
        ? Topic.Settings.MinInsyncReplicasFor(State?.PromisedReplicas ?? 1)
        : 1;

    /// <summary>Why it does not take records; None if it leads and its log is online.</summary>
    public ErrorCode Error
    {
        get
        {
            var state = State;
            return Log.State switch
            {
                LogState.StorageFull => ErrorCode.StorageFull,
                LogState.Stopped => ErrorCode.LogStopped,
                LogState.Corrupt when state is null or { Replicas.Length: 1 } => ErrorCode.CorruptLog,
                _ when Role == ReplicaRole.Leader => ErrorCode.None,
                _ => state is null || state.Leader < 0 ? ErrorCode.LeaderNotAvailable : ErrorCode.NotLeader,
            };
        }
    }

    /// <summary>Takes the state that the controller committed. States that are not newer change nothing.</summary>
    internal bool Apply(TopicImage topic, PartitionImage state)
    {
        bool isNewEpoch;
        List<PendingAck>? lost = null;
        lock (_gate)
        {
            Volatile.Write(ref _topic, topic);
            Log.Options = topic.Settings.ToLogOptions(topic.Kind);
            if (_state is { } present && state.PartitionEpoch <= present.PartitionEpoch)
            {
                return false;
            }

            isNewEpoch = _state is null || _state.LeaderEpoch != state.LeaderEpoch || _state.Leader != state.Leader;
            Volatile.Write(ref _state, state);
            if (isNewEpoch)
            {
                // Another leader may have been in between: what waits cannot be answered for.
                _acks.TakeAll(ref lost);
            }

            EnterRole(state, isNewEpoch);
            AdvanceHighWatermark();
        }

        AckQueue.Answer(null, lost, this);
        Progressed();
        return isNewEpoch;
    }

    /// <summary>Appends a batch of a client.</summary>
    /// <param name="batch">A verified batch, copied.</param>
    /// <param name="header">Its header.</param>
    /// <param name="acks">What the client waits for: with <see cref="Acks.All"/> it needs enough replicas in sync.</param>
    /// <param name="wallClockMs">Append time to stamp.</param>
    /// <param name="leaderEpoch">The leadership that the writer goes by; null for any.</param>
    public AppendOutcome Append(
        ReadOnlySpan<byte> batch, in RecordBatchHeader header, Acks acks, long wallClockMs, int? leaderEpoch = null)
    {
        AppendOutcome outcome;
        lock (_gate)
        {
            if (_leader is not { } leader || (leaderEpoch ?? LeaderEpoch) != leader.State.LeaderEpoch)
            {
                return new AppendOutcome(Error == ErrorCode.None ? ErrorCode.NotLeader : Error);
            }

            if (acks == Acks.All && leader.State.Isr.Length < MinInsyncReplicas
                && !_omits.HasFlag(OmittedReplicationRules.StrictMinIsr))
            {
                return new AppendOutcome(ErrorCode.NotEnoughReplicas);
            }

            outcome = Log.Append(batch, header, leader.State.LeaderEpoch, HighWatermark, wallClockMs);
            if (outcome.Code == ErrorCode.None && Topic.Settings.Durability == Durability.Memory)
            {
                AdvanceHighWatermark();
            }
        }

        return outcome;
    }

    /// <summary>Answers a request once its batch has settled, or is known not to settle here.</summary>
    /// <param name="ack">The request, appended in this leadership.</param>
    /// <param name="acks">What it waits for.</param>
    public void Await(in PendingAck ack, Acks acks)
    {
        List<PendingAck>? settled = null;
        List<PendingAck>? lost = null;
        lock (_gate)
        {
            _acks.Add(ack, IsLocal(acks));
            _acks.Take(this, ref settled, ref lost);
        }

        AckQueue.Answer(settled, lost, this);
    }

    /// <inheritdoc/>
    public void OnLogProgress(PartitionLog log)
    {
        lock (_gate)
        {
            AdvanceHighWatermark();
        }

        Progressed();
    }

    /// <summary>A follower fetches: checks that it is on the same history, and notes what it acknowledges.</summary>
    internal FetchedPartition OnFetch(int nodeId, long brokerEpoch, ReplicaFetch fetch, long nowMs)
    {
        FetchedPartition answer;
        var before = HighWatermark;
        lock (_gate)
        {
            answer = Check(nodeId, fetch);
            if (answer.Error == ErrorCode.None && answer.DivergingEndOffset < 0)
            {
                _leader!.Note(nodeId, brokerEpoch, fetch, nowMs);
                AdvanceHighWatermark();
                answer.HighWatermark = HighWatermark;
            }
        }

        if (HighWatermark != before)
        {
            Progressed();
        }

        return answer;
    }

    /// <summary>
    /// The in-sync replicas that this leader wants now, if they are others than the committed ones and nothing is proposed.
    /// </summary>
    internal PartitionAlteration? ProposeIsr(long nowMs, int lagMs, Func<int, long> lastFetchMs)
    {
        lock (_gate)
        {
            if (_leader is not { } leader || leader.Proposal is not null)
            {
                return null;
            }

            var wanted = leader.WantedIsr(HighWatermark, _host.Image, nowMs, lagMs, lastFetchMs);
            wanted = Log.IsFull ? leader.WithoutSelf(wanted, MinInsyncReplicas) : wanted;
            if (wanted.Length == leader.State.Isr.Length && wanted.All(member => leader.State.Isr.Contains(member.NodeId)))
            {
                return null;
            }

            leader.Proposal = wanted;
            return leader.ToAlteration(Identity, wanted);
        }
    }

    /// <summary>What was proposed and not answered, to be sent again; null if nothing is.</summary>
    internal PartitionAlteration? PendingProposal()
    {
        lock (_gate)
        {
            return _leader is { Proposal: { } proposal } leader ? leader.ToAlteration(Identity, proposal) : null;
        }
    }

    /// <summary>The controller has decided on a proposal.</summary>
    internal void OnAltered(PartitionAlteration asked, AlteredPartition answer)
    {
        lock (_gate)
        {
            if (_leader is not { } leader || leader.State.LeaderEpoch != asked.LeaderEpoch
                || leader.State.PartitionEpoch != asked.PartitionEpoch)
            {
                return;
            }

            // What was committed comes with the metadata, in its order with everything else that was. A refusal for staleness
            // means that something newer is on its way, and only that says what became of the proposal.
            if (answer.Error is not (ErrorCode.None or ErrorCode.StalePartitionEpoch or ErrorCode.FencedLeaderEpoch
                or ErrorCode.NotLeader))
            {
                leader.Proposal = null;
            }

            AdvanceHighWatermark();
        }

        Progressed();
    }

    /// <summary>
    /// Where this replica stands, for its next fetch; null unless it follows. Without space it does not: it would seem to keep
    /// up, join the replicas in sync, and hold them up with the next record.
    /// </summary>
    internal ReplicaFetch? DescribeFetch()
    {
        lock (_gate)
        {
            if (Role != ReplicaRole.Follower || Log.IsFull || State is not { } state)
            {
                return null;
            }

            var end = Log.LogEndOffset;
            return new ReplicaFetch
            {
                TopicId = Identity.TopicId,
                Partition = Identity.Partition,
                LeaderEpoch = state.LeaderEpoch,
                FetchOffset = end,
                LastFetchedEpoch = Log.LastLeaderEpoch,
                SettledOffset = _omits.HasFlag(OmittedReplicationRules.SettleBeforeFetch) ? end : Math.Min(SettledOffset, end),
                HighWatermark = HighWatermark,
            };
        }
    }

    /// <summary>Takes what a fetch brought.</summary>
    internal bool OnFetched(int leaderEpoch, FetchedPartition fetched, ReadOnlyMemory<byte> records)
    {
        bool changed;
        lock (_gate)
        {
            if (Role != ReplicaRole.Follower
                || (LeaderEpoch != leaderEpoch && !_omits.HasFlag(OmittedReplicationRules.EpochFence)))
            {
                return false;
            }

            changed = _follower.Take(fetched, records, leaderEpoch, ref _highWatermark);
        }

        if (changed && fetched.DivergingEndOffset >= 0)
        {
            // A cut moves the end, and may have met damage. The caller holds locks under which nobody may be told.
            _host.Post(Progressed);
        }

        if (changed)
        {
            _host.SignalFlush(Log);
        }

        return changed;
    }

    /// <summary>Damage was found at an offset: nothing from there on is served or led with, until it is repaired.</summary>
    internal void MarkDamaged(long offset)
    {
        lock (_gate)
        {
            DamagedFrom = Math.Min(offset, DamagedFrom ?? long.MaxValue);
            if (State is { } state && state.Replicas.Length > 1)
            {
                _leader = null;
                Role = ReplicaRole.Idle;
            }
        }

        Progressed();
    }

    /// <summary>The damage is repaired, or what was damaged is cut off to be fetched again.</summary>
    internal void MarkRepaired()
    {
        lock (_gate)
        {
            DamagedFrom = null;
            Volatile.Write(ref _highWatermark, Math.Min(HighWatermark, Log.LogEndOffset));
            if (State is { } state)
            {
                EnterRole(state, isNewEpoch: true);
                AdvanceHighWatermark();
            }
        }

        Progressed();
    }

    /// <summary>Where it and its followers stand, for people.</summary>
    public string DescribeProgress()
    {
        lock (_gate)
        {
            var followers = _leader?.Followers.Select(static pair => $", {pair.Key} at {pair.Value.SettledOffset}") ?? [];
            return $"settled {SettledOffset}{string.Concat(followers)}{(_leader?.Proposal is null ? string.Empty : ", proposing")}";
        }
    }

    /// <summary>The replica is not to be here any more: whatever waits for it ends.</summary>
    internal void Retire()
    {
        lock (_gate)
        {
            _leader = null;
            Role = ReplicaRole.Idle;
        }

        Progressed();
    }

    /// <summary>Answers what has settled or was lost, and tells the listener.</summary>
    private void Progressed()
    {
        List<PendingAck>? settled = null;
        List<PendingAck>? lost = null;
        lock (_gate)
        {
            _acks.Take(this, ref settled, ref lost);
        }

        AckQueue.Answer(settled, lost, this);
        _listener.OnReplicaProgress(this);
    }

    /// <summary>Whether the leader's own log is all that an acknowledgement stands for.</summary>
    private bool IsLocal(Acks acks) =>
        acks != Acks.All || Topic.Settings.Durability is Durability.Leader or Durability.Memory
            || _omits.HasFlag(OmittedReplicationRules.AckAtHighWatermark);

    private void EnterRole(PartitionImage state, bool isNewEpoch)
    {
        if (DamagedFrom is not null && state.Replicas.Length > 1)
        {
            _leader = null;
            Role = ReplicaRole.Idle;
        }
        else if (state.Leader == _self)
        {
            if (_leader is null || isNewEpoch)
            {
                // How far its followers are it knows when they have fetched in this epoch, not before.
                _leader = new LeaderRole(state, _self, Log, _host.NowMs, _omits);
            }
            else
            {
                _leader.Apply(state, _host.NowMs);
            }

            Role = ReplicaRole.Leader;
        }
        else
        {
            _leader = null;
            Role = state.Leader >= 0 && state.Replicas.Contains(_self) ? ReplicaRole.Follower : ReplicaRole.Idle;
        }
    }

    private void AdvanceHighWatermark()
    {
        if (_leader is not { } leader)
        {
            return;
        }

        if (leader.State.Isr.Length < MinInsyncReplicas && !_omits.HasFlag(OmittedReplicationRules.StrictMinIsr))
        {
            return;
        }

        var settled = leader.SettledByIsr(SettledOffset);
        if (settled > HighWatermark)
        {
            Volatile.Write(ref _highWatermark, settled);
        }
    }

    private FetchedPartition Check(int nodeId, ReplicaFetch fetch)
    {
        var answer = new FetchedPartition
        {
            TopicId = fetch.TopicId,
            Partition = fetch.Partition,
            HighWatermark = HighWatermark,
            LogStartOffset = Log.LogStartOffset,
        };
        if (fetch.LeaderEpoch != LeaderEpoch && !_omits.HasFlag(OmittedReplicationRules.EpochFence))
        {
            answer.Error = fetch.LeaderEpoch < LeaderEpoch ? ErrorCode.FencedLeaderEpoch : ErrorCode.UnknownLeaderEpoch;
            return answer;
        }

        if (_leader is { } leader)
        {
            return leader.Check(nodeId, fetch, answer);
        }

        answer.Error = ErrorCode.NotLeader;
        return answer;
    }
}
