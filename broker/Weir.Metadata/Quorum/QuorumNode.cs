using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Metadata.Quorum;

/// <summary>What a member of the metadata quorum is at the moment.</summary>
public enum QuorumRole
{
    /// <summary>It knows no leader of its epoch.</summary>
    Unattached,

    /// <summary>It fetches from a leader.</summary>
    Follower,

    /// <summary>It asks whether an election would succeed, without a new epoch (pre-vote).</summary>
    Prospective,

    /// <summary>It stands for election.</summary>
    Candidate,

    /// <summary>It leads: it alone appends, and commits what a majority of voters has on stable storage.</summary>
    Leader,
}

/// <summary>Who a member of the quorum is.</summary>
/// <param name="NodeId">Node id.</param>
/// <param name="DirectoryId">Identity of its data directory, new when it is wiped.</param>
/// <param name="Host">Where peers reach it.</param>
/// <param name="Port">TCP port.</param>
public sealed record QuorumMember(int NodeId, Guid DirectoryId, string Host, int Port);

/// <summary>
/// A member of the metadata quorum, voter or not: pull-based Raft (Ongaro 2014, KIP-595, KIP-853, KIP-996) as a state
/// machine. Followers fetch; a fetch acknowledges what is on stable storage; the leader commits what a majority of voters
/// acknowledged and what is of its own epoch.
/// </summary>
/// <remarks>
/// One thread or step at a time. It owns no clock, socket or thread: times come with each call, requests go out through
/// <see cref="IPeerNetwork"/>. After each call its driver flushes if <see cref="NeedsFlush"/> says so, and then calls
/// <see cref="OnFlushed"/>. Epoch and vote are written and synced within the call that needs them.
/// </remarks>
public sealed class QuorumNode
{
    private readonly QuorumStore _store;
    private readonly QuorumMember _self;
    private readonly ImmutableArray<Voter> _configured;
    private readonly IPeerNetwork _network;
    private readonly QuorumOptions _options;
    private readonly Func<int, int> _random;
    private readonly ILogger _logger;
    private readonly QuorumFollower _follower;
    private readonly QuorumElection _election;
    private readonly bool _hasOrphanLogs;
    private QuorumLeader? _leader;

    /// <summary>Creates a member over an opened store.</summary>
    /// <param name="self">Who it is.</param>
    /// <param name="configured">
    /// The configured peers, itself among them if it may vote: they create the cluster, all of them together, and later are
    /// asked for the leader.
    /// </param>
    /// <param name="store">Its log, snapshots, epoch and vote.</param>
    /// <param name="network">How it reaches peers.</param>
    /// <param name="options">Times and sizes.</param>
    /// <param name="wallClockMs">Unix milliseconds, for people: nothing is decided by it.</param>
    /// <param name="random">A number from 0 up to, not including, its argument.</param>
    /// <param name="logger">Told of elections.</param>
    /// <param name="nowMs">Monotonic time.</param>
    public QuorumNode(
        QuorumMember self, IEnumerable<Voter> configured, QuorumStore store, IPeerNetwork network, QuorumOptions options,
        Func<long> wallClockMs, Func<int, int> random, ILogger logger, long nowMs)
    {
        _self = self;
        _configured = [.. configured.OrderBy(static voter => voter.NodeId)];
        _store = store;
        _network = network;
        _options = options;
        WallClockMs = wallClockMs;
        _random = random;
        _logger = logger;
        NowMs = nowMs;
        HighWatermark = store.Committed.NextOffset;
        _hasOrphanLogs = store.HasOrphanLogs;
        _follower = new QuorumFollower(this);
        _election = new QuorumElection(this);
        ResetElectionTimer(isOnlyVoter: Voters.Count == 1);
    }

    /// <summary>What it is.</summary>
    public QuorumRole Role { get; private set; }

    /// <summary>The epoch it is in.</summary>
    public int Epoch => _store.State.Epoch;

    /// <summary>Leader of that epoch; -1 if none is known.</summary>
    public int LeaderId { get; private set; } = -1;

    /// <summary>Everything below is committed.</summary>
    public long HighWatermark { get; private set; }

    /// <summary>What is committed.</summary>
    public MetadataImage Committed => _store.Committed;

    /// <summary>What the whole log says: a leader decides on it.</summary>
    public MetadataImage Latest => _store.Latest;

