using Weir.Protocol.Messages;

namespace Weir.Metadata.Quorum;

/// <summary>
/// Votes: asking for them and giving them. A vote is on stable storage before it is given; a pre-vote (KIP-996) changes
/// nothing, so that a node that was cut off cannot disturb a leader that the others hear.
/// </summary>
internal sealed class QuorumElection(QuorumNode node)
{
    private readonly Dictionary<int, Guid> _granted = [];
    private readonly HashSet<int> _refused = [];
    private int _round;

    /// <summary>Asks the voters whether they would vote for this node.</summary>
    public void StartPreVote()
    {
        node.EnterRole(QuorumRole.Prospective);
        Ask(isPreVote: true, node.Epoch + 1);
    }

    /// <summary>Enters a new epoch with a vote for itself and asks for the others.</summary>
    public void StartElection()
    {
        node.EnterEpoch(new QuorumState(node.Epoch + 1, node.Self.NodeId, node.Self.DirectoryId));
        node.EnterRole(QuorumRole.Candidate);
        QuorumEvents.Campaigning(node.Logger, node.Self.NodeId, node.Epoch);
        Ask(isPreVote: false, node.Epoch);
    }

    /// <summary>Answers that come later count for nothing.</summary>
    public void Abandon()
    {
        _round++;
        _granted.Clear();
        _refused.Clear();
    }

    /// <summary>The voters that have not answered this node's last question.</summary>
    public IReadOnlyList<int> Unanswered() => _granted.Count == 0
        ? []
        : [.. node.Voters.Voters.Select(static voter => voter.NodeId)
            .Where(id => !_granted.ContainsKey(id) && !_refused.Contains(id))];

    /// <summary>Answers a candidate.</summary>
    public VoteResponse Answer(VoteRequest request)
    {
        var isGranted = node.IsOfThisCluster(request.ClusterId)
            && request.Epoch >= node.Epoch
            && (request.IsPreVote ? WouldGrant(request) : Grant(request));
        return new VoteResponse
        {
            Epoch = node.Epoch,
            LeaderId = node.LeaderId,
            IsGranted = isGranted,
            VoterDirectoryId = node.Self.DirectoryId,
        };
    }

    private bool WouldGrant(VoteRequest request) =>
        request.Epoch > node.Epoch
            && node.Role != QuorumRole.Leader
            && (node.LastLeaderContactMs < 0
                || node.NowMs - node.LastLeaderContactMs >= node.Options.ElectionTimeoutMs)
            && IsEligible(request);

    private bool Grant(VoteRequest request)
    {
        if (request.Epoch > node.Epoch)
        {
            var isEligible = IsEligible(request);
            node.EnterEpoch(isEligible
                ? new QuorumState(request.Epoch, request.CandidateId, request.CandidateDirectoryId)
                : new QuorumState(request.Epoch, -1, Guid.Empty));
            return isEligible;
        }

        var vote = node.Store.State;
        if (vote.VotedNodeId >= 0)
        {
            return vote.VotedNodeId == request.CandidateId && vote.VotedDirectoryId == request.CandidateDirectoryId;
        }

        if (node.LeaderId >= 0 || !IsEligible(request))
        {
            return false;
        }

        node.EnterEpoch(new QuorumState(request.Epoch, request.CandidateId, request.CandidateDirectoryId));
        return true;
    }

    /// <summary>
    /// Its log is not behind this one (Raft 5.4.1), and it does not want to create a cluster where there is one.
    /// </summary>
    private bool IsEligible(VoteRequest request)
    {
        if (request.IsBootstrap && !(node.IsBootstrapping && node.IsVoter))
        {
            return false;
        }

        var lastEpoch = node.Store.LastEpoch;
        return node.Options.Omits.HasFlag(OmittedQuorumRules.LogUpToDate)
            || request.LastEpoch > lastEpoch
            || (request.LastEpoch == lastEpoch && request.EndOffset >= node.Store.EndOffset);
    }

    private void Ask(bool isPreVote, int epoch)
    {
        Abandon();
        node.ResetElectionTimer();
        _granted[node.Self.NodeId] = node.Self.DirectoryId;
        var round = _round;
        foreach (var voter in node.Voters.Voters)
        {
            if (voter.NodeId == node.Self.NodeId)
            {
                continue;
            }

            var request = new VoteRequest
            {
                ClusterId = node.ClusterId,
                Epoch = epoch,
                CandidateId = node.Self.NodeId,
                CandidateDirectoryId = node.Self.DirectoryId,
                LastEpoch = node.Store.LastEpoch,
                EndOffset = node.Store.EndOffset,
                IsPreVote = isPreVote,
                IsBootstrap = node.IsBootstrapping,
            };
            node.Network.Send<VoteRequest, VoteResponse>(voter.NodeId, request, node.Options.RequestTimeoutMs, reply =>
            {
                if (reply.Response is { } response)
                {
                    OnAnswer(round, voter, response);
                }
            });
        }

        CountVotes();
    }

    private void OnAnswer(int round, Voter voter, VoteResponse response)
    {
        if (response.Epoch > node.Epoch || (response.Epoch == node.Epoch && response.LeaderId >= 0))
        {
            node.Observe(response.Epoch, response.LeaderId, isFromLeader: response.LeaderId == voter.NodeId);
        }

        if (round != _round || node.Role is not (QuorumRole.Prospective or QuorumRole.Candidate))
        {
            return;
        }

        // Who answers from another data directory than the voter's has forgotten what the voter promised.
        var isVoter = voter.DirectoryId == response.VoterDirectoryId || voter.DirectoryId == Guid.Empty
            || node.Options.Omits.HasFlag(OmittedQuorumRules.DirectoryIdentity);
        if (response.IsGranted && isVoter)
        {
            _granted[voter.NodeId] = response.VoterDirectoryId;
            CountVotes();
        }
        else
        {
            _refused.Add(voter.NodeId);
        }
    }

    private void CountVotes()
    {
        // The first leader makes the cluster. All who may have made one before must be there to deny it: a majority that was
        // wiped could otherwise make a second one.
        var voters = node.Voters;
        var needed = node.IsBootstrapping && !node.Options.Omits.HasFlag(OmittedQuorumRules.UnanimousBootstrap)
            ? voters.Count
            : voters.Majority;
        if (_granted.Count < needed)
        {
            return;
        }

        if (node.Role == QuorumRole.Prospective)
        {
            StartElection();
        }
        else if (node.Role == QuorumRole.Candidate)
        {
            node.Lead(new Dictionary<int, Guid>(_granted));
        }
    }
}
