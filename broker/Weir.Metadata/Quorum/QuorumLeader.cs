using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Metadata.Quorum;

/// <summary>What the leader of the metadata quorum knows of its epoch: how far each voter is, and which fetches wait.</summary>
internal sealed class QuorumLeader
{
    private const int BeginEpochIntervalMs = 200;
    private const int MaxWaitingFetches = 1000;
    private readonly QuorumNode _node;
    private readonly IReadOnlyDictionary<int, Guid> _directories;
    private readonly SortedDictionary<int, Progress> _progress = [];
    private readonly List<Waiting> _waiting = [];
    private readonly long _startedMs;
    private long _nextBeginEpochMs;

    public QuorumLeader(QuorumNode node, IReadOnlyDictionary<int, Guid> directories)
    {
        _node = node;
        _directories = directories;
        _startedMs = node.NowMs;
        EpochStartOffset = node.Store.EndOffset;
    }

    /// <summary>Where the log ended when this epoch began.</summary>
    public long EpochStartOffset { get; }

    private QuorumStore Store => _node.Store;

    /// <summary>Starts the epoch with a record of its own: by it, what came before is committed too.</summary>
    public void Begin()
    {
        var records = new List<IMetadataRecord>();
        if (_node.IsBootstrapping)
        {
            records.Add(new ClusterCreated { ClusterId = NewClusterId(), CreatedAtMs = _node.WallClockMs() });
            records.Add(QuorumRecords.From(new VoterSet(_node.Voters.Voters.Select(voter => voter with
            {
                DirectoryId = _directories.GetValueOrDefault(voter.NodeId),
            }))));
        }

        records.Add(new EpochStarted { LeaderId = _node.Self.NodeId, LeaderEpoch = _node.Epoch });
        Store.Append(_node.Epoch, records, _node.HighWatermark, _node.WallClockMs());
        AnnounceEpoch();
    }

    public void Tick()
    {
        if (_node.Voters.Count - Missing().Count < _node.Voters.Majority)
        {
            _node.StepDown($"voters {string.Join(", ", Missing())} were not heard from");
            return;
        }

        if (!_node.IsVoter && _node.HighWatermark >= Store.VotersOffset)
        {
            _node.StepDown("it is no voter any more");
            return;
        }

        if (_node.NowMs >= _nextBeginEpochMs)
        {
            AnnounceEpoch();
        }

        AnswerWaiting(wait => _node.NowMs >= wait.DeadlineMs);
    }

    public void OnAppended() => AnswerWaiting(static _ => true);

    /// <summary>Answers a fetch of this epoch.</summary>
    public void Receive(FetchMetadataRequest request, Action<FetchMetadataResponse> reply)
    {
        var response = _node.Refuse(ErrorCode.None);
        if (request.FetchOffset < Store.StartOffset)
        {
            reply(WithSnapshot(response));
            return;
        }

        var agreed = Store.FindEpochEnd(request.LastFetchedEpoch);
        if (request.FetchOffset > 0
            && (agreed.LeaderEpoch != request.LastFetchedEpoch || agreed.EndOffset < request.FetchOffset))
        {
            if (agreed.LeaderEpoch < 0 && Store.SnapshotOffset > 0)
            {
                // Nothing of that epoch is known here any more: the log starts behind it.
                reply(WithSnapshot(response));
                return;
            }

            response.DivergingEpoch = agreed.LeaderEpoch;
            response.DivergingEndOffset = agreed.LeaderEpoch < 0 ? 0 : agreed.EndOffset;
            reply(response);
            return;
        }

        Note(request);
        var hasNews = request.FetchOffset < Store.EndOffset || request.HighWatermark < _node.HighWatermark;
        if (hasNews || request.MaxWaitMs <= 0 || _waiting.Count >= MaxWaitingFetches)
        {
            Answer(request, reply);
            return;
        }

        // A node has one fetch under way: an earlier one of it was given up.
        _waiting.RemoveAll(wait => wait.Request.ReplicaId == request.ReplicaId);
        _waiting.Add(new Waiting(request, reply, _node.NowMs + Math.Min(request.MaxWaitMs, _node.Options.FetchWaitMs)));
    }

    /// <summary>Commits what a majority of the voters has on stable storage, if the last of it is of this epoch.</summary>
    public void AdvanceHighWatermark()
    {
        var omits = _node.Options.Omits;
        var durable = new List<long>();
        foreach (var voter in _node.Voters.Voters)
        {
            durable.Add(IsSelf(voter)
                ? omits.HasFlag(OmittedQuorumRules.FlushBeforeFetch) ? Store.EndOffset : Store.DurableOffset
                : _progress.GetValueOrDefault(voter.NodeId) is { } progress && IsSameDirectory(voter, progress.DirectoryId)
                    ? progress.FetchOffset
                    : 0);
        }

        durable.Sort();
        var majority = omits.HasFlag(OmittedQuorumRules.Majority) ? durable[^1] : durable[^_node.Voters.Majority];
        var isOwnEpoch = majority > EpochStartOffset || omits.HasFlag(OmittedQuorumRules.OwnEpochOnly);
        if (majority > _node.HighWatermark && isOwnEpoch)
        {
            _node.Commit(majority);
            AnswerWaiting(static _ => true);
        }
    }

    /// <summary>Voters that were not heard from for too long.</summary>
    public List<int> Missing() =>
    [
        .. _node.Voters.Voters.Where(voter => !IsSelf(voter)
                && _node.NowMs - LastHeard(voter) >= _node.Options.CheckQuorumMs)
            .Select(static voter => voter.NodeId),
    ];

