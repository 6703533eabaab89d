using System.Runtime.CompilerServices;
using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Metadata.Quorum;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Testing.Support;

namespace Weir.Simulation.Exhaustive;

/// <summary>
/// Three voters of the metadata quorum, which have made their cluster and elected 1 in epoch 2: elections, records, crashes,
/// in any order. A fetch brings one batch, so that a follower may be between any two.
/// </summary>
internal sealed class QuorumModel : SearchModel
{
    private const int FirstEpoch = 2;
    private const int ElectionTimeoutMs = 1000;
    private const int NeverMs = int.MaxValue / 4;

    /// <summary>The disks of three voters that have made their cluster and ended.</summary>
    private static readonly Lazy<SimulatedDisk[]> Formed = new(static () =>
    {
        using var model = new QuorumModel(
            new SearchOptions { Subject = SearchSubject.Quorum }, [.. Enumerable.Range(0, 3).Select(static _ => new SimulatedDisk())]);
        return [.. model._peers.Select(static peer => peer.Disk.CrashImage(0, CrashMode.AllKept))];
    });

    private readonly QuorumPeer[] _peers;
    private readonly SortedDictionary<int, int> _leaders = [];
    private readonly CommitHistory _history;

    public QuorumModel(SearchOptions options)
        : this(options, [.. Formed.Value.Select(static disk => disk.CrashImage(0, CrashMode.AllKept))])
    {
    }

    private QuorumModel(SearchOptions options, SimulatedDisk[] disks)
        : base(options)
    {
        _history = new CommitHistory(Violate);
        Settings = SeededBugs.Apply(options.Bug, new QuorumOptions
        {
            ElectionTimeoutMs = ElectionTimeoutMs, CheckQuorumMs = NeverMs, FetchWaitMs = NeverMs, DiscoveryMs = NeverMs, FetchBytes = 1,
        });
        _peers = [.. Enumerable.Range(1, 3).Select(id => new QuorumPeer(this, id, disks[id - 1]))];
        Configured = [.. _peers.Select(static peer => new Voter(peer.NodeId, Guid.Empty, $"node{peer.NodeId}", 9650))];
        foreach (var peer in _peers)
        {
            peer.Start();
        }

        DoOwn(new Choice(ChoiceKind.Timeout, 1));
        SettleAll();
        if (!_peers[0].Quorum.IsActiveLeader)
        {
            Violate("Formation", "the voters have not made a cluster");
        }
    }

    public IReadOnlyList<Voter> Configured { get; }

    public QuorumOptions Settings { get; }

    /// <inheritdoc/>
    protected override IReadOnlyList<SearchNode> Nodes => _peers;

    /// <inheritdoc/>
    protected override bool HasExchanges => true;

    /// <inheritdoc/>
    public override void Serve(int node, IMessage request, Action<IMessage> reply, Refuse refuse)
    {
        var quorum = _peers[node - 1].Quorum;
        switch (request)
        {
            case VoteRequest vote:
                reply(quorum.Receive(vote, NowMs));
                break;
            case BeginEpochRequest begin:
                reply(quorum.Receive(begin, NowMs));
                break;
            case FetchMetadataRequest fetch:
                quorum.Receive(fetch, NowMs, reply);
                break;
            default:
                throw new InvalidOperationException($"{request.GetType().Name} is not expected here");
        }
    }

    /// <inheritdoc/>
    public override string Describe() => string.Join("; ", _peers.Select(static peer => peer.IsUp
        ? $"{peer.NodeId} {peer.Quorum.Role} e{peer.Quorum.Epoch} leader {peer.Quorum.LeaderId} "
            + $"hw {peer.Quorum.HighWatermark} log {peer.Log} durable {peer.Store.DurableOffset}"
        : $"{peer.NodeId} down, durable {peer.Durable}"));

    /// <inheritdoc/>
    protected override void CollectOwn(List<Choice> choices)
    {
        foreach (var peer in _peers.Where(static peer => peer.IsUp))
        {
            if (peer.Quorum.Role == QuorumRole.Leader)
            {
                if (Published < Options.Records && peer.Quorum.IsActiveLeader)
                {
                    choices.Add(new Choice(ChoiceKind.Publish, peer.NodeId));
                }

                continue;
            }

            if (peer.Quorum.Epoch < FirstEpoch + Options.Epochs)
            {
                choices.Add(new Choice(ChoiceKind.Timeout, peer.NodeId));
            }

            if (!Pool.IsWaiting(peer.NodeId) && NowMs < peer.Quorum.ElectionDeadlineMs)
            {
                choices.Add(new Choice(ChoiceKind.Poll, peer.NodeId));
            }
        }
    }

