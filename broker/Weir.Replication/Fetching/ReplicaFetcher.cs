using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Replication.Partitions;
using Weir.Storage;

namespace Weir.Replication.Fetching;

/// <summary>
/// The follower's side of a fetch session: copies all partitions that one broker leads. A fetch waits at the leader; once
/// what one brought is settled here, the next one acknowledges it. Thread-safe.
/// </summary>
internal sealed class ReplicaFetcher(
    int self, int leader, IReplicaHost host, IPeerNetwork network, ReplicationOptions options, Func<long> nextSessionId,
    Func<long> brokerEpoch)
{
    /// <summary>A second fetch overtakes the one that waits, which the leader then answers at once.</summary>
    private const int MaxInFlight = 2;

    /// <summary>An answer with so much of one partition is not the last for now.</summary>
    private const int ReadOnBytes = 512 * 1024;

    private readonly Lock _gate = new();
    private readonly Dictionary<LogIdentity, Followed> _followed = [];
    private readonly List<PartitionKey> _forgotten = [];
    private readonly HashSet<Followed> _changed = [];
    private readonly HashSet<Followed> _settling = [];
    private readonly HashSet<Followed> _refused = [];
    private readonly HashSet<Followed> _throttled = [];
    private long _sessionId = -1;
    private int _sessionEpoch;
    private int _inFlight;
    private bool _isPosted;
    private long _notBeforeMs;

    /// <summary>Copies a partition, or takes up its new leader epoch.</summary>
    public void Add(Replica replica)
    {
        lock (_gate)
        {
            Drop(replica.Identity);
            var followed = new Followed(replica);
            _followed[replica.Identity] = followed;
            _forgotten.RemoveAll(key => key.TopicId == replica.Identity.TopicId && key.Partition == replica.Identity.Partition);
            _changed.Add(followed);
        }

        ContinueSoon();
    }

    /// <summary>Copies a partition no more.</summary>
    public void Remove(LogIdentity identity)
    {
        lock (_gate)
        {
            if (Drop(identity))
            {
                _forgotten.Add(new PartitionKey { TopicId = identity.TopicId, Partition = identity.Partition });
            }
        }
    }

    /// <summary>A log has been flushed: what was fetched into it may be acknowledged.</summary>
    public void OnProgress(Replica replica)
    {
        lock (_gate)
        {
            if (_settling.Count == 0 || !_followed.TryGetValue(replica.Identity, out var followed)
                || !IsSettled(replica) || !_settling.Remove(followed))
            {
                return;
            }

            _changed.Add(followed);
        }

        ContinueSoon();
    }

    /// <summary>Tries again what failed.</summary>
    public void Tick()
    {
        lock (_gate)
        {
            if (host.NowMs >= _notBeforeMs && _refused.Count > 0)
            {
                _changed.UnionWith(_refused.Where(static followed => !followed.Replica.Log.IsFull));
                _refused.RemoveWhere(_changed.Contains);
            }

            Resume(host.NowMs);
        }

        Continue();
    }

    private static bool IsSettled(Replica replica) =>
        replica.SettledOffset >= replica.Log.LogEndOffset || replica.Log.State == LogState.Stopped;

    /// <summary>
    /// Whether to fetch on before what came is settled: where much came there is more, and the disk need not wait for the network.
    /// The next fetch says how far it is settled.
    /// </summary>
    private static bool MayReadOn(Replica replica, FetchedPartition fetched) =>
        fetched.RecordBytes >= ReadOnBytes && replica.Log.UnflushedBytes <= replica.Log.Options.MaxUnflushedBytes / 2;

    private bool Drop(LogIdentity identity)
    {
        if (!_followed.Remove(identity, out var followed))
        {
            return false;
        }

        _changed.Remove(followed);
        _settling.Remove(followed);
        _refused.Remove(followed);
        _throttled.Remove(followed);
        return true;
    }

    /// <summary>Lets the other partitions of a flush settle too, so that one fetch acknowledges them all.</summary>
    private void ContinueSoon()
    {
        lock (_gate)
        {
            if (_isPosted)
            {
                return;
            }

            _isPosted = true;
        }

        host.Post(() =>
        {
            lock (_gate)
            {
                _isPosted = false;
            }

            Continue();
        });
    }

    private void Continue()
    {
        FetchReplicaRequest request;
        lock (_gate)
        {
            var isIdle = _inFlight == 0 && _settling.Count == 0 && _followed.Count > 0;
            var isChanged = _inFlight < MaxInFlight && _changed.Count > 0;
            if ((!isIdle && !isChanged) || (_sessionId < 0 && _inFlight > 0) || host.NowMs < _notBeforeMs || brokerEpoch() < 0)
            {
                return;
            }

            request = NextRequest();
            _inFlight++;
        }

        network.Send<FetchReplicaRequest, FetchReplicaResponse>(leader, request, options.RequestTimeoutMs, reply =>
        {
            OnReply(request, reply);
            Continue();
        });
    }

    private FetchReplicaRequest NextRequest()
    {
        if (_sessionId < 0)
        {
            _sessionId = nextSessionId();
            _sessionEpoch = 0;
            _forgotten.Clear();
            _changed.UnionWith(_followed.Values);
        }

        var fetches = new List<ReplicaFetch>();
        _changed.ExceptWith(_throttled);
        foreach (var followed in _changed.OrderBy(static followed => followed.Replica.Identity.TopicId)
            .ThenBy(static followed => followed.Replica.Identity.Partition))
        {
            if (followed.Replica.DescribeFetch() is { } fetch)
            {
                if (followed.FirstRequest is null || followed.LeaderEpoch != fetch.LeaderEpoch)
                {
                    followed.FirstRequest = (_sessionId, _sessionEpoch);
                }

                followed.LeaderEpoch = fetch.LeaderEpoch;
                fetches.Add(fetch);
                if (fetch.SettledOffset < fetch.FetchOffset)
                {
                    // The rest is acknowledged once it is settled.
                    _settling.Add(followed);
                }
            }
            else if (followed.Replica.Log.IsFull)
            {
                _refused.Add(followed);
            }
        }

        _changed.Clear();
        var request = new FetchReplicaRequest
        {
            NodeId = self,
            BrokerEpoch = brokerEpoch(),
            SessionId = _sessionId,
            SessionEpoch = _sessionEpoch++,
            MaxWaitMs = options.FetchWaitMs,
            MaxBytes = options.FetchBytes,
            Partitions = [.. fetches],
            Forgotten = [.. _forgotten],
        };
        _forgotten.Clear();
        return request;
    }

    private void OnReply(FetchReplicaRequest request, PeerReply<FetchReplicaResponse> reply)
    {
        lock (_gate)
        {
            _inFlight--;
            if (request.SessionId != _sessionId)
            {
                return;
            }

            if (reply.Response is not { Error: ErrorCode.None } response || request.BrokerEpoch != brokerEpoch())
            {
                _sessionId = -1;
                _notBeforeMs = host.NowMs + options.RetryMs;
                return;
            }

            var position = 0;
            foreach (var fetched in response.Partitions)
            {
                var bytes = Math.Clamp(fetched.RecordBytes, 0, response.Records.Length - position);
                var records = response.Records.Slice(position, bytes);
                position += bytes;
                if (_followed.TryGetValue(new LogIdentity(fetched.TopicId, fetched.Partition), out var followed)
                    && followed.IsMeant(request))
                {
                    Take(followed, fetched, records);
                }
            }
        }
    }

    private void Take(Followed followed, FetchedPartition fetched, ReadOnlyMemory<byte> records)
    {
        if (fetched.Error is not (ErrorCode.None or ErrorCode.OffsetOutOfRange))
        {
            // The metadata will say what it is, or the leader will; until then it is asked again from time to time.
            _refused.Add(followed);
            return;
        }

        var replica = followed.Replica;
        var changed = replica.OnFetched(followed.LeaderEpoch, fetched, records);
        if (changed && followed.Charge(records.Length, host.NowMs))
        {
            // The leader is to send nothing of it for a while; what was fetched is acknowledged when it goes on.
            _throttled.Add(followed);
            _forgotten.Add(new PartitionKey { TopicId = fetched.TopicId, Partition = fetched.Partition });
        }

        if (changed && !IsSettled(replica) && !MayReadOn(replica, fetched)
            && !options.Omits.HasFlag(OmittedReplicationRules.SettleBeforeFetch))
        {
            _settling.Add(followed);
        }
        else if (changed)
        {
            _changed.Add(followed);
        }
        else if (fetched.RecordBytes > 0 || fetched.Error != ErrorCode.None || fetched.DivergingEndOffset >= 0)
        {
            // It could not be taken, as for lack of memory or disk space: not at once again.
            _refused.Add(followed);
        }
    }

    /// <summary>Copies on what may be copied again.</summary>
    private void Resume(long nowMs)
    {
        foreach (var followed in _throttled.Where(followed => followed.MayGoOn(nowMs)).ToList())
        {
            _throttled.Remove(followed);
            _forgotten.RemoveAll(key => key.TopicId == followed.Replica.Identity.TopicId
                && key.Partition == followed.Replica.Identity.Partition);
            _changed.Add(followed);
        }
    }

    private sealed class Followed(Replica replica)
    {
        private long _pausedUntilMs;

        public Replica Replica { get; } = replica;

        public int LeaderEpoch { get; set; }

        /// <summary>The request that first told the leader of it in this leader epoch; null before that.</summary>
        public (long SessionId, int SessionEpoch)? FirstRequest { get; set; }

        /// <summary>
        /// Whether the answer to a request may be meant for it: not for what was here under the same name before, nor of an older
        /// leader epoch. By what it brings it could not be told apart.
        /// </summary>
        public bool IsMeant(FetchReplicaRequest request) => FirstRequest is { } first
            && (request.SessionId != first.SessionId || request.SessionEpoch >= first.SessionEpoch);

        /// <summary>Counts bytes that were copied.</summary>
        /// <returns>Whether it is over what it may copy, as a partition that is being moved here.</returns>
        public bool Charge(int bytes, long nowMs)
        {
            if (Rate is not { } rate)
            {
                return false;
            }

            _pausedUntilMs = Math.Max(_pausedUntilMs, nowMs) + bytes * 1000L / rate;
            return _pausedUntilMs > nowMs;
        }

        /// <summary>Whether it may copy on; also when the bound was lifted or the move is over.</summary>
        public bool MayGoOn(long nowMs) => nowMs >= _pausedUntilMs || Rate is null;

        private long? Rate => Replica.IsMovingHere ? Replica.Topic.Settings.ReassignmentBytesPerSecond : null;
    }
}
