using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Replication;
using Weir.Replication.Partitions;
using Weir.Storage;
using Weir.Storage.Tail;
using Weir.Testing.Support;

namespace Weir.Simulation.Exhaustive;

/// <summary>A broker in a search: the replicas, fetch sessions and fetchers of production over a simulated disk.</summary>
internal sealed class PartitionBroker(PartitionModel model, int nodeId)
    : SearchNode(model, nodeId, new SimulatedDisk()), IReplicaHost, IAckSink
{
    private const string LogsDirectory = "partitions";
    private TailMemory _memory = new();

    public BrokerReplicas Replicas { get; private set; } = null!;

    /// <summary>Epoch of its registration; -1 before the first.</summary>
    public long BrokerEpoch { get; set; } = -1;

    /// <summary>The replica; null before the broker has heard of the partition.</summary>
    public Replica? Replica => Replicas.Table.Find(PartitionModel.Partition);

    /// <summary>Its log with what only its memory has.</summary>
    public LogShape Log => Replica is { } replica ? Shape(replica.Log, replica.Log.LogEndOffset) : LogShape.Empty;

    /// <inheritdoc/>
    public override bool NeedsFlush => Replica?.Log is { } log && (log.HasPending || log.HasUnsynced);

    /// <inheritdoc/>
    public long FirstSessionId => (long)Incarnation << 32;

    /// <inheritdoc/>
    public ILogger Logger => NullLogger.Instance;

    /// <inheritdoc/>
    public long NowMs => Model.NowMs;

    /// <inheritdoc/>
    public MetadataImage Image { get; private set; } = MetadataImage.Empty;

    public static LogShape Shape(PartitionLog log, long limit) => LogShape.Read(log.FindEpochEnd, log.LastLeaderEpoch, limit);

    /// <summary>Hears of metadata and follows it.</summary>
    public void Learn(MetadataImage image)
    {
        Image = image;
        Replicas.Apply(image);
    }

    /// <summary>Takes a record of a client that waits for all replicas in sync.</summary>
    public void Publish(ReadOnlyMemory<byte> batch)
    {
        var replica = Replica!;
        var outcome = replica.Append(batch.Span, RecordBatchHeader.Verify(batch.Span), Acks.All, 0);
        if (outcome.Code == ErrorCode.None)
        {
            Replicas.OnAppended(replica);
            replica.Await(new PendingAck(this, 0, outcome, replica.Topic.Settings.Durability, batch.Length, 0), Acks.All);
        }
    }

    public override void Flush()
    {
        var log = Replica!.Log;
        if (log.WritePending())
        {
            log.Listener?.OnLogProgress(log);
            log.Sync();
            log.MarkDurable();
        }

        log.Listener?.OnLogProgress(log);
    }

    public override void Close()
    {
        if (Replica?.Log is { } log && !Disk.IsOff)
        {
            log.Listener = null;
            log.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Acknowledge(in PendingAck ack, bool isAlone) => model.OnAcknowledged(this, ack.Outcome.BaseOffset);

    /// <inheritdoc/>
    public void Refuse(in PendingAck ack, ErrorCode code, string text, bool isAlone)
    {
        // The client does not know, so nothing is promised.
    }

    /// <inheritdoc/>
    public PartitionLog OpenLog(LogIdentity identity, LogOptions options) =>
        PartitionLog.Open(Disk, LogsDirectory, identity, options, _memory, Logger);

    /// <inheritdoc/>
    public void DeleteLog(LogIdentity identity) => Model.Violate("NothingIsDeleted", $"{NodeId} deletes {identity}");

    /// <inheritdoc/>
    public IReadOnlyList<LogIdentity> ListLogs() => [];

    /// <inheritdoc/>
    public void SignalFlush(PartitionLog log)
    {
        // The search says when.
    }

    /// <inheritdoc/>
    public void Post(Action work) => Model.Post(NodeId, Incarnation, work);

    /// <inheritdoc/>
    protected override void Open()
    {
        Disk.CreateDirectory(LogsDirectory);
        Disk.SyncDirectory(string.Empty);
        _memory = new TailMemory();
        Image = MetadataImage.Empty;
        Replicas = new BrokerReplicas(NodeId, this, this, model.Settings, static () => 0, () => BrokerEpoch);
    }

    /// <inheritdoc/>
    protected override LogShape ReadDurable() =>
        Replica is { } replica ? Shape(replica.Log, replica.Log.DurableOffset) : Durable;
}
