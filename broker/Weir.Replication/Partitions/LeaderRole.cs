using System.Collections.Immutable;
using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Replication.Partitions;

/// <summary>How far a follower is, as its leader knows from its fetches of this leader epoch.</summary>
internal sealed class FollowerProgress
{
    /// <summary>Epoch of the broker's registration when it fetched.</summary>
    public long BrokerEpoch { get; set; } = -1;

    /// <summary>End of its log; -1 before its first fetch.</summary>
    public long FetchOffset { get; set; } = -1;

    /// <summary>Everything below is kept there as the topic's durability wants it; -1 before its first fetch.</summary>
    public long SettledOffset { get; set; } = -1;

    /// <summary>When it was last at the leader's end.</summary>
    public long CaughtUpMs { get; set; }

    /// <summary>When it fetched last, and where the leader's end was then.</summary>
    public (long TimeMs, long LogEndOffset) LastFetch { get; set; }
}

/// <summary>
/// What the leader of a partition keeps for one leader epoch: its followers' progress, the in-sync replicas and the change
/// of them that it has proposed. Used under the replica's lock.
/// </summary>
internal sealed class LeaderRole
{
    private readonly SortedDictionary<int, FollowerProgress> _followers = [];
    private readonly int _self;
    private readonly PartitionLog _log;
    private readonly OmittedReplicationRules _omits;

    public LeaderRole(
        PartitionImage state, int self, PartitionLog log, long nowMs, OmittedReplicationRules omits)
    {
        _self = self;
        _log = log;
        _omits = omits;
        State = state;
        EpochStartOffset = log.LogEndOffset;
        foreach (var id in state.Replicas.Where(id => id != self))
        {
            _followers[id] = new FollowerProgress { CaughtUpMs = nowMs };
        }
    }

    /// <summary>The partition as the controller committed it.</summary>
    public PartitionImage State { get; private set; }

    /// <summary>End of the log when this epoch began.</summary>
    public long EpochStartOffset { get; }

    /// <summary>The in-sync replicas that were proposed and neither committed nor refused yet; null if none.</summary>
    public ImmutableArray<ReplicaState>? Proposal { get; set; }

    public FollowerProgress? Find(int nodeId) => _followers.GetValueOrDefault(nodeId);

    public IEnumerable<KeyValuePair<int, FollowerProgress>> Followers => _followers;

    /// <summary>Takes a newer state of the same leader epoch.</summary>
    public void Apply(PartitionImage state, long nowMs)
    {
        State = state;
        Proposal = null;
        foreach (var gone in _followers.Keys.Where(id => !state.Replicas.Contains(id)).ToList())
        {
            _followers.Remove(gone);
        }

        foreach (var id in state.Replicas.Where(id => id != _self && !_followers.ContainsKey(id)))
        {
            _followers[id] = new FollowerProgress { CaughtUpMs = nowMs };
        }
    }

    /// <summary>
    /// Whether every replica that is in sync, or may be once a proposal is committed, has settled everything below an offset
    /// (KIP-497: the maximal ISR).
    /// </summary>
    public long SettledByIsr(long ownSettled)
    {
        var settled = State.Isr.Contains(_self) ? ownSettled : long.MaxValue;
        foreach (var (id, follower) in _followers)
        {
            var isProposed = !_omits.HasFlag(OmittedReplicationRules.MaximalIsr) && Proposal is { } proposal && proposal.Any(member => member.NodeId == id);
            if (State.Isr.Contains(id) || isProposed)
            {
                settled = Math.Min(settled, follower.SettledOffset);
            }
        }

        return settled == long.MaxValue ? -1 : settled;
    }

    /// <summary>Checks that a follower is on this history: KIP-101, KIP-279, KIP-320.</summary>
    /// <returns>An error, a divergence, or neither: then it may read on.</returns>
    public FetchedPartition Check(int nodeId, ReplicaFetch fetch, FetchedPartition answer)
    {
        if (Find(nodeId) is null)
        {
            answer.Error = ErrorCode.IneligibleReplica;
        }
        else if (fetch.FetchOffset < answer.LogStartOffset)
        {
            answer.Error = ErrorCode.OffsetOutOfRange;
        }
        else if (!_omits.HasFlag(OmittedReplicationRules.TruncateByEpoch))
        {
            FindDivergence(fetch, answer);
        }
        else if (fetch.FetchOffset > _log.LogEndOffset)
        {
            answer.DivergingEpoch = State.LeaderEpoch;
            answer.DivergingEndOffset = _log.LogEndOffset;
        }

        return answer;
    }