    /// <summary>Whether its driver must flush the store and call <see cref="OnFlushed"/>.</summary>
    public bool NeedsFlush => _store.NeedsFlush;

    /// <summary>Who votes, by the whole log; before the cluster is created, who is configured.</summary>
    public VoterSet Voters => _store.Voters.Count > 0 || !IsBootstrapping ? _store.Voters : new VoterSet(_configured);

    /// <summary>Whether it has a vote. One that lost its metadata has none in the making of a cluster.</summary>
    public bool IsVoter => !(IsBootstrapping && _hasOrphanLogs) && Voters.Contains(_self.NodeId, _self.DirectoryId);

    /// <summary>Whether it leads and its own epoch has begun for all: then what it decides on is complete.</summary>
    public bool IsActiveLeader => _leader is { } leader && HighWatermark > leader.EpochStartOffset;

    /// <summary>Whether the cluster is not created, as far as it knows.</summary>
    internal bool IsBootstrapping => _store.IsEmpty;

    internal long NowMs { get; private set; }

    internal Func<long> WallClockMs { get; }

    internal QuorumStore Store => _store;

    internal QuorumMember Self => _self;

    internal IPeerNetwork Network => _network;

    internal QuorumOptions Options => _options;

    internal ImmutableArray<Voter> Configured => _configured;

    internal string ClusterId => _store.Latest.ClusterId;

    internal long ElectionDeadlineMs { get; private set; }

    /// <summary>When it last heard from the leader of its epoch; -1 for never.</summary>
    internal long LastLeaderContactMs { get; private set; } = -1;

    /// <summary>How far each voter has come, as the leader knows; empty on others.</summary>
    public IReadOnlyList<VoterInfo> DescribeVoters() => _leader?.Describe() ??
        [.. Voters.Voters.Select(static voter => new VoterInfo
        {
            NodeId = voter.NodeId, DirectoryId = voter.DirectoryId, LogEndOffset = -1, LastFetchMsAgo = -1,
        })];

    /// <summary>The voters that do not answer, as far as this node knows.</summary>
    public IReadOnlyList<int> MissingVoters() => _leader?.Missing() ?? _election.Unanswered();

    /// <summary>Most voters that brokers which ask for a vote are added up to.</summary>
    public int MaxVoters => _options.MaxVoters;

    /// <summary>Whether a node that has no vote yet is close enough to the leader's end to get one.</summary>
    public bool IsCaughtUp(int nodeId, Guid directoryId) => _leader?.IsCaughtUp(nodeId, directoryId) == true;

    /// <summary>Does what is due.</summary>
    public void Tick(long nowMs)
    {
        NowMs = nowMs;
        if (_leader is { } leader)
        {
            leader.Tick();
            return;
        }

        if (nowMs >= ElectionDeadlineMs)
        {
            if (IsVoter)
            {
                _election.StartPreVote();
            }
            else
            {
                ForgetLeader();
            }
        }

        if (_leader is null)
        {
            _follower.Tick();
        }
    }

    /// <summary>The store has been flushed.</summary>
    public void OnFlushed(long nowMs)
    {
        NowMs = nowMs;
        if (_leader is { } leader)
        {
            leader.AdvanceHighWatermark();
        }
        else
        {
            _follower.Tick();
        }
    }

    /// <summary>A connection to a peer broke and could not be opened again: it may be down. Only a hint.</summary>
    public void OnPeerLost(int nodeId, long nowMs)
    {
        NowMs = nowMs;
        if (Role == QuorumRole.Follower && nodeId == LeaderId)
        {
            LastLeaderContactMs = -1;
            ElectionDeadlineMs = Math.Min(ElectionDeadlineMs, nowMs + _random(_options.ElectionTimeoutMs / 3));
        }
    }

    /// <summary>A leader appends a change. It is committed once <see cref="HighWatermark"/> passes the log's end.</summary>
    /// <returns>The offset that the high watermark must reach.</returns>
    /// <exception cref="ProtocolException">It does not lead, or its log does not take it.</exception>
    public long Append(IReadOnlyList<IMetadataRecord> records, long nowMs)
    {
        NowMs = nowMs;
        if (!IsActiveLeader)
        {
            throw NotController();
        }

        _store.Append(Epoch, records, HighWatermark, WallClockMs());
        _leader!.OnAppended();
        return _store.EndOffset;
    }

