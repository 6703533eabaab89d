using Microsoft.Extensions.Logging;
using Weir.Groups;
using Weir.Metadata;
using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Replication;
using Weir.Replication.Partitions;
using Weir.Server.Partitions;
using Weir.Server.Peers;
using Weir.Storage;

namespace Weir.Server.Groups;

/// <summary>What all coordinators of a broker share.</summary>
internal sealed record GroupServices(
    BrokerContext Broker, int Self, Func<MetadataImage> Image, PartitionTable Partitions, BrokerReplicas Replicas,
    FlushLoop Flush, IPeerNetwork Peers, ControllerClient Controller, CommittedReader Reader, OffsetAnswers Offsets);

/// <summary>The broker as one coordinator sees it. Called in the coordinator's turns; what comes back is posted to its loop.</summary>
internal sealed class GroupHost(GroupServices services, Action<Action> post, CancellationToken ended) : IGroupHost
{
    private const int PeerTimeoutMs = 5000;
    private readonly List<(int Leader, OffsetQuery Query, Action<OffsetAnswer> Done)> _lookups = [];

    public ILogger Logger => services.Broker.Logger;

    public long NowMs => services.Broker.Time.GetTimestamp() / (services.Broker.Time.TimestampFrequency / 1000);

    public long WallClockMs => services.Broker.NowMs;

    public void Read(LogIdentity partition, long offset, int maxBytes, Action<ReadOutcome> done) => Task.Run(async () =>
    {
        try
        {
            var outcome = await services.Reader.ReadAsync(partition, offset, maxBytes, ended).ConfigureAwait(false);
            post(() => done(outcome));
        }
        catch (OperationCanceledException)
        {
            // The coordinator is gone.
        }
        catch (Exception e)
        {
            GroupEvents.ReadFailed(Logger, e, partition.ToString());
            post(() => done(new ReadOutcome(ErrorCode.Internal, -1, -1, default)));
        }
    });

    public void LookUp(LogIdentity partition, StartPosition position, long value, Action<OffsetAnswer> done)
    {
        var query = new OffsetQuery { TopicId = partition.TopicId, Partition = partition.Partition, Position = position, Value = value };
        _lookups.Add((LeaderOf(partition), query, done));
    }

    public void Produce(LogIdentity partition, ReadOnlyMemory<byte> batch, Action<ProduceOutcome> done)
    {
        var leader = LeaderOf(partition);
        if (leader == services.Self)
        {
            ProduceHere(partition, batch, outcome => post(() => done(outcome)));
            return;
        }

        var request = new ProduceRequest { TopicId = partition.TopicId, Partition = partition.Partition, Batch = batch };
        services.Peers.Send<ProduceRequest, ProduceResponse>(leader, request, PeerTimeoutMs, reply => post(() => done(
            reply.Response is { } response
                ? new ProduceOutcome(ErrorCode.None, response.BaseOffset)
                : new ProduceOutcome(reply.Error, -1))));
    }

    public void InitProducer(Action<ErrorCode, long> done) => Task.Run(async () =>
    {
        try
        {
            var response = await services.Controller.AskAsync<InitProducerRequest, InitProducerResponse>(new InitProducerRequest())
                .ConfigureAwait(false);
            post(() => done(ErrorCode.None, response.ProducerId));
        }
        catch (ProtocolException e)
        {
            post(() => done(e.Code, -1));
        }
    });

    /// <summary>Sends what was looked up in the turns before, one request to each leader.</summary>
    public void Flush()
    {
        if (_lookups.Count == 0)
        {
            return;
        }

        var all = _lookups.ToArray();
        _lookups.Clear();
        foreach (var group in all.GroupBy(static lookup => lookup.Leader))
        {
            LookUp(group.Key, [.. group.Select(static one => one.Query)], [.. group.Select(static one => one.Done)]);
        }
    }

    private void LookUp(int leader, OffsetQuery[] queries, Action<OffsetAnswer>[] done)
    {
        if (leader == services.Self)
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => Answer([.. queries.Select(services.Offsets.Answer)]), null);
            return;
        }

        services.Peers.Send<LookUpOffsetsRequest, LookUpOffsetsResponse>(
            leader, new LookUpOffsetsRequest { Queries = queries }, PeerTimeoutMs, reply => Answer(
                reply.Response is { } response && response.Answers.Length == queries.Length
                    ? response.Answers
                    : [.. queries.Select(_ => new OffsetAnswer { Error = reply.Error == ErrorCode.None ? ErrorCode.Internal : reply.Error })]));

        void Answer(OffsetAnswer[] answers) => post(() =>
        {
            for (var i = 0; i < answers.Length; i++)
            {
                done[i](answers[i]);
            }
        });
    }

    private int LeaderOf(LogIdentity partition) =>
        services.Image().Find(partition.TopicId) is { } topic && partition.Partition < topic.Partitions.Length
            ? topic.Partitions[partition.Partition].Leader
            : -1;

    private void ProduceHere(LogIdentity identity, ReadOnlyMemory<byte> batch, Action<ProduceOutcome> done)
    {
        if (services.Partitions.Find(identity.TopicId, identity.Partition) is not { } partition)
        {
            done(new ProduceOutcome(ErrorCode.NotLeader, -1));
            return;
        }

        var outcome = partition.Replica.Append(
            batch.Span, RecordBatchHeader.Verify(batch.Span), Acks.All, services.Broker.NowMs);
        if (outcome.Code != ErrorCode.None)
        {
            done(new ProduceOutcome(outcome.Code, -1));
            return;
        }

        partition.Replica.Await(
            new PendingAck(new AckCallback(done), 0, outcome, partition.Log.Options.Durability, batch.Length, 0), Acks.All);
        services.Flush.Signal(partition.Log);
        services.Replicas.OnAppended(partition.Replica);
    }

    private sealed class AckCallback(Action<ProduceOutcome> done) : IAckSink
    {
        public void Acknowledge(in PendingAck ack, bool isAlone) =>
            done(new ProduceOutcome(ErrorCode.None, ack.Outcome.BaseOffset));

        public void Refuse(in PendingAck ack, ErrorCode code, string text, bool isAlone) => done(new ProduceOutcome(code, -1));
    }
}
