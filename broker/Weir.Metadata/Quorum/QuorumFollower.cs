using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Metadata.Quorum;

/// <summary>
/// Fetches the metadata log from the leader, or looks for one. One request is under way at a time; the next one goes out
/// when what came is on stable storage, because it acknowledges that.
/// </summary>
internal sealed class QuorumFollower(QuorumNode node)
{
    private int _round;
    private bool _isInFlight;
    private int _discoveryIndex;
    private long _nextDiscoveryMs;
    private Download? _download;

    /// <summary>Fetches if nothing is under way.</summary>
    public void Tick()
    {
        var mayFetch = !node.NeedsFlush || node.Options.Omits.HasFlag(OmittedQuorumRules.FlushBeforeFetch);
        if (_isInFlight || !mayFetch)
        {
            return;
        }

        if (node.LeaderId >= 0)
        {
            FetchNext();
        }
        else if (node.NowMs >= _nextDiscoveryMs)
        {
            Discover();
        }
    }

    /// <summary>A leader was found: fetch from it at once.</summary>
    public void OnNewLeader()
    {
        Abandon();
        Tick();
    }

    /// <summary>Replies that come later count for nothing.</summary>
    public void Abandon()
    {
        _round++;
        _isInFlight = false;
        _download = null;
    }

    /// <summary>Asks the next peer for the log: one that does not lead says who does.</summary>
    private void Discover()
    {
        _nextDiscoveryMs = node.NowMs + node.Options.DiscoveryMs;
        var peers = node.Configured.Concat(node.Store.Voters.Voters).Select(static voter => voter.NodeId)
            .Where(id => id != node.Self.NodeId).Distinct().ToList();
        if (peers.Count > 0)
        {
            _discoveryIndex = (_discoveryIndex + 1) % peers.Count;
            Fetch(peers[_discoveryIndex]);
        }
    }

    private void FetchNext()
    {
        if (_download is { } download)
        {
            FetchSnapshot(download);
        }
        else
        {
            Fetch(node.LeaderId);
        }
    }

    private void Fetch(int peer)
    {
        var round = ++_round;
        _isInFlight = true;
        var request = new FetchMetadataRequest
        {
            ClusterId = node.ClusterId,
            Epoch = node.Epoch,
            ReplicaId = node.Self.NodeId,
            DirectoryId = node.Self.DirectoryId,
            FetchOffset = node.Store.EndOffset,
            LastFetchedEpoch = node.Store.LastEpoch,
            HighWatermark = node.HighWatermark,
            MaxWaitMs = node.Options.FetchWaitMs,
            MaxBytes = node.Options.FetchBytes,
        };
        node.Network.Send<FetchMetadataRequest, FetchMetadataResponse>(peer, request, node.Options.RequestTimeoutMs, reply =>
        {
            if (round == _round)
            {
                _isInFlight = false;
                if (reply.Response is { } response)
                {
                    OnFetched(peer, round, response);
                }
            }
        });
    }

    private void OnFetched(int peer, int round, FetchMetadataResponse response)
    {
        if (!node.IsOfThisCluster(response.ClusterId))
        {
            QuorumEvents.WrongCluster(node.Logger, node.Self.NodeId, peer, response.ClusterId);
            return;
        }

        node.Observe(response.Epoch, response.LeaderId, isFromLeader: response.LeaderId == peer);
        if (round != _round)
        {
            // By it a leader was found, and a fetch is on its way there.
            return;
        }

        if (response.Error == ErrorCode.NotController && peer == node.LeaderId && response.Epoch == node.Epoch)
        {
            node.ForgetLeader();
            return;
        }

        if (response.Error != ErrorCode.None || response.Epoch != node.Epoch || peer != node.LeaderId)
        {
            return;
        }

        node.NoteLeaderContact();
        if (response.SnapshotOffset >= 0)
        {
            _download = new Download(response.SnapshotOffset);
        }
        else if (response.DivergingEndOffset >= 0)
        {
            Truncate(response);
        }
        else if (node.Store.AppendReplica(response.Records))
        {
            node.Commit(Math.Min(response.HighWatermark, node.Store.EndOffset));
        }

        Tick();
    }

    private void Truncate(FetchMetadataResponse response)
    {
        if (node.Options.Omits.HasFlag(OmittedQuorumRules.TruncateOnDivergence))
        {
            return;
        }

        // By epoch, never by the high watermark: both logs agree up to where the earlier of the two ends of the common epoch is.
        var own = node.Store.FindEpochEnd(response.DivergingEpoch);
        var offset = own.LeaderEpoch == response.DivergingEpoch
            ? Math.Min(own.EndOffset, response.DivergingEndOffset)
            : own.EndOffset;
        QuorumEvents.Truncated(node.Logger, node.Self.NodeId, offset, node.Store.EndOffset, node.Epoch);
        node.Store.TruncateTo(offset);
    }

    private void FetchSnapshot(Download download)
    {
        var round = ++_round;
        _isInFlight = true;
        var request = new FetchSnapshotRequest
        {
            ClusterId = node.ClusterId,
            Epoch = node.Epoch,
            SnapshotOffset = download.Offset,
            Position = download.Content.Length,
            MaxBytes = node.Options.FetchBytes,
        };
        node.Network.Send<FetchSnapshotRequest, FetchSnapshotResponse>(
            node.LeaderId, request, node.Options.RequestTimeoutMs, reply =>
            {
                if (round == _round)
                {
                    _isInFlight = false;
                    if (reply.Response is { } response)
                    {
                        OnSnapshotPiece(download, round, response);
                    }
                }
            });
    }

    private void OnSnapshotPiece(Download download, int round, FetchSnapshotResponse response)
    {
        node.Observe(response.Epoch, response.LeaderId);
        if (round != _round)
        {
            return;
        }

        if (response.Error != ErrorCode.None || response.Content.IsEmpty)
        {
            // The leader has another snapshot by now: ask for the log again, it will name it.
            _download = null;
            return;
        }

        node.NoteLeaderContact();
        download.Content.Write(response.Content.Span);
        if (download.Content.Length == response.SizeBytes)
        {
            _download = null;
            node.Store.InstallSnapshot(download.Content.ToArray(), download.Offset);
            node.OnSnapshotInstalled();
        }

        Tick();
    }

    private sealed record Download(long Offset)
    {
        public MemoryStream Content { get; } = new();
    }
}