    /// <summary>Notes where a follower stands and what it acknowledges.</summary>
    public void Note(int nodeId, long brokerEpoch, ReplicaFetch fetch, long nowMs)
    {
        var follower = _followers[nodeId];
        var end = _log.LogEndOffset;
        if (fetch.FetchOffset >= end)
        {
            follower.CaughtUpMs = nowMs;
        }
        else if (fetch.FetchOffset >= follower.LastFetch.LogEndOffset)
        {
            follower.CaughtUpMs = Math.Max(follower.CaughtUpMs, follower.LastFetch.TimeMs);
        }

        follower.BrokerEpoch = brokerEpoch;
        follower.FetchOffset = fetch.FetchOffset;
        follower.SettledOffset = Math.Min(fetch.SettledOffset, fetch.FetchOffset);
        follower.LastFetch = (nowMs, end);
    }

    /// <summary>The in-sync replicas that there should be.</summary>
    /// <param name="highWatermark">The partition's high watermark.</param>
    /// <param name="image">Who is alive, in which epoch.</param>
    /// <param name="nowMs">Monotonic time.</param>
    /// <param name="lagMs">How long a follower may be behind.</param>
    /// <param name="lastFetchMs">When a broker fetched last, any partition.</param>
    public ImmutableArray<ReplicaState> WantedIsr(
        long highWatermark, MetadataImage image, long nowMs, int lagMs, Func<int, long> lastFetchMs)
    {
        var wanted = ImmutableArray.CreateBuilder<ReplicaState>();
        foreach (var id in State.Replicas)
        {
            var broker = image.FindBroker(id);
            if (id == _self)
            {
                wanted.Add(new ReplicaState { NodeId = id, BrokerEpoch = broker?.BrokerEpoch ?? -1 });
                continue;
            }

            var follower = _followers[id];
            if (follower.FetchOffset >= _log.LogEndOffset)
            {
                // It has all there is: then any fetch of its shows that it still is there.
                follower.CaughtUpMs = Math.Max(follower.CaughtUpMs, lastFetchMs(id));
            }

            var isMember = State.Isr.Contains(id);
            if (isMember ? nowMs - follower.CaughtUpMs <= lagMs : CanJoin(highWatermark, follower, broker))
            {
                var epoch = isMember || _omits.HasFlag(OmittedReplicationRules.BrokerEpochInIsr)
                    ? broker?.BrokerEpoch ?? -1
                    : follower.BrokerEpoch;
                wanted.Add(new ReplicaState { NodeId = id, BrokerEpoch = epoch });
            }
        }

        return wanted.ToImmutable();
    }

    /// <summary>
    /// What a leader without space wants: that another one leads, if enough are in sync without it. Else it waits for space.
    /// </summary>
    public ImmutableArray<ReplicaState> WithoutSelf(ImmutableArray<ReplicaState> wanted, int minIsr)
    {
        var others = wanted.RemoveAll(member => member.NodeId == _self || !State.Isr.Contains(member.NodeId));
        return others.Length >= Math.Max(minIsr, 1) ? others : wanted;
    }

    /// <summary>In-sync replicas as a wish for the controller, which starts from this state.</summary>
    public PartitionAlteration ToAlteration(LogIdentity identity, ImmutableArray<ReplicaState> isr) => new()
    {
        TopicId = identity.TopicId,
        Partition = identity.Partition,
        LeaderEpoch = State.LeaderEpoch,
        PartitionEpoch = State.PartitionEpoch,
        Isr = [.. isr],
    };

    /// <summary>
    /// It has all that is committed, and what the leader had when its epoch began, which may be committed without the leader
    /// knowing (Kip320.tla).
    /// </summary>
    private bool CanJoin(long highWatermark, FollowerProgress follower, BrokerImage? broker)
    {
        var needed = _omits.HasFlag(OmittedReplicationRules.EpochStartBeforeIsr)
            ? highWatermark
            : Math.Max(highWatermark, EpochStartOffset);
        return broker is { Fenced: false, Draining: false }
            && (follower.BrokerEpoch == broker.BrokerEpoch || _omits.HasFlag(OmittedReplicationRules.BrokerEpochInIsr))
            && follower.SettledOffset >= needed;
    }

    /// <summary>The largest epoch here that is not above the follower's last one, and where it ends.</summary>
    private void FindDivergence(ReplicaFetch fetch, FetchedPartition answer)
    {
        if (fetch.LastFetchedEpoch < 0 && fetch.FetchOffset <= _log.LogEndOffset)
        {
            return;
        }

        var end = _log.FindEpochEnd(fetch.LastFetchedEpoch);
        if (end.LeaderEpoch != fetch.LastFetchedEpoch || end.EndOffset < fetch.FetchOffset)
        {
            answer.DivergingEpoch = end.LeaderEpoch;
            answer.DivergingEndOffset = end.EndOffset;
        }
    }
}
