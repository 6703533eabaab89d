using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Replication.Partitions;
using Weir.Storage;

namespace Weir.Simulation;

/// <summary>What a read brought.</summary>
internal sealed record ReadAnswer(
    ErrorCode Error, long HighWatermark, long LogStartOffset, IReadOnlyList<(long Offset, long Value)> Records);

/// <summary>
/// What the handlers of a broker do with the requests of clients, over the same replicas: produce, read, find the leader.
/// </summary>
internal static class ClientGate
{
    private const int ReadBytes = 16 * 1024;

    /// <summary>Appends and answers when it has settled.</summary>
    public static void Produce(
        SimulatedBroker broker, LogIdentity partition, ReadOnlyMemory<byte> batch, Action<long> acknowledged,
        Action<ErrorCode> refused)
    {
        if (broker.Node!.Replicas.Table.Find(partition) is not { } replica)
        {
            refused(ErrorCode.NotLeader);
            return;
        }

        var header = RecordBatchHeader.Verify(batch.Span);
        var outcome = replica.Append(batch.Span, header, Acks.All, broker.WallClockMs);
        if (outcome.Code != ErrorCode.None)
        {
            refused(outcome.Code);
            return;
        }

        broker.SignalFlush(replica.Log);
        broker.Node.Replicas.OnAppended(replica);
        var ack = new PendingAck(
            new Sink(acknowledged, refused), 0, outcome, replica.Topic.Settings.Durability, batch.Length, 0);
        replica.Await(ack, Acks.All);
    }

    /// <summary>Reads what is committed.</summary>
    public static ReadAnswer Read(SimulatedBroker broker, LogIdentity partition, long offset)
    {
        var replica = broker.Node!.Replicas.Table.Find(partition);
        if (replica is null || replica.Role != ReplicaRole.Leader)
        {
            return new ReadAnswer(ErrorCode.NotLeader, 0, 0, []);
        }

        if (!replica.IsHighWatermarkCurrent)
        {
            return new ReadAnswer(ErrorCode.OffsetNotAvailable, 0, 0, []);
        }

        var limit = replica.ReadLimit;
        if (offset < replica.Log.LogStartOffset || offset > limit)
        {
            return new ReadAnswer(ErrorCode.OffsetOutOfRange, limit, replica.Log.LogStartOffset, []);
        }

        var records = new List<(long Offset, long Value)>();
        try
        {
            foreach (var batch in broker.Node.Replicas.ReadChecked(replica, offset, limit, ReadBytes))
            {
                LogContent.Decode(batch, records);
            }
        }
        catch (LogCorruptException)
        {
            return new ReadAnswer(ErrorCode.CorruptLog, limit, replica.Log.LogStartOffset, []);
        }

        records.RemoveAll(record => record.Offset < offset);
        return new ReadAnswer(ErrorCode.None, limit, replica.Log.LogStartOffset, records);
    }

    private sealed class Sink(Action<long> acknowledged, Action<ErrorCode> refused) : IAckSink
    {
        public void Acknowledge(in PendingAck ack, bool isAlone) => acknowledged(ack.Outcome.BaseOffset);

        public void Refuse(in PendingAck ack, ErrorCode code, string text, bool isAlone) => refused(code);
    }
}
