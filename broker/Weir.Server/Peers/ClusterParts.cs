using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using Weir.Metadata;
using Weir.Metadata.Control;
using Weir.Metadata.Quorum;
using Weir.Protocol.Messages;
using Weir.Replication;
using Weir.Server.Diagnostics;
using Weir.Server.Groups;
using Weir.Server.Handlers;
using Weir.Server.Hosting;
using Weir.Server.Partitions;
using Weir.Server.Transport;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;

namespace Weir.Server.Peers;

/// <summary>What makes a broker a member of its cluster: state machines, the loops that drive them, the way to its peers.</summary>
internal sealed class ClusterParts : IAsyncDisposable
{
    private static readonly TimeSpan TransferTimeout = TimeSpan.FromSeconds(1);
    private readonly BrokerContext _broker;
    private readonly BrokerIdentity _identity;
    private readonly ImmutableArray<Voter> _configured;
    private readonly PeerNetwork _network;
    private readonly MetadataLoop _metadataLoop;
    private readonly ReplicaLoop _replicaLoop;
    private readonly IPeerNetwork _peers;
    private readonly int _self;
    private readonly ControllerClient _controller;
    private readonly CommittedReader _reader;
    private readonly OffsetAnswers _offsets;
    private readonly GroupCoordinators _groups;

    public ClusterParts(
        BrokerContext broker, PhysicalLogFiles files, TailMemory tailMemory, FlushLoop flush, DirectoryIdentity directory,
        BrokerIdentity identity, ConnectionListener listener, Action<Exception> onFailed)
    {
        _broker = broker;
        _identity = identity;
        _self = identity.NodeId;
        _configured = ClusterPeers.Parse(broker.Options.ClusterPeers);
        var (host, port) = Advertised(broker, listener);
        if (_configured.IsEmpty)
        {
            _configured = [new Voter(_self, Guid.Empty, host, port)];
        }

        Credentials = new PeerCredentials(broker.Options.ClusterSecret);
        Store = directory.OpenStore(hasPeers: _configured.Length > 1, broker.Logger, new MetadataLogOptions());
        _metadataLoop = new MetadataLoop(broker, Store, OnCommitted, onFailed);
        _network = new PeerNetwork(broker, identity, Credentials, AddressOf, OnUnreachable);
        _peers = new MetadataPeers(_self, _network, _metadataLoop);
        var member = new QuorumMember(_self, directory.DirectoryId, host, port);
        var quorum = new QuorumNode(
            member, _configured, Store, _peers, new QuorumOptions(), () => broker.NowMs, RandomNumberGenerator.GetInt32,
            broker.Logger, _metadataLoop.NowMs);
        var controller = new ClusterController(
            quorum, new MetadataController(broker.Options.MaxPartitions),
            new ControllerOptions { SessionTimeoutMs = (int)broker.Options.BrokerSessionTimeout.TotalMilliseconds },
            RandomNumberGenerator.Fill, broker.Logger);
        var details = new BrokerDetails
        {
            NodeId = _self,
            IncarnationId = Guid.NewGuid(),
            DirectoryId = directory.DirectoryId,
            Host = host,
            Port = port,
            Rack = broker.Options.Rack.Length > 0 ? broker.Options.Rack : null,
            Version = identity.Version,
            IsLossyRestart = directory.IsLossyRestart,
            IsVoter = _configured.Any(voter => voter.NodeId == _self),
        };
        var options = new ReplicationOptions
        {
            ReplicaLagMs = (int)broker.Options.ReplicaLagTime.TotalMilliseconds,
            ScrubBytesPerSecond = broker.Options.ScrubBytesPerSecond,
        };
        var replicaHost = new ReplicaHost(
            broker, files, tailMemory, flush, () => _metadataLoop.NowMs, () => Store.Committed);
        Node = new BrokerNode(
            details, quorum, controller, replicaHost, _peers, new ReplicaPeers(_self, _network, _metadataLoop), options);
        Partitions = new PartitionTable(
            Node.Replicas.Table.Find, () => Store.Committed, listener.EndSubscriptions,
            partition => _groups!.OnProgress(partition), Forget, replica => OnLogStopped(replica.Log, onFailed));
        _controller = new ControllerClient(broker, _self, Node, _peers);
        var recordPeers = new ReplicaPeers(_self, _network, _metadataLoop);
        _reader = new CommittedReader(broker, _self, Partitions, Node.Replicas, () => Store.Committed, recordPeers);
        _offsets = new OffsetAnswers(Partitions, Node.Replicas);
        _groups = new GroupCoordinators(new GroupServices(
            broker, _self, () => Store.Committed, Partitions, Node.Replicas, flush, recordPeers, _controller, _reader, _offsets));
        Node.Replicas.Listener = Partitions;
        _replicaLoop = new ReplicaLoop(broker, Node.Replicas, () => Store.Committed, onFailed);
    }

