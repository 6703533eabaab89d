using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;

namespace Weir.Metadata;

/// <summary>
/// The one writer of the metadata log: decides by <see cref="MetadataController"/>, appends and syncs, then applies. A change
/// is visible once it is durable. Members may be called from any thread; changes wait for each other and for the disk.
/// </summary>
public sealed class MetadataLog : IDisposable
{
    private const string DirectoryName = "metadata";
    private const int ProducerIdBlock = 1000;
    private static readonly LogIdentity Identity = new(new Guid("00000000-0000-0000-0000-000000000001"), 0);
    private readonly Lock _gate = new();
    private readonly ILogFiles _files;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly MetadataController _controller;
    private readonly PartitionLog _log;
    private readonly int _recordsPerSnapshot;
    private readonly Queue<(long NextOffset, IMetadataRecord Record)> _unsettled = new();
    private MetadataImage _image = MetadataImage.Empty;
    private long _snapshotOffset;
    private long _nextProducerId;
    private long _reservedProducerIds;

    private MetadataLog(
        ILogFiles files, MetadataController controller, TimeProvider time, ILogger logger, int recordsPerSnapshot)
    {
        _files = files;
        _controller = controller;
        _time = time;
        _logger = logger;
        _recordsPerSnapshot = recordsPerSnapshot;
        _log = PartitionLog.Open(
            files, DirectoryName, Identity, new LogOptions { SegmentBytes = 16 * 1024 * 1024 }, new TailMemory(), logger);
    }

    /// <summary>What is known now.</summary>
    public MetadataImage Image => Volatile.Read(ref _image);

    /// <summary>Opens the log: the newest whole snapshot, then every record after it. The first open creates a cluster.</summary>
    /// <param name="files">The data directory.</param>
    /// <param name="controller">Decides changes.</param>
    /// <param name="time">Clock of creation times.</param>
    /// <param name="logger">Where a damaged snapshot is reported.</param>
    /// <param name="recordsPerSnapshot">Records between two snapshots.</param>
    /// <exception cref="MetadataException">
    /// The log is damaged or does not reach back to the snapshot. Nothing is deleted or assumed.
    /// </exception>
    public static MetadataLog Open(
        ILogFiles files, MetadataController controller, TimeProvider time, ILogger logger, int recordsPerSnapshot = 1000)
    {
        files.CreateDirectory(DirectoryName);
        files.SyncDirectory(string.Empty);
        var log = new MetadataLog(files, controller, time, logger, recordsPerSnapshot);
        try
        {
            log.Replay();
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Creates a topic, or only checks the request.</summary>
    /// <exception cref="ProtocolException">It is refused, or the log cannot be written.</exception>
    public CreateTopicResponse CreateTopic(CreateTopicRequest request)
    {
        lock (_gate)
        {
            Settle();
            var seed = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));
            var record = _controller.CreateTopic(Image, request, Guid.NewGuid(), seed, NowMs);
            if (!request.ValidateOnly)
            {
                Append([record]);
            }

            return new CreateTopicResponse
            {
                TopicId = request.ValidateOnly ? Guid.Empty : record.TopicId,
                Partitions = record.Partitions.Length,
                ReplicationFactor = (short)record.Partitions[0].Replicas.Length,
            };
        }
    }

    /// <summary>Alters a topic, or only checks the request.</summary>
    /// <exception cref="ProtocolException">It is refused, or the log cannot be written.</exception>
    public void AlterTopic(AlterTopicRequest request)
    {
        lock (_gate)
        {
            Settle();
            var records = _controller.AlterTopic(Image, request);
            if (!request.ValidateOnly && records.Count > 0)
            {
                Append(records);
            }
        }
    }

    /// <summary>Deletes a topic and returns what it was.</summary>
    /// <exception cref="ProtocolException">There is no such topic, or the log cannot be written.</exception>
    public TopicImage DeleteTopic(DeleteTopicRequest request)
    {
        lock (_gate)
        {
            Settle();
            var record = MetadataController.DeleteTopic(Image, request);
            var topic = Image.Find(record.TopicId)!;
            Append([record]);
            return topic;
        }
    }

    /// <summary>A producer id that was never given out. Ids are reserved by the thousand: a restart skips the rest.</summary>
    /// <exception cref="ProtocolException">The log cannot be written.</exception>
    public long NextProducerId()
    {
        lock (_gate)
        {
            if (_nextProducerId == _reservedProducerIds)
            {
                Settle();
                _nextProducerId = Image.NextProducerId;
                Append([MetadataController.ReserveProducerIds(Image, ProducerIdBlock)]);
                _reservedProducerIds = Image.NextProducerId;
            }

            return _nextProducerId++;
        }
    }

