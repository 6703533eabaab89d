using System.Buffers.Binary;
using Weir.Client.Producing;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage;
using Weir.Testing.Support;

namespace Weir.Simulation;

/// <summary>
/// A client: publishes to each partition through the real send queue, several batches in flight, and reads each partition
/// from its start. It finds leaders by asking any broker.
/// </summary>
public sealed class SimulatedClient : IEndpoint
{
    private const int RequestTimeoutMs = 3000;
    private readonly SimulatedCluster _cluster;
    private readonly SeededRandom _random;
    private readonly SortedDictionary<int, Lane> _lanes = [];
    private readonly int _id;
    private readonly Guid _topicId;
    private readonly int _meanIntervalUs;
    private int _nextValue;
    private bool _isStopped;

    public SimulatedClient(SimulatedCluster cluster, int id, Guid topicId, int partitions, int meanIntervalUs)
    {
        _cluster = cluster;
        _id = id;
        _topicId = topicId;
        _meanIntervalUs = meanIntervalUs;
        _random = cluster.World.Stream(1000 + (ulong)id);
        for (var partition = 0; partition < partitions; partition++)
        {
            _lanes[partition] = new Lane(new LogIdentity(topicId, partition));
        }

        cluster.Network.Add(id, this);
    }

    public int Incarnation => 1;

    public bool IsUp => true;

    /// <summary>Whether all that it has sent has an outcome.</summary>
    public bool IsQuiet => _lanes.Values.All(static lane => lane.Queue.NumberedCount + lane.Queue.WaitingCount == 0);

    /// <summary>Whether it has read every partition to its end, since it was asked.</summary>
    public bool HasReadAll => _lanes.Values.All(static lane => lane.HasReadAll);

    private World World => _cluster.World;

    public void Run(int incarnation, Action action) => action();

    public void Start()
    {
        PlanSend();
        foreach (var lane in _lanes.Values)
        {
            PlanRead(lane, 1000);
        }
    }

    /// <summary>Sends nothing new.</summary>
    public void StopSending() => _isStopped = true;

    /// <summary>Forgets that it has read everything.</summary>
    public void ReadAgain()
    {
        foreach (var lane in _lanes.Values)
        {
            lane.HasReadAll = false;
        }
    }

    private void PlanSend() => World.After(_random.Next(2 * _meanIntervalUs) + 1, () =>
    {
        if (!_isStopped)
        {
            var lane = _lanes[_random.Next(_lanes.Count)];
            lane.Queue.Enqueue(new Batch(((long)_id << 32) | (uint)_nextValue++)
            {
                RecordCount = 1, Deadline = long.MaxValue,
            });
            Pump(lane);
            PlanSend();
        }
    });

    private void Pump(Lane lane)
    {
        while (true)
        {
            var step = lane.Queue.Decide(World.NowUs, out var queued, out var until);
            switch (step)
            {
                case SendStep.Send:
                    lane.Queue.MarkSent(queued!);
                    Send(lane, (Batch)queued!);
                    continue;
                case SendStep.Identify when !lane.IsIdentifying:
                    Identify(lane);
                    return;
                case SendStep.Wait:
                    World.After(until - World.NowUs + 1, () => Pump(lane));
                    return;
                default:
                    return;
            }
        }
    }

    private void Identify(Lane lane)
    {
        lane.IsIdentifying = true;
        var broker = AnyBroker();
        AskController<InitProducerResponse>(
            broker, new InitProducerRequest(),
            response =>
            {
                lane.IsIdentifying = false;
                lane.Queue.SetIdentity(response.ProducerId, response.ProducerEpoch);
                Pump(lane);
            },
            _ => World.After(100_000, () =>
            {
                lane.IsIdentifying = false;
                Pump(lane);
            }));
    }

    /// <summary>Sends a request to any broker, which hands it to the controller.</summary>
    public void AskController<TResponse>(
        int broker, Protocol.Wire.IMessage request, Action<TResponse> onReply, Action<ErrorCode> onFailed)
        where TResponse : class, Protocol.Wire.IMessage =>
        _cluster.Network.Request(
            _id, broker, RequestTimeoutMs,
            respond =>
            {
                var node = _cluster.Broker(broker).Node!;
                if (node.Quorum.LeaderId == broker)
                {
                    node.Receive(
                        request, response => respond(() => onReply((TResponse)response)),
                        (code, _) => respond(() => onFailed(code)));
                }
                else
                {
                    respond(() => onFailed(ErrorCode.NotController));
                }
            },
            onFailed);

    private int AnyBroker() => 1 + _random.Next(_cluster.Shape.Brokers);

    private void Send(Lane lane, Batch batch)
    {
        var bytes = batch.Encode(lane.Partition);
        batch.AcknowledgedBefore ??= _cluster.Oracle.OnSend(lane.Partition);
        if (lane.Leader < 0)
        {
            FindLeader(lane, () => Refused(lane, batch, ErrorCode.LeaderNotAvailable));
            return;
        }

        var leader = lane.Leader;
        _cluster.Network.Request(
            _id, leader, RequestTimeoutMs,
            respond => ClientGate.Produce(
                _cluster.Broker(leader), lane.Partition, bytes,
                offset => respond(() => Acknowledged(lane, batch, offset)),
                code => respond(() => Refused(lane, batch, code))),
            code => Lost(lane, batch, code));
    }