    public BrokerNode Node { get; }

    public QuorumStore Store { get; }

    public PartitionTable Partitions { get; }

    public PeerCredentials Credentials { get; }

    /// <summary>Whether there is no other broker: none is configured, and none has joined.</summary>
    public bool IsAlone => _configured.Length <= 1 && Store.Voters.Count <= 1;

    /// <summary>Whether the controller counts on this broker, and its replicas follow all that is committed.</summary>
    public bool HasCaughtUp => Node.Session.IsUnfenced && Node.Replicas.AppliedOffset >= Store.Committed.NextOffset;

    /// <summary>The handlers of all APIs that the cluster serves.</summary>
    public IEnumerable<IApiHandler> Handlers()
    {
        var controller = _controller;
        var follower = new ImageFollower(_broker, () => Store.Committed, Node.Replicas);
        return
        [
            .. GroupApis.Handlers(_groups, _offsets, _reader, () => Store.Committed, _peers, _self),
            new MetadataHandler(() => Store.Committed, Node),
            new CreateTopicHandler(controller, _metadataLoop, follower),
            new DeleteTopicHandler(controller, _metadataLoop, follower),
            new AlterTopicHandler(controller, _metadataLoop, follower),
            new CreateGroupHandler(controller, _metadataLoop, follower),
            new AlterGroupHandler(controller, _metadataLoop, follower),
            new DeleteGroupHandler(controller, _metadataLoop, follower),
            new AlterClusterHandler(controller, _metadataLoop, follower),
            new ListGroupsHandler(() => Store.Committed, Node.Replicas),
            new FindCoordinatorHandler(() => Store.Committed, Node.Replicas),
            new DescribeTopicHandler(() => Store.Committed, Node.Replicas, Partitions, _peers, _self),
            new ControllerHandler<InitProducerRequest, InitProducerResponse>(controller, _metadataLoop),
            new ControllerHandler<DescribeClusterRequest, DescribeClusterResponse>(controller, _metadataLoop),
            new ControllerHandler<ChangeBrokerRequest, EmptyMessage>(controller, _metadataLoop),
            new ControllerHandler<CheckBrokerRequest, CheckBrokerResponse>(controller, _metadataLoop),
            new ControllerHandler<ReassignPartitionsRequest, EmptyMessage>(controller, _metadataLoop),
            new ControllerHandler<ElectLeadersRequest, EmptyMessage>(controller, _metadataLoop),
            new PeerHandler<VoteRequest, VoteResponse>(_metadataLoop, Node),
            new PeerHandler<BeginEpochRequest, QuorumResponse>(_metadataLoop, Node),
            new PeerHandler<TransferLeadershipRequest, QuorumResponse>(_metadataLoop, Node),
            new PeerHandler<FetchMetadataRequest, FetchMetadataResponse>(_metadataLoop, Node),
            new PeerHandler<FetchSnapshotRequest, FetchSnapshotResponse>(_metadataLoop, Node),
            new PeerHandler<RegisterBrokerRequest, RegisterBrokerResponse>(_metadataLoop, Node),
            new PeerHandler<BrokerHeartbeatRequest, BrokerHeartbeatResponse>(_metadataLoop, Node),
            new PeerHandler<AlterPartitionsRequest, AlterPartitionsResponse>(_metadataLoop, Node),
            new PeerHandler<ReportDamageRequest, EmptyMessage>(_metadataLoop, Node),
            new PeerHandler<FetchReplicaRequest, FetchReplicaResponse>(_metadataLoop, Node),
            new PeerHandler<FetchRangeRequest, FetchRangeResponse>(_metadataLoop, Node),
        ];
    }

