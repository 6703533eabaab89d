using Microsoft.Extensions.Logging;
using Weir.Metadata.Control;
using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Storage.Files;

namespace Weir.Metadata.Tests;

/// <summary>
/// A cluster of one over the real quorum and controller: each call steps them until it is answered, with a flush where they
/// ask for one.
/// </summary>
internal sealed class LoneController : IDisposable
{
    private readonly QuorumStore _store;
    private readonly QuorumNode _quorum;
    private readonly ClusterController _controller;
    private long _nowMs;

    private LoneController(QuorumStore store, MetadataController decisions, MetadataLogOptions options, ILogger logger)
    {
        _store = store;
        var self = new QuorumMember(TestMetadata.NodeId, new Guid(1, 2, 3, new byte[8]), "host", 1);
        _quorum = new QuorumNode(
            self, [new Voter(self.NodeId, Guid.Empty, self.Host, self.Port)], store, new NoPeers(), new QuorumOptions(),
            static () => TestMetadata.NowMs, static _ => 0, logger, nowMs: 0);
        _controller = new ClusterController(
            _quorum, decisions, new ControllerOptions { SessionTimeoutMs = int.MaxValue / 2, BalanceIntervalMs = 0 },
            options.Random, logger);
    }

    public MetadataImage Image => _quorum.Committed;

    public static LoneController Open(ILogFiles files, MetadataController decisions, ILogger logger, MetadataLogOptions options)
    {
        var directory = DirectoryIdentity.Open(files, TestMetadata.NodeId, Guid.Empty, options.Random);
        var controller = new LoneController(
            directory.OpenStore(hasPeers: false, logger, options), decisions, options, logger);
        try
        {
            controller.Begin();
            return controller;
        }
        catch
        {
            controller._store.Dispose();
            throw;
        }
    }

    public CreateTopicResponse CreateTopic(CreateTopicRequest request) =>
        Ask<CreateTopicResponse>((reply, refuse) => _controller.Receive(request, _nowMs, reply, refuse));

    public void AlterTopic(AlterTopicRequest request) =>
        Ask<EmptyMessage>((reply, refuse) => _controller.Receive(request, _nowMs, reply, refuse));

    public void DeleteTopic(DeleteTopicRequest request) =>
        Ask<EmptyMessage>((reply, refuse) => _controller.Receive(request, _nowMs, reply, refuse));

    public CreateGroupResponse CreateGroup(CreateGroupRequest request) =>
        Ask<CreateGroupResponse>((reply, refuse) => _controller.Receive(request, _nowMs, reply, refuse));

    public void AlterGroup(AlterGroupRequest request) =>
        Ask<EmptyMessage>((reply, refuse) => _controller.Receive(request, _nowMs, reply, refuse));

    public void DeleteGroup(DeleteGroupRequest request) =>
        Ask<EmptyMessage>((reply, refuse) => _controller.Receive(request, _nowMs, reply, refuse));

    public void AlterCluster(AlterClusterRequest request) =>
        Ask<EmptyMessage>((reply, refuse) => _controller.Receive(request, _nowMs, reply, refuse));

    public long NextProducerId() =>
        Ask<InitProducerResponse>((reply, refuse) => _controller.Receive(new InitProducerRequest(), _nowMs, reply, refuse)).ProducerId;

    public void Dispose() => _store.Close();

    private void Begin()
    {
        for (var step = 0; !_controller.IsActive; step++)
        {
            Step();
            if (step == 100)
            {
                throw new InvalidOperationException("a cluster of one elects nobody");
            }
        }

        var broker = Image.FindBroker(TestMetadata.NodeId);
        if (broker is null)
        {
            var request = new RegisterBrokerRequest
            {
                ClusterId = Image.ClusterId, NodeId = TestMetadata.NodeId, IncarnationId = new Guid(9, 0, 0, new byte[8]), Host = "host", Port = 1,
            };
            Ask<RegisterBrokerResponse>((reply, refuse) => _controller.Receive(request, _nowMs, reply, refuse));
            broker = Image.FindBroker(TestMetadata.NodeId)!;
        }

        if (broker.Fenced)
        {
            Ask<BrokerHeartbeatResponse>((reply, refuse) => _controller.Receive(
                new BrokerHeartbeatRequest
                {
                    NodeId = TestMetadata.NodeId, BrokerEpoch = broker.BrokerEpoch, MetadataOffset = Image.NextOffset,
                },
                _nowMs, reply, refuse));
            Step();
        }
    }

    private T Ask<T>(Action<Action<T>, Refuse> ask)
        where T : class
    {
        T? answer = null;
        ProtocolException? refusal = null;
        ask(response => answer = response, (code, text) => refusal = new ProtocolException(code, text));
        for (var step = 0; step < 3 && answer is null && refusal is null; step++)
        {
            Step();
        }

        return answer ?? throw refusal ?? new ProtocolException(ErrorCode.RequestTimedOut, "the controller did not answer");
    }

    private void Step()
    {
        _quorum.Tick(++_nowMs);
        _controller.Tick(_nowMs);
        if (_quorum.NeedsFlush)
        {
            _store.Flush(_nowMs);
            _quorum.OnFlushed(_nowMs);
            _controller.Tick(_nowMs);
        }
    }

    private sealed class NoPeers : IPeerNetwork
    {
        public void Send<TRequest, TResponse>(
            int nodeId, TRequest request, int timeoutMs, Action<PeerReply<TResponse>> onReply)
            where TRequest : class, IRequest<TResponse>, new()
            where TResponse : class, IMessage, new() =>
            throw new InvalidOperationException("a cluster of one asks nobody");
    }
}