    private void Acknowledged(Lane lane, Batch batch, long offset)
    {
        _cluster.Oracle.OnAcknowledged(lane.Partition, offset, batch.Value, batch.AcknowledgedBefore!.Value);
        lane.Queue.OnAcknowledged(batch);
        Pump(lane);
    }

    private void Refused(Lane lane, Batch batch, ErrorCode code)
    {
        lane.Leader = -1;
        if (!lane.Queue.OnRefused(batch, code, World.NowUs + 20_000 + _random.Next(50_000))
            && code is ErrorCode.OutOfOrderSequence or ErrorCode.UnknownProducer)
        {
            _cluster.Oracle.Violate(
                "ProducerStateIsKept", $"{lane.Partition} lost what it knew of a producer: {code} for value {batch.Value}");
        }

        Pump(lane);
    }

    private void Lost(Lane lane, Batch batch, ErrorCode code)
    {
        lane.Leader = -1;
        World.Trace((long)code);
        if (_cluster.Shape.Bug == SeededBug.ProducerRenumbersRetries)
        {
            lane.Queue.OnAcknowledged(batch);
            lane.Queue.Enqueue(new Batch(batch.Value) { RecordCount = 1, Deadline = long.MaxValue });
        }
        else
        {
            lane.Queue.OnLost(batch);
        }

        Pump(lane);
    }

    private void FindLeader(Lane lane, Action then)
    {
        var broker = AnyBroker();
        _cluster.Network.Request(
            _id, broker, RequestTimeoutMs,
            respond =>
            {
                var partitions = _cluster.Broker(broker).Image.Find(_topicId)?.Partitions;
                var found = partitions is { } all && lane.Partition.Partition < all.Length
                    ? (all[lane.Partition.Partition].Leader, all[lane.Partition.Partition].LeaderEpoch)
                    : (-1, -1);
                respond(() =>
                {
                    if (found.Item2 >= lane.LeaderEpoch || _cluster.Shape.Bug == SeededBug.ClientTrustsOldMetadata)
                    {
                        (lane.Leader, lane.LeaderEpoch) = found;
                    }

                    then();
                });
            },
            _ => then());
    }

    private void PlanRead(Lane lane, long delayUs) => World.After(delayUs, () => Read(lane));

    private void Read(Lane lane)
    {
        if (lane.Leader < 0)
        {
            FindLeader(lane, () => PlanRead(lane, lane.Leader < 0 ? 100_000 : 1000));
            return;
        }

        var leader = lane.Leader;
        var from = lane.ReadOffset;
        _cluster.Network.Request(
            _id, leader, RequestTimeoutMs,
            respond =>
            {
                var answer = ClientGate.Read(_cluster.Broker(leader), lane.Partition, from);
                respond(() => OnRead(lane, from, answer));
            },
            _ =>
            {
                lane.Leader = -1;
                PlanRead(lane, 50_000);
            });
    }

    private void OnRead(Lane lane, long from, ReadAnswer answer)
    {
        if (answer.Error != ErrorCode.None)
        {
            if (answer.Error == ErrorCode.OffsetOutOfRange)
            {
                _cluster.Oracle.Violate(
                    "NothingReadIsLost",
                    $"{lane.Partition}: offset {from} was read before, the leader has {answer.LogStartOffset} to {answer.HighWatermark}");
            }

            lane.Leader = -1;
            PlanRead(lane, 50_000);
            return;
        }

        _cluster.Oracle.OnEnd(lane.Partition, _id, answer.HighWatermark, lane.LastEnd);
        lane.LastEnd = answer.HighWatermark;
        foreach (var (offset, value) in answer.Records)
        {
            if (offset != lane.ReadOffset)
            {
                _cluster.Oracle.Violate("NoPollSkip", $"{lane.Partition}: {offset} came where {lane.ReadOffset} should");
            }

            lane.ReadOffset = offset + 1;
            _cluster.Oracle.OnRead(lane.Partition, offset, value);
        }

        lane.HasReadAll = lane.ReadOffset == answer.HighWatermark;
        PlanRead(lane, answer.Records.Count > 0 ? 20_000 : 150_000);
    }

    private sealed class Lane(LogIdentity partition)
    {
        public LogIdentity Partition { get; } = partition;

        public PartitionSendQueue Queue { get; } = new(isIdempotent: true);

        public int Leader { get; set; } = -1;

        public int LeaderEpoch { get; set; } = -1;

        public bool IsIdentifying { get; set; }

        public long ReadOffset { get; set; }

        public long LastEnd { get; set; }

        public bool HasReadAll { get; set; }
    }

    private sealed class Batch(long value) : QueuedBatch
    {
        public long Value => value;

        public long? AcknowledgedBefore { get; set; }

        public ReadOnlyMemory<byte> Encode(LogIdentity partition)
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            using var builder = new RecordBatchBuilder(1024);
            builder.TryAdd(1, default, hasKey: false, bytes, hasValue: true, []);
            return builder.Seal(partition.TopicId, partition.Partition, Producer).ToArray();
        }
    }
}
