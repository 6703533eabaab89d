namespace Weir.Metadata.Control;

/// <summary>When each broker must show next that it lives. Kept in memory by the active controller alone.</summary>
internal sealed class BrokerSessions(ControllerOptions options)
{
    private readonly Dictionary<int, Session> _sessions = [];

    /// <summary>A new controller does not know when brokers were last heard of: each gets a new session.</summary>
    public void StartAll(IEnumerable<BrokerImage> brokers, long nowMs)
    {
        _sessions.Clear();
        foreach (var broker in brokers)
        {
            Start(broker.NodeId, broker.BrokerEpoch, nowMs);
        }
    }

    public void Start(int nodeId, long brokerEpoch, long nowMs) =>
        _sessions[nodeId] = new Session(brokerEpoch, nowMs + options.SessionTimeoutMs);

    public void Renew(int nodeId, long brokerEpoch, long nowMs) => Start(nodeId, brokerEpoch, nowMs);

    public void OnLost(int nodeId, long nowMs)
    {
        if (_sessions.TryGetValue(nodeId, out var session))
        {
            _sessions[nodeId] = session with { DeadlineMs = Math.Min(session.DeadlineMs, nowMs + options.LostSessionMs) };
        }
    }

    public bool IsAlive(int nodeId, long nowMs) => _sessions.TryGetValue(nodeId, out var session) && nowMs < session.DeadlineMs;

    private readonly record struct Session(long BrokerEpoch, long DeadlineMs);
}