    /// <summary>Closes the log in order.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _log.Close();
        }
    }

    private long NowMs => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private void Replay()
    {
        if (_log.State != LogState.Online)
        {
            throw new MetadataException($"the metadata log is damaged: {_log.StateReason}");
        }

        (_image, _snapshotOffset) = MetadataSnapshot.Load(
            _files, DirectoryName, name => MetadataEvents.SnapshotDamaged(_logger, name));
        if (_snapshotOffset < _log.LogStartOffset)
        {
            throw new MetadataException(
                $"the metadata log starts at {_log.LogStartOffset} and no whole snapshot reaches up to it");
        }

        if (_snapshotOffset > _log.LogEndOffset)
        {
            throw new MetadataException(
                $"the metadata log ends at {_log.LogEndOffset}, before its snapshot at {_snapshotOffset}");
        }

        ReadRecords(_snapshotOffset);
        if (_image.ClusterId.Length == 0)
        {
            Append([new ClusterCreated { ClusterId = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)), CreatedAtMs = NowMs }]);
        }

        SnapshotIfDue();
    }

    private void ReadRecords(long from)
    {
        var cursor = _log.Locate(from);
        while (true)
        {
            using var slice = _log.Read(ref cursor, _log.DurableOffset, 1024 * 1024);
            if (slice.Length == 0)
            {
                return;
            }

            var bytes = new byte[slice.Length];
            if (slice.IsInMemory)
            {
                slice.Memory.CopyTo(bytes);
            }
            else
            {
                slice.File!.Read(bytes, slice.FilePosition);
            }

            ApplyBatches(bytes, from);
        }
    }

    private void ApplyBatches(ReadOnlyMemory<byte> bytes, long from)
    {
        while (!bytes.IsEmpty)
        {
            var length = (int)Math.Min(RecordBatchHeader.ReadLength(bytes.Span), (uint)bytes.Length);
            var batch = RecordBatchHeader.Verify(bytes.Span[..length]);
            var records = bytes[RecordBatchHeader.Size..length];
            var position = 0;
            for (var offset = batch.BaseOffset; offset < batch.NextOffset; offset++)
            {
                var record = RecordReader.Read(records.Span, position, batch.BaseTimestampMs);
                if (offset >= from)
                {
                    _image = _image.Apply(MetadataRecordCodec.Decode(records.Slice(record.ValueStart, record.ValueLength)));
                }

                position = record.End;
            }

            bytes = bytes[length..];
        }
    }

    /// <summary>Appends records as one batch, all or none, and returns once they are durable and applied.</summary>
    private void Append(IReadOnlyList<IMetadataRecord> records)
    {
        using var builder = new RecordBatchBuilder(_log.Options.MaxBatchBytes);
        foreach (var record in records)
        {
            if (!builder.TryAdd(NowMs, default, hasKey: false, MetadataRecordCodec.Encode(record), hasValue: true, []))
            {
                throw new ProtocolException(ErrorCode.InvalidRequest, "the change is larger than a metadata batch may be");
            }
        }

        var batch = builder.Seal(Identity.TopicId, Identity.Partition, BatchProducer.None);
        var outcome = _log.Append(
            batch.Span, RecordBatchHeader.Verify(batch.Span), leaderEpoch: 0, _log.DurableOffset, NowMs);
        if (outcome.Code != ErrorCode.None)
        {
            throw new ProtocolException(outcome.Code, $"the metadata log cannot be written: {_log.StateReason}");
        }

        for (var i = 0; i < records.Count; i++)
        {
            _unsettled.Enqueue((outcome.BaseOffset + i + 1, records[i]));
        }

        Settle();
        SnapshotIfDue();
    }

    /// <summary>
    /// Makes durable and applies what was appended, also by an earlier request that failed for lack of space: decisions are
    /// made on what the log says, never beside it.
    /// </summary>
    private void Settle()
    {
        if (_log.WritePending())
        {
            _log.Sync();
            _log.MarkDurable();
        }

        while (_unsettled.TryPeek(out var next) && next.NextOffset <= _log.DurableOffset)
        {
            Volatile.Write(ref _image, _image.Apply(_unsettled.Dequeue().Record));
        }

        if (_log.State != LogState.Online)
        {
            throw new ProtocolException(
                _log.State == LogState.StorageFull ? ErrorCode.StorageFull : ErrorCode.LogStopped,
                $"the metadata log cannot be written: {_log.StateReason}");
        }
    }

    private void SnapshotIfDue()
    {
        if (_log.DurableOffset - _snapshotOffset < _recordsPerSnapshot)
        {
            return;
        }

        try
        {
            MetadataSnapshot.Save(_files, DirectoryName, _image, _log.DurableOffset);

            // The one before it can still stand in for it, so the log keeps what follows that one.
            _log.DeleteRecords(_snapshotOffset);
            _snapshotOffset = _log.DurableOffset;
        }
        catch (LogIoException e)
        {
            MetadataEvents.SnapshotFailed(_logger, e.Message);
        }
    }
}

/// <summary>Log events 3500 to 3599.</summary>
internal static partial class MetadataEvents
{
    [LoggerMessage(3500, LogLevel.Warning, "Metadata snapshot '{Name}' is damaged: the one before it is used")]
    public static partial void SnapshotDamaged(ILogger logger, string name);

    [LoggerMessage(3501, LogLevel.Warning, "No metadata snapshot could be written; the log is kept: {Reason}")]
    public static partial void SnapshotFailed(ILogger logger, string reason);
}
