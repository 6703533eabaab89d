using System.Net.Sockets;
using System.Threading.Channels;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client.Tests.Scripted;

/// <summary>A client's connection to a scripted broker: reads requests one by one and answers each under the cluster's lock.</summary>
internal sealed class ScriptedConnection(ScriptedBroker broker, Socket socket)
{
    private readonly ScriptedCluster _cluster = broker.Cluster;
    private readonly Channel<byte[]> _replies = Channel.CreateUnbounded<byte[]>();
    private readonly Dictionary<uint, (int Partition, long Next)> _subscriptions = [];

    public async Task RunAsync()
    {
        var writing = WriteAsync();
        using var frames = new FrameAssembler(ProtocolLimits.FrameBytes);
        try
        {
            while (true)
            {
                var read = await socket.ReceiveAsync(frames.GetMemory());
                if (read == 0)
                {
                    break;
                }

                frames.Advance(read);
                while (frames.TryRead(out var header, out var body))
                {
                    lock (_cluster.Lock)
                    {
                        if (broker.IsRunning)
                        {
                            Handle(header, body);
                        }
                    }
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }

        Close();
        await writing;
    }

    public void Close()
    {
        _replies.Writer.TryComplete();
        socket.Dispose();
    }

    public void Push<T>(T message)
        where T : IPush => Send(FrameKind.Push, T.Key, 0, message);

    public void EndSubscriptions(int partition, ErrorCode error)
    {
        foreach (var (id, _) in _subscriptions.Where(pair => pair.Value.Partition == partition).ToArray())
        {
            _subscriptions.Remove(id);
            Push(new SubscriptionEndedPush { SubscriptionId = id, Error = ErrorMessage.Create(error, "ended") });
        }
    }

    public void Deliver(int partition)
    {
        foreach (var (id, (_, next)) in _subscriptions.Where(pair => pair.Value.Partition == partition).ToArray())
        {
            var source = _cluster.Partitions[partition];
            if (next < source.NextOffset)
            {
                _subscriptions[id] = (partition, source.NextOffset);
                var batches = source.From(next);
                _cluster.OnDeliver(batches);
                Push(new DeliverPush { SubscriptionId = id, HighWatermark = source.NextOffset, Batches = batches });
            }
        }
    }

    private async Task WriteAsync()
    {
        try
        {
            await foreach (var reply in _replies.Reader.ReadAllAsync())
            {
                for (var sent = 0; sent < reply.Length;)
                {
                    sent += await socket.SendAsync(reply.AsMemory(sent));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }

    private void Handle(FrameHeader header, ReadOnlyMemory<byte> body)
    {
        switch (header.Api)
        {
            case ApiKey.Hello:
                broker.LastHello = Read<HelloRequest>(header, body);
                if (broker.LastHello.NodeId >= 0 && broker.LastHello.NodeId != broker.NodeId && broker.LastHello.PassOn != 1)
                {
                    Refuse(header, ErrorCode.WrongNode);
                    break;
                }

                Answer(header, broker.LastHello, new HelloResponse
                {
                    ClusterId = "scripted",
                    NodeId = broker.NodeId,
                    BrokerVersion = "0",
                    MaxFrameBytes = ProtocolLimits.FrameBytes,
                    ProduceWindowBytes = 4 << 20,
                    Mechanisms = [AuthenticateRequest.Anonymous],
                    Apis = ApiTable.Ranges,
                });
                break;
            case ApiKey.Authenticate:
                Answer(header, Read<AuthenticateRequest>(header, body), new AuthenticateResponse { Done = true });
                break;
            case ApiKey.Metadata:
                _cluster.MetadataRequests++;
                Answer(header, Read<MetadataRequest>(header, body), Describe());
                break;
            case ApiKey.InitProducer:
                Answer(header, Read<InitProducerRequest>(header, body), new InitProducerResponse { ProducerId = _cluster.NextProducerId() });
                break;
            case ApiKey.Produce:
                Produce(header, Read<ProduceRequest>(header, body));
                break;
            case ApiKey.Subscribe:
                Subscribe(header, Read<SubscribeRequest>(header, body));
                break;
            case ApiKey.Unsubscribe:
                var ended = Read<UnsubscribeRequest>(header, body);
                _subscriptions.Remove(ended.SubscriptionId);
                Answer(header, ended, new EmptyMessage());
                break;
            case ApiKey.ListOffsets:
                var asked = Read<ListOffsetsRequest>(header, body);
                var found = _cluster.Partitions[asked.Partition];
                AnswerAtLeader(header, found, asked, new ListOffsetsResponse { Offset = found.NextOffset, LeaderEpoch = found.LeaderEpoch });
                break;
            case ApiKey.GetLatest:
                var wanted = Read<GetLatestRequest>(header, body);
                AnswerAtLeader(header, _cluster.Partitions[wanted.Partition], wanted, new GetLatestResponse
                {
                    Offset = 1, Value = (byte[])[.. wanted.RecordKey, (byte)('0' + broker.NodeId)],
                });
                break;
            case ApiKey.ResetGroup:
                Answer(header, Read<ResetGroupRequest>(header, body), new ResetGroupResponse
                {
                    Offsets =
                    [
                        new ResetOffset { Topic = "t", Before = -1, After = 3 },
                        new ResetOffset { Topic = "t", Partition = 1, Before = 9, After = 4 },
                    ],
                });
                break;
            case ApiKey.DescribeCluster:
                Answer(header, Read<DescribeClusterRequest>(header, body), DescribeCluster());
                break;
            case ApiKey.CheckBroker:
                Answer(header, Read<CheckBrokerRequest>(header, body), new CheckBrokerResponse { CaughtUpPercent = 50, Reasons = ["busy"] });
                break;
            case ApiKey.ChangeBroker:
                Answer(header, Read<ChangeBrokerRequest>(header, body), new EmptyMessage());
                break;
            case ApiKey.ReassignPartitions:
                Answer(header, Read<ReassignPartitionsRequest>(header, body), new EmptyMessage());
                break;
            case ApiKey.ElectLeaders:
                Answer(header, Read<ElectLeadersRequest>(header, body), new EmptyMessage());
                break;
            case ApiKey.Ping:
                Answer(header, Read<PingRequest>(header, body), new EmptyMessage());
                break;
            case ApiKey.Credit:
                break;
            default:
                Refuse(header, ErrorCode.UnknownApi);
                break;
        }
    }

    private MetadataResponse Describe() => new()
    {
        ClusterId = "scripted",
        ControllerId = 1,
        Brokers = [.. _cluster.Brokers.Where(other => other.IsRunning).Select(other => other.Info)],
        Topics = [broker.Frozen ?? _cluster.Describe()],
    };

    private DescribeClusterResponse DescribeCluster() => new()
    {
        ClusterId = "scripted",
        ControllerId = 1,
        Voters = [new VoterInfo { NodeId = 1, LogEndOffset = 7, LastFetchMsAgo = -1 }],
        Brokers = [.. _cluster.Brokers.Select(other => new BrokerStatus { NodeId = other.NodeId, Host = "127.0.0.1", Port = other.Info.Port })],
    };

    private void Produce(FrameHeader header, ProduceRequest request)
    {
        Count(request);
        var partition = _cluster.Partitions[request.Partition];
        if (partition.Leader != broker.NodeId)
        {
            Refuse(header, ErrorCode.NotLeader);
            return;
        }

        var fate = _cluster.OnProduce(broker, partition);
        var (error, offset, isDuplicate) = (fate.Error, -1L, false);
        if (fate.Appends)
        {
            var appended = partition.Append(request.Batch.Span, out offset, out isDuplicate);
            error = fate.Error == ErrorCode.None ? appended : fate.Error;
            _cluster.Brokers.ForEach(other => other.Deliver(partition.Index));
        }

        if (!fate.Answers || header.Kind == FrameKind.Push)
        {
            return;
        }

        if (error != ErrorCode.None)
        {
            Refuse(header, error);
            return;
        }

        Send(FrameKind.Response, header.Api, header.CorrelationId, new ProduceResponse
        {
            BaseOffset = offset,
            AppendTimeMs = 1,
            Durability = Durability.Replicated,
            Duplicate = isDuplicate,
        });
    }

    private void Subscribe(FrameHeader header, SubscribeRequest request)
    {
        var partition = _cluster.Partitions[request.Partition];
        var start = request.Start switch
        {
            StartPosition.Offset => request.StartValue,
            StartPosition.Latest => partition.NextOffset,
            _ => 0,
        };
        var error = partition.Leader != broker.NodeId ? ErrorCode.NotLeader : _cluster.OnSubscribe(request);
        error = error == ErrorCode.None && start > partition.NextOffset ? ErrorCode.OffsetOutOfRange : error;
        if (error != ErrorCode.None)
        {
            Count(request);
            Refuse(header, error);
            return;
        }

        Answer(header, request, new SubscribeResponse { StartOffset = start, HighWatermark = partition.NextOffset });
        _subscriptions[request.SubscriptionId] = (request.Partition, start);
        Deliver(request.Partition);
    }

    private void AnswerAtLeader<TRequest, T>(FrameHeader header, ScriptedPartition partition, TRequest request, T reply)
        where TRequest : IMessage
        where T : IMessage
    {
        if (partition.Leader == broker.NodeId)
        {
            Answer(header, request, reply);
        }
        else
        {
            Refuse(header, ErrorCode.NotLeader);
        }
    }

    private void Answer<TRequest, T>(FrameHeader header, TRequest request, T reply)
        where TRequest : IMessage
        where T : IMessage
    {
        Count(request);
        var error = _cluster.OnRequest(broker, request);
        if (error == ErrorCode.None)
        {
            Send(FrameKind.Response, header.Api, header.CorrelationId, reply);
        }
        else
        {
            Refuse(header, error);
        }
    }

    private void Refuse(FrameHeader header, ErrorCode error) => Send(
        FrameKind.Response, header.Api, header.CorrelationId, ErrorMessage.Create(error, "scripted"), FrameFlags.Error);

    private void Count<T>(T request)
        where T : IMessage => broker.Requests[request.GetType()] = broker.Requests.GetValueOrDefault(request.GetType()) + 1;

    private static T Read<T>(FrameHeader header, ReadOnlyMemory<byte> body)
        where T : IMessage, new() => WireReader.ReadAll<T>(body, header.Version);

    private void Send<T>(FrameKind kind, ApiKey api, uint correlationId, T message, FrameFlags flags = FrameFlags.None)
        where T : IMessage
    {
        using var buffer = new WireBuffer();
        var payload = Frames.Append(buffer, kind, api, 1, correlationId, message, flags);
        _replies.Writer.TryWrite([.. buffer.Span, .. payload.Span]);
    }
}
