namespace Weir.Metadata.Control;

/// <summary>When each broker must show next that it lives. Kept in memory by the active controller alone.</summary>
internal sealed class BrokerSessions(ControllerOptions options)
{
    private readonly ListeningClock _clock = new();
    private readonly Dictionary<int, long> _deadlines = [];

    /// <summary>The time is so late: what arrived before was taken in.</summary>
    public void Tick(long nowMs) => _clock.Tick(nowMs);

    /// <summary>A new controller does not know when brokers were last heard of: each gets a new session.</summary>
    public void StartAll(IEnumerable<BrokerImage> brokers)
    {
        _deadlines.Clear();
        foreach (var broker in brokers)
        {
            Renew(broker.NodeId);
        }
    }

    /// <summary>A broker was heard of.</summary>
    public void Renew(int nodeId) => _deadlines[nodeId] = _clock.NowMs + options.SessionTimeoutMs;

    /// <summary>A broker's connections broke.</summary>
    public void OnLost(int nodeId)
    {
        if (_deadlines.TryGetValue(nodeId, out var deadline))
        {
            _deadlines[nodeId] = Math.Min(deadline, _clock.NowMs + options.LostSessionMs);
        }
    }

    public bool IsAlive(int nodeId) => _deadlines.TryGetValue(nodeId, out var deadline) && _clock.NowMs < deadline;
}
