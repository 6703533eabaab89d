using System.Collections.Concurrent;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Replication.Partitions;

namespace Weir.Replication.Fetching;

/// <summary>
/// The fetch sessions of all followers of this broker: one per follower, so bounded by the brokers of the cluster.
/// Thread-safe.
/// </summary>
public sealed class FetchSessionTable
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<int, FetchSession> _sessions = [];

    /// <summary>Read by leaders under their own locks, so it has none that a fetch holds.</summary>
    private readonly ConcurrentDictionary<int, long> _lastFetchMs = new();
    private readonly ReplicaTable _replicas;
    private readonly IReplicaHost _host;
    private readonly ReplicationOptions _options;
    private readonly Action<Replica, long> _onDamage;

    internal FetchSessionTable(
        ReplicaTable replicas, IReplicaHost host, ReplicationOptions options, Action<Replica, long> onDamage)
    {
        _replicas = replicas;
        _host = host;
        _options = options;
        _onDamage = onDamage;
    }

    /// <summary>Answers a fetch, at once or when there are news.</summary>
    /// <param name="request">The fetch; its sender is the broker that it names.</param>
    /// <param name="reply">Takes the answer, once.</param>
    public void Receive(FetchReplicaRequest request, Action<FetchReplicaResponse> reply)
    {
        var nowMs = _host.NowMs;
        var broker = _host.Image.FindBroker(request.NodeId);
        if (broker is null || broker.BrokerEpoch > request.BrokerEpoch)
        {
            // A lower epoch is a broker from the past. A higher one than known here: this broker's metadata is behind.
            reply(new FetchReplicaResponse { Error = ErrorCode.StaleBrokerEpoch });
            return;
        }

        lock (_gate)
        {
            if (Find(request) is not { } session)
            {
                reply(new FetchReplicaResponse { Error = ErrorCode.InvalidFetchSession });
                return;
            }

            _lastFetchMs[request.NodeId] = nowMs;
            session.NextEpoch = request.SessionEpoch + 1;

            // Overtaken by this one: it has nothing to wait for any more.
            session.Waiting?.Reply(new FetchReplicaResponse());
            session.Waiting = new FetchSession.WaitingFetch(
                request, reply, nowMs + Math.Clamp(request.MaxWaitMs, 0, _options.FetchWaitMs));
            session.Update(request, _replicas, nowMs);
            AnswerIf(session, session.HasUrgentNews || request.MaxWaitMs <= 0);
        }
    }

    /// <summary>A partition of this broker has records, another high watermark, or another role.</summary>
    public void OnNews(Replica replica)
    {
        lock (_gate)
        {
            foreach (var session in _sessions.Values)
            {
                if (session.OnNews(replica, _host.NowMs) && session.Waiting is not null)
                {
                    _host.Post(() => AnswerSoon(session));
                }
            }
        }
    }

    /// <summary>When a broker fetched last; 0 for never.</summary>
    public long LastFetchMs(int nodeId) => _lastFetchMs.GetValueOrDefault(nodeId);

    /// <summary>Answers fetches that waited long enough.</summary>
    public void Tick()
    {
        var nowMs = _host.NowMs;
        lock (_gate)
        {
            foreach (var session in _sessions.Values)
            {
                AnswerIf(session, session.Waiting is { } waiting && nowMs >= waiting.DeadlineMs);
            }
        }
    }

    private FetchSession? Find(FetchReplicaRequest request)
    {
        var known = _sessions.GetValueOrDefault(request.NodeId);
        if (request.SessionEpoch == 0)
        {
            if (known is not null && known.SessionId >= request.SessionId && known.BrokerEpoch >= request.BrokerEpoch)
            {
                // A request that was under way while its sender had started anew.
                return null;
            }

            known?.Waiting?.Reply(new FetchReplicaResponse { Error = ErrorCode.InvalidFetchSession });
            var session = new FetchSession(request.NodeId, request.SessionId, request.BrokerEpoch);
            _sessions[request.NodeId] = session;
            return session;
        }

        return known is not null && known.SessionId == request.SessionId && known.BrokerEpoch == request.BrokerEpoch
            && known.NextEpoch == request.SessionEpoch ? known : null;
    }

    private void AnswerSoon(FetchSession session)
    {
        lock (_gate)
        {
            AnswerIf(session, session.HasUrgentNews);
        }
    }

    private void AnswerIf(FetchSession session, bool isDue)
    {
        if (isDue && session.Waiting is { } waiting)
        {
            session.Waiting = null;
            var maxBytes = Math.Clamp(waiting.Request.MaxBytes, 1, _options.FetchBytes);
            waiting.Reply(session.Answer(maxBytes, _options.FetchPartitionBytes, _onDamage));
        }
    }
}