    public void Start()
    {
        _identity.Join(Store.Committed.ClusterId);
        _metadataLoop.Start(Node);
        _replicaLoop.Start();
        _groups.Start();
    }

    /// <summary>Lets others take over what this broker leads, for a bounded time.</summary>
    public async Task HandOverAsync()
    {
        if (IsAlone && Store.Committed.Brokers.Count() <= 1)
        {
            return;
        }

        _metadataLoop.Post(Node.Session.RequestStop);
        if (!await WaitAsync(() => Node.Session.MayStop, _broker.Options.DrainTimeout).ConfigureAwait(false))
        {
            ServerLog.DrainTimedOut(_broker.Logger, _broker.Options.DrainTimeout);
            return;
        }

        // The controller last: what is above is decided by it. Nobody waits long for an election that does not come about.
        await WaitAsync(
            () =>
            {
                _metadataLoop.Post(() => Node.Quorum.TransferLeadership(_metadataLoop.NowMs));
                return Node.Quorum.LeaderId != _self;
            },
            TransferTimeout).ConfigureAwait(false);
    }

    private async Task<bool> WaitAsync(Func<bool> isReached, TimeSpan timeout)
    {
        var started = _broker.Time.GetTimestamp();
        while (!isReached())
        {
            if (_broker.Time.GetElapsedTime(started) > timeout)
            {
                return false;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), _broker.Time).ConfigureAwait(false);
        }

        return true;
    }

    /// <summary>Stops the loops; the logs stay open.</summary>
    public async ValueTask DisposeAsync()
    {
        _groups.Dispose();
        _replicaLoop.Dispose();
        _metadataLoop.Dispose();
        await _network.DisposeAsync().ConfigureAwait(false);
    }

    private static (string Host, int Port) Advertised(BrokerContext broker, ConnectionListener listener)
    {
        var advertised = broker.Options.Advertise.Length > 0 ? broker.Options.Advertise : listener.EndPoint.ToString();
        var colon = advertised.LastIndexOf(':');
        return (
            advertised[..colon].Trim('[', ']'), int.Parse(advertised.AsSpan(colon + 1), CultureInfo.InvariantCulture));
    }

    private void Forget(Partition partition)
    {
        _broker.Metrics.Forget(partition);
        _groups.OnRemoved(partition);
    }

    private void OnCommitted(MetadataImage image)
    {
        _identity.Join(image.ClusterId);
        _replicaLoop.Signal();
    }

    private (string Host, int Port)? AddressOf(int nodeId)
    {
        foreach (var peer in _configured)
        {
            if (peer.NodeId == nodeId)
            {
                return (peer.Host, peer.Port);
            }
        }

        if (Store.Committed.FindBroker(nodeId) is { } broker)
        {
            return (broker.Host, broker.Port);
        }

        return Store.Committed.Voters.Find(nodeId) is { } voter ? (voter.Host, voter.Port) : null;
    }

    private void OnUnreachable(int nodeId) => _metadataLoop.Post(() =>
    {
        Node.Quorum.OnPeerLost(nodeId, _metadataLoop.NowMs);
        Node.Controller.OnPeerLost(nodeId);
    });

    /// <summary>
    /// A log that failed to sync cannot be trusted before it was read again. With peers, the broker gives up at once and
    /// others take over; alone, it goes on serving what it can prove.
    /// </summary>
    private void OnLogStopped(PartitionLog log, Action<Exception> onFailed)
    {
        if (_configured.Length > 1 && log.StateReason.Length > 0)
        {
            onFailed(new LogIoException("sync", log.Identity.DirectoryName, isDiskFull: false, log.StateReason));
        }
    }
}