    public List<VoterInfo> Describe() =>
    [
        .. _node.Voters.Voters.Select(voter => new VoterInfo
        {
            NodeId = voter.NodeId,
            DirectoryId = voter.DirectoryId,
            LogEndOffset = IsSelf(voter) ? Store.DurableOffset : _progress.GetValueOrDefault(voter.NodeId)?.FetchOffset ?? -1,
            LastFetchMsAgo = IsSelf(voter)
                ? 0
                : _progress.GetValueOrDefault(voter.NodeId) is { } progress ? _node.NowMs - progress.LastFetchMs : -1,
        }),
    ];

    /// <summary>Whether a node has fetched all that was committed, lately.</summary>
    public bool IsCaughtUp(int nodeId, Guid directoryId) =>
        _progress.GetValueOrDefault(nodeId) is { } progress && progress.DirectoryId == directoryId
            && progress.FetchOffset >= _node.HighWatermark && _node.NowMs - progress.LastFetchMs < _node.Options.CheckQuorumMs;

    /// <summary>Asks a voter that has everything to stand for election; one that lacks something would lose it, and time.</summary>
    public void Transfer()
    {
        var successor = _node.Voters.Voters.FirstOrDefault(voter => !IsSelf(voter) && !Missing().Contains(voter.NodeId)
            && _progress.GetValueOrDefault(voter.NodeId)?.FetchOffset >= Store.EndOffset);
        if (successor is not null)
        {
            var request = new TransferLeadershipRequest
            {
                ClusterId = _node.ClusterId, Epoch = _node.Epoch, LeaderId = _node.Self.NodeId,
            };
            _node.Network.Send<TransferLeadershipRequest, QuorumResponse>(
                successor.NodeId, request, _node.Options.RequestTimeoutMs, Observe);
        }
    }

    /// <summary>Leadership is over: waiting fetches are answered with it.</summary>
    public void End()
    {
        foreach (var wait in _waiting)
        {
            wait.Reply(_node.Refuse(ErrorCode.NotController));
        }

        _waiting.Clear();
    }

    /// <summary>Who comes with another data directory than the voter's is not that voter.</summary>
    private bool IsSameDirectory(Voter voter, Guid directoryId) =>
        voter.DirectoryId == directoryId || voter.DirectoryId == Guid.Empty
            || _node.Options.Omits.HasFlag(OmittedQuorumRules.DirectoryIdentity);

    private string NewClusterId()
    {
        Span<byte> id = stackalloc byte[8];
        for (var i = 0; i < id.Length; i++)
        {
            id[i] = (byte)_node.Random(256);
        }

        return Convert.ToHexStringLower(id);
    }

    private bool IsSelf(Voter voter) => voter.NodeId == _node.Self.NodeId && IsSameDirectory(voter, _node.Self.DirectoryId);

    private long LastHeard(Voter voter) =>
        _progress.GetValueOrDefault(voter.NodeId) is { } progress && IsSameDirectory(voter, progress.DirectoryId)
            ? progress.LastFetchMs
            : _startedMs;

    private void Note(FetchMetadataRequest request)
    {
        _progress[request.ReplicaId] = new Progress(request.DirectoryId, request.FetchOffset, _node.NowMs);
        AdvanceHighWatermark();
    }

    private FetchMetadataResponse WithSnapshot(FetchMetadataResponse response)
    {
        response.SnapshotOffset = Store.SnapshotOffset;
        response.SnapshotEpoch = Store.SnapshotEpoch;
        return response;
    }

    private void Answer(FetchMetadataRequest request, Action<FetchMetadataResponse> reply)
    {
        var response = _node.Refuse(ErrorCode.None);
        if (request.FetchOffset < Store.StartOffset)
        {
            WithSnapshot(response);
        }
        else if (request.FetchOffset < Store.EndOffset)
        {
            response.Records = Store.Read(request.FetchOffset, Math.Clamp(request.MaxBytes, 1, _node.Options.FetchBytes));
        }

        reply(response);
    }

    private void AnswerWaiting(Func<Waiting, bool> isDue)
    {
        foreach (var wait in _waiting.Where(isDue).ToList())
        {
            _waiting.Remove(wait);
            Answer(wait.Request, wait.Reply);
        }
    }

    private void AnnounceEpoch()
    {
        _nextBeginEpochMs = _node.NowMs + BeginEpochIntervalMs;
        foreach (var voter in _node.Voters.Voters)
        {
            if (IsSelf(voter) || _node.NowMs - (_progress.GetValueOrDefault(voter.NodeId)?.LastFetchMs ?? long.MinValue / 2)
                < 2 * _node.Options.FetchWaitMs)
            {
                continue;
            }

            var request = new BeginEpochRequest
            {
                ClusterId = _node.ClusterId, Epoch = _node.Epoch, LeaderId = _node.Self.NodeId,
            };
            _node.Network.Send<BeginEpochRequest, QuorumResponse>(
                voter.NodeId, request, _node.Options.RequestTimeoutMs, Observe);
        }
    }

    private void Observe(PeerReply<QuorumResponse> reply)
    {
        if (reply.Response is { } response)
        {
            _node.Observe(response.Epoch, response.LeaderId);
        }
    }

    private sealed record Waiting(FetchMetadataRequest Request, Action<FetchMetadataResponse> Reply, long DeadlineMs);

    private sealed record Progress(Guid DirectoryId, long FetchOffset, long LastFetchMs);
}