    /// <summary>Whether the voters may be changed now: nothing of it is in the balance (Ongaro's erratum of 2015).</summary>
    public bool CanChangeVoters => IsActiveLeader && _store.VotersOffset <= HighWatermark;

    /// <summary>A leader adds or removes one voter.</summary>
    /// <exception cref="ProtocolException">It does not lead, or another change is under way.</exception>
    public long ChangeVoters(VoterSet voters, long nowMs)
    {
        if (!CanChangeVoters || !voters.DiffersByOne(_store.Voters) || voters.Count == 0)
        {
            throw new ProtocolException(ErrorCode.NotController, "voters are changed one at a time, by an active leader");
        }

        return Append([QuorumRecords.From(voters)], nowMs);
    }

    /// <summary>Asks a voter that has everything to take over; nothing happens if none has, so ask again.</summary>
    public void TransferLeadership(long nowMs)
    {
        NowMs = nowMs;
        _leader?.Transfer();
    }

    /// <summary>Answers a candidate.</summary>
    public VoteResponse Receive(VoteRequest request, long nowMs)
    {
        NowMs = nowMs;
        return _election.Answer(request);
    }

    /// <summary>A leader makes itself known.</summary>
    public QuorumResponse Receive(BeginEpochRequest request, long nowMs)
    {
        NowMs = nowMs;
        if (IsOfThisCluster(request.ClusterId))
        {
            Observe(request.Epoch, request.LeaderId, isFromLeader: true);
        }

        return new QuorumResponse { Epoch = Epoch, LeaderId = LeaderId };
    }

    /// <summary>The leader asks this voter to stand for election at once.</summary>
    public QuorumResponse Receive(TransferLeadershipRequest request, long nowMs)
    {
        NowMs = nowMs;
        if (IsOfThisCluster(request.ClusterId) && request.Epoch == Epoch && Role == QuorumRole.Follower && IsVoter)
        {
            _election.StartElection();
        }

        return new QuorumResponse { Epoch = Epoch, LeaderId = LeaderId };
    }

    /// <summary>Answers a fetch, at once or when there is something to tell.</summary>
    public void Receive(FetchMetadataRequest request, long nowMs, Action<FetchMetadataResponse> reply)
    {
        NowMs = nowMs;
        if (request.ClusterId.Length > 0 && ClusterId.Length > 0 && request.ClusterId != ClusterId)
        {
            reply(Refuse(ErrorCode.WrongCluster));
            return;
        }

        if (request.Epoch > Epoch)
        {
            Observe(request.Epoch, leaderId: -1);
        }

        if (_leader is null)
        {
            reply(Refuse(ErrorCode.NotController));
        }
        else if (request.Epoch < Epoch)
        {
            reply(Refuse(ErrorCode.FencedLeaderEpoch));
        }
        else
        {
            _leader.Receive(request, reply);
        }
    }

    /// <summary>Answers with a piece of a snapshot.</summary>
    public FetchSnapshotResponse Receive(FetchSnapshotRequest request, long nowMs)
    {
        NowMs = nowMs;
        var response = new FetchSnapshotResponse { Epoch = Epoch, LeaderId = LeaderId };
        if (_leader is null || request.Epoch != Epoch)
        {
            response.Error = _leader is null ? ErrorCode.NotController : ErrorCode.FencedLeaderEpoch;
        }
        else if (_store.ReadSnapshot(request.SnapshotOffset) is not { } content
            || request.Position < 0 || request.Position > content.Length || request.MaxBytes < 1)
        {
            response.Error = ErrorCode.OffsetOutOfRange;
        }
        else
        {
            response.SizeBytes = content.Length;
            var length = (int)Math.Min(request.MaxBytes, content.Length - request.Position);
            response.Content = content.AsMemory((int)request.Position, length);
        }

        return response;
    }

    internal FetchMetadataResponse Refuse(ErrorCode error) => new()
    {
        Error = error, ClusterId = ClusterId, Epoch = Epoch, LeaderId = LeaderId, HighWatermark = HighWatermark,
    };

    internal bool IsOfThisCluster(string clusterId) =>
        clusterId.Length == 0 || ClusterId.Length == 0 || clusterId == ClusterId;

