using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Replication;

/// <summary>What a broker tells the controller of itself.</summary>
public sealed record BrokerDetails
{
    /// <summary>Node id.</summary>
    public required int NodeId { get; init; }

    /// <summary>Made at each start.</summary>
    public required Guid IncarnationId { get; init; }

    /// <summary>Identity of its data directory.</summary>
    public required Guid DirectoryId { get; init; }

    /// <summary>Where it is reached.</summary>
    public required string Host { get; init; }

    /// <summary>TCP port.</summary>
    public required int Port { get; init; }

    /// <summary>Its rack; null if it has none.</summary>
    public string? Rack { get; init; }

    /// <summary>Its version of Weir.</summary>
    public string Version { get; init; } = string.Empty;

    /// <summary>Whether what was not synced may be lost since the broker ran last.</summary>
    public bool IsLossyRestart { get; init; }

    /// <summary>Whether it wants a vote in the metadata quorum.</summary>
    public bool IsVoter { get; init; }
}

/// <summary>
/// A broker's membership in its cluster (KIP-500): registers, then shows that it lives. The controller fences it while it
/// does not. One thread or step at a time.
/// </summary>
public sealed class BrokerSession
{
    private readonly BrokerDetails _details;
    private readonly IReplicaHost _host;
    private readonly IPeerNetwork _network;
    private readonly ReplicationOptions _options;
    private readonly Func<int> _controller;
    private readonly Func<long> _appliedOffset;
    private bool _isInFlight;
    private long _nextMs;
    private long _brokerEpoch = -1;
    private bool _isLossyRestart;

    internal BrokerSession(
        BrokerDetails details, IReplicaHost host, IPeerNetwork network, ReplicationOptions options, Func<int> controller,
        Func<long> appliedOffset)
    {
        _details = details;
        _host = host;
        _network = network;
        _options = options;
        _controller = controller;
        _appliedOffset = appliedOffset;
        _isLossyRestart = details.IsLossyRestart;
    }

    /// <summary>Epoch of the registration; -1 before it. Any thread may read it.</summary>
    public long BrokerEpoch => Volatile.Read(ref _brokerEpoch);

    /// <summary>Whether the controller lets it lead and be in sync.</summary>
    public bool IsUnfenced { get; private set; }

    /// <summary>What it wants.</summary>
    public BrokerIntent Intent { get; set; }

    /// <summary>Whether the controller has moved everything away from it, so that it may stop.</summary>
    public bool MayStop { get; private set; }

    /// <summary>Why it is not registered, for people; empty if it is.</summary>
    public string Refusal { get; private set; } = string.Empty;

    /// <summary>Why it is not registered.</summary>
    public ErrorCode RefusalCode { get; private set; }

    /// <summary>Whether its partitions are still being opened.</summary>
    public bool IsRecovering { get; set; }

    /// <summary>Registers or sends a heartbeat, where it is time.</summary>
    public void Tick()
    {
        if (_isInFlight || _host.NowMs < _nextMs || _controller() < 0 || _host.Image.ClusterId.Length == 0)
        {
            return;
        }

        _isInFlight = true;
        _nextMs = _host.NowMs + _options.HeartbeatMs;
        if (BrokerEpoch < 0)
        {
            Register();
        }
        else
        {
            SendHeartbeat();
        }
    }

    /// <summary>Says at once that it wants to stop.</summary>
    public void RequestStop()
    {
        Intent = BrokerIntent.Stop;
        _nextMs = 0;
        Tick();
    }

    private void Register()
    {
        var request = new RegisterBrokerRequest
        {
            ClusterId = _host.Image.ClusterId,
            NodeId = _details.NodeId,
            IncarnationId = _details.IncarnationId,
            DirectoryId = _details.DirectoryId,
            Host = _details.Host,
            Port = _details.Port,
            Rack = _details.Rack,
            Version = _details.Version,
            IsLossyRestart = _isLossyRestart,
            IsVoter = _details.IsVoter,
        };
        _network.Send<RegisterBrokerRequest, RegisterBrokerResponse>(
            _controller(), request, _options.RequestTimeoutMs, reply =>
            {
                _isInFlight = false;
                RefusalCode = reply.Error;
                Refusal = reply.Text;
                if (reply.Response is { } response)
                {
                    // Said once: a second registration of this process finds its data as it left it.
                    _isLossyRestart = false;
                    Volatile.Write(ref _brokerEpoch, response.BrokerEpoch);
                    _nextMs = 0;
                    ReplicationEvents.Registered(_host.Logger, _details.NodeId, response.BrokerEpoch);
                }
                else if (reply.Error is not (ErrorCode.NotController or ErrorCode.ConnectionLost or ErrorCode.RequestTimedOut))
                {
                    ReplicationEvents.NotRegistered(_host.Logger, _details.NodeId, reply.Text);
                }
            });
    }

    private void SendHeartbeat()
    {
        var request = new BrokerHeartbeatRequest
        {
            NodeId = _details.NodeId,
            BrokerEpoch = BrokerEpoch,
            MetadataOffset = _appliedOffset(),
            Intent = Intent,
            IsRecovering = IsRecovering,
        };
        _network.Send<BrokerHeartbeatRequest, BrokerHeartbeatResponse>(
            _controller(), request, _options.RequestTimeoutMs, reply => OnHeartbeat(request, reply));
    }

    private void OnHeartbeat(BrokerHeartbeatRequest request, PeerReply<BrokerHeartbeatResponse> reply)
    {
        _isInFlight = false;
        if (reply.Error == ErrorCode.StaleBrokerEpoch && request.BrokerEpoch == BrokerEpoch)
        {
            // Fenced for good in this epoch, as after it was taken for dead and its node id for free.
            Volatile.Write(ref _brokerEpoch, -1);
            SetFenced(true);
            _nextMs = 0;
        }
        else if (reply.Response is { } response)
        {
            SetFenced(response.IsFenced);
            MayStop = response.MayStop;
            if (response.IsFenced)
            {
                _nextMs = Math.Min(_nextMs, _host.NowMs + _options.RetryMs);
            }
        }
    }

    private void SetFenced(bool isFenced)
    {
        if (isFenced == IsUnfenced)
        {
            IsUnfenced = !isFenced;
            if (isFenced)
            {
                ReplicationEvents.Fenced(_host.Logger, _details.NodeId);
            }
            else
            {
                ReplicationEvents.Unfenced(_host.Logger, _details.NodeId);
            }
        }
    }
}