    /// <inheritdoc/>
    protected override void DoOwn(Choice choice)
    {
        var peer = _peers[choice.Node - 1];
        switch (choice.Kind)
        {
            case ChoiceKind.Publish:
                peer.Publish(++Published);
                break;
            case ChoiceKind.Timeout:
                NowMs += ElectionTimeoutMs;
                peer.Quorum.Tick(NowMs);
                break;
            case ChoiceKind.Poll:
                peer.Quorum.Tick(NowMs);
                break;
            default:
                throw new InvalidOperationException($"{choice} is not a choice here");
        }
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
        foreach (var peer in _peers)
        {
            hash.Add(peer.IsUp);
            if (peer.IsUp)
            {
                hash.Walk(peer.Quorum);
            }
            else
            {
                AddShape(hash, peer.Durable);
            }
        }
    }

    /// <inheritdoc/>
    protected override bool Visit(StateHash hash, object value)
    {
        switch (value)
        {
            case SearchModel or SearchNode or QuorumOptions or QuorumMember or Voter or VoterSet or MessagePool:
                return true;
            case QuorumStore store:
                hash.Add(store.State.Epoch);
                hash.Add(store.State.VotedNodeId);
                hash.Add(store.DurableOffset);
                AddShape(hash, LogShape.Read(store.FindEpochEnd, store.LastEpoch, store.EndOffset));
                Visit(hash, store.Committed);
                Visit(hash, store.Latest);
                return true;
            case MetadataImage image:
                hash.Add(image.NextOffset);
                hash.Add(image.NextProducerId);
                hash.Add(image.QuorumEpoch);
                return true;
            case QuorumNode node:
                hash.Add(NowMs >= node.ElectionDeadlineMs);
                hash.Add(node.LastLeaderContactMs < 0 || NowMs - node.LastLeaderContactMs >= ElectionTimeoutMs);
                return false;
            case QuorumFollower follower:
                hash.Add(NowMs >= NextDiscoveryMs(follower));
                return false;
            default:
                return false;
        }
    }

    /// <inheritdoc/>
    protected override void CheckInvariants()
    {
        foreach (var peer in _peers.Where(static peer => peer.IsUp))
        {
            if (peer.Quorum.Role == QuorumRole.Leader)
            {
                CheckLeader(peer);
            }

            if (peer.Quorum.HighWatermark > 0)
            {
                _history.Note(peer.NodeId, peer.Log, peer.Quorum.HighWatermark);
            }
        }

        var complete = _peers.Count(peer => _history.FirstMissing(peer.Durable) < 0);
        if (complete < 2)
        {
            Violate(
                "MajorityReachedHighWatermark",
                $"{_history.Epochs.Count} records are committed, and on stable storage of {complete} voters: {Describe()}");
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_nextDiscoveryMs")]
    private static extern ref long NextDiscoveryMs(QuorumFollower follower);

    private static void AddShape(StateHash hash, LogShape shape)
    {
        foreach (var (epoch, end) in shape.Epochs)
        {
            hash.Add(epoch);
            hash.Add(end);
        }

        hash.Add(-3);
    }

    private void CheckLeader(QuorumPeer peer)
    {
        var epoch = peer.Quorum.Epoch;
        if (_leaders.TryGetValue(epoch, out var leader))
        {
            if (leader != peer.NodeId)
            {
                Violate("SingleLeader", $"{leader} and {peer.NodeId} lead in epoch {epoch}");
            }

            return;
        }

        _leaders[epoch] = peer.NodeId;
        if (epoch == _leaders.Keys.Max() && _history.FirstMissing(peer.Log) is >= 0 and var missing)
        {
            Violate(
                "LeaderCompleteness", $"{peer.NodeId} leads in epoch {epoch} without the committed record at {missing}: {Describe()}");
        }
    }
}