    internal ProtocolException NotController() => new(
        ErrorCode.NotController,
        LeaderId >= 0 ? $"broker {LeaderId} is the controller" : "there is no controller now");

    internal void ResetElectionTimer(bool isOnlyVoter = false) =>
        ElectionDeadlineMs = isOnlyVoter ? NowMs : NowMs + _options.ElectionTimeoutMs + _random(_options.ElectionTimeoutMs);

    /// <summary>The leader of this epoch was heard from.</summary>
    internal void NoteLeaderContact()
    {
        LastLeaderContactMs = NowMs;
        ResetElectionTimer();
    }

    /// <summary>Takes notice of an epoch and its leader, wherever it was heard of.</summary>
    /// <param name="epoch">The epoch.</param>
    /// <param name="leaderId">Its leader; -1 if it was not named.</param>
    /// <param name="isFromLeader">
    /// Whether the leader itself said so. What others say of it does not show that it lives: nodes that told each other of a
    /// dead leader would follow it for ever.
    /// </param>
    internal void Observe(int epoch, int leaderId, bool isFromLeader = false)
    {
        if (epoch < Epoch)
        {
            return;
        }

        if (epoch > Epoch)
        {
            EnterEpoch(new QuorumState(epoch, -1, Guid.Empty));
        }

        if (leaderId < 0 || leaderId == _self.NodeId || _leader is not null)
        {
            return;
        }

        if (LeaderId != leaderId && (isFromLeader || Role is QuorumRole.Unattached or QuorumRole.Follower))
        {
            LeaderId = leaderId;
            Role = QuorumRole.Follower;
            _election.Abandon();
            _follower.OnNewLeader();
            QuorumEvents.Following(_logger, _self.NodeId, leaderId, epoch);
        }

        if (isFromLeader && LeaderId == leaderId)
        {
            NoteLeaderContact();
        }
    }

    /// <summary>Enters an epoch, durably, with the vote given in it.</summary>
    internal void EnterEpoch(QuorumState state)
    {
        _store.SaveState(state, sync: !_options.Omits.HasFlag(OmittedQuorumRules.DurableVote));
        if (state.Epoch > 0 && LeaderId >= 0)
        {
            LeaderId = -1;
        }

        LastLeaderContactMs = -1;
        Resign();
        Role = QuorumRole.Unattached;
        ResetElectionTimer();
    }

    /// <summary>The leader does not answer, or says that it is none: look for another one.</summary>
    internal void ForgetLeader()
    {
        LeaderId = -1;
        LastLeaderContactMs = -1;
        Role = QuorumRole.Unattached;
        ResetElectionTimer();
    }

    internal void EnterRole(QuorumRole role)
    {
        Role = role;
        if (role is QuorumRole.Candidate or QuorumRole.Prospective)
        {
            LeaderId = -1;
        }
    }

    /// <summary>This node has won the election of its epoch.</summary>
    internal void Lead(IReadOnlyDictionary<int, Guid> voterDirectories)
    {
        Role = QuorumRole.Leader;
        LeaderId = _self.NodeId;
        _election.Abandon();
        _follower.Abandon();
        _leader = new QuorumLeader(this, voterDirectories);
        QuorumEvents.Leading(_logger, _self.NodeId, Epoch);
        _leader.Begin();
    }

    /// <summary>Gives up leading without a new epoch, as one that hears from no majority must.</summary>
    internal void StepDown(string reason)
    {
        QuorumEvents.SteppedDown(_logger, _self.NodeId, Epoch, reason);
        Resign();
        LeaderId = -1;
        Role = QuorumRole.Unattached;
        ResetElectionTimer();
    }

    /// <summary>Moves the high watermark, never back, and applies what it commits.</summary>
    internal void Commit(long highWatermark)
    {
        if (highWatermark > HighWatermark)
        {
            HighWatermark = highWatermark;
            _store.Commit(highWatermark);
        }
    }

    /// <summary>A snapshot stands for everything below its end.</summary>
    internal void OnSnapshotInstalled() => HighWatermark = Math.Max(HighWatermark, _store.Committed.NextOffset);

    internal int Random(int limit) => _random(limit);

    internal ILogger Logger => _logger;

    private void Resign()
    {
        _election.Abandon();
        _follower.Abandon();
        var leader = _leader;
        _leader = null;
        leader?.End();
    }
}
