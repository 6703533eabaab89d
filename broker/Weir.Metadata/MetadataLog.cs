using System.Buffers.Binary;
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
/// is visible once it is durable, all of it at once. Members may be called from any thread; changes wait for each other and
/// for the disk, so call them where blocking harms nobody.
/// </summary>
public sealed class MetadataLog : IDisposable
{
    internal const string DirectoryName = "metadata";
    internal static readonly LogIdentity Identity = new(new Guid("00000000-0000-0000-0000-000000000001"), 0);
    private const int ProducerIdBlock = 1000;
    private const int MaxBatchBytes = 8 * 1024 * 1024;
    private const int TailBytes = 256 * 1024;
    private readonly Lock _gate = new();
    private readonly ILogFiles _files;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly MetadataController _controller;
    private readonly MetadataLogOptions _options;
    private readonly TailMemory _memory = new(TailBytes);
    private readonly PartitionLog _log;
    private MetadataImage _image = MetadataImage.Empty;
    private MetadataImage? _unsettled;
    private long _snapshotOffset;
    private long _nextProducerId;
    private long _reservedProducerIds;

    private MetadataLog(
        ILogFiles files, MetadataController controller, TimeProvider time, ILogger logger, MetadataLogOptions options)
    {
        _files = files;
        _controller = controller;
        _time = time;
        _logger = logger;
        _options = options;
        var logOptions = new LogOptions { SegmentBytes = options.SegmentBytes, MaxBatchBytes = MaxBatchBytes };
        _log = PartitionLog.Open(files, DirectoryName, Identity, logOptions, _memory, logger);
    }

    /// <summary>What is known now.</summary>
    public MetadataImage Image => Volatile.Read(ref _image);

    /// <summary>Opens the log: the newest whole snapshot, then every record after it. The first open creates a cluster.</summary>
    /// <param name="files">The data directory.</param>
    /// <param name="controller">Decides changes.</param>
    /// <param name="time">Clock of creation times.</param>
    /// <param name="logger">Where a damaged snapshot is reported.</param>
    /// <param name="options">How the log is kept; null for the defaults.</param>
    /// <exception cref="MetadataException">
    /// The metadata is damaged, missing in part, or written by a newer version. Nothing is deleted, created or assumed.
    /// </exception>
    /// <exception cref="ProtocolException">A new cluster cannot be written, as on a full disk.</exception>
    /// <exception cref="LogIoException">The device refused.</exception>
    public static MetadataLog Open(
        ILogFiles files, MetadataController controller, TimeProvider time, ILogger logger, MetadataLogOptions? options = null)
    {
        files.CreateDirectory(DirectoryName);
        files.SyncDirectory(string.Empty);
        var log = new MetadataLog(files, controller, time, logger, options ?? new MetadataLogOptions());
        try
        {
            log.Recover();
            return log;
        }
        catch
        {
            log._log.Dispose();
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
            var record = _controller.CreateTopic(Image, request, NewId(), NewSeed(), NowMs);
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
                var first = Image.NextProducerId;
                Append([MetadataController.ReserveProducerIds(Image, ProducerIdBlock)]);
                _nextProducerId = first;
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

    private void Recover()
    {
        if (_log.State != LogState.Online)
        {
            throw new MetadataException($"the metadata log is damaged: {_log.StateReason}");
        }

        var snapshot = MetadataSnapshot.Load(
            _files, DirectoryName, name => MetadataEvents.SnapshotDamaged(_logger, name));
        _snapshotOffset = snapshot.Image.NextOffset;
        if (_snapshotOffset < _log.LogStartOffset)
        {
            throw new MetadataException(
                $"the metadata log starts at {_log.LogStartOffset} and no whole snapshot reaches up to it");
        }

        if (snapshot.NewestOffset > _log.LogEndOffset)
        {
            throw new MetadataException(
                $"the metadata log ends at {_log.LogEndOffset}, before its snapshot at {snapshot.NewestOffset}");
        }

        _image = MetadataReplay.Run(_log, snapshot.Image);
        if (_image.NextOffset == 0)
        {
            CreateCluster();
        }

        SnapshotIfDue();
    }

    private void CreateCluster()
    {
        var orphan = _files.ListDirectories(_options.PartitionsDirectory)
            .FirstOrDefault(static name => LogIdentity.TryParse(name, out _));
        if (orphan is not null)
        {
            throw new MetadataException(
                $"'{_options.PartitionsDirectory}/{orphan}' holds records, but there is no metadata: restore '{DirectoryName}'");
        }

        Span<byte> id = stackalloc byte[8];
        _options.Random(id);
        Append([new ClusterCreated { ClusterId = Convert.ToHexStringLower(id), CreatedAtMs = NowMs }]);
        MetadataEvents.ClusterCreated(_logger, Image.ClusterId);
    }

    private Guid NewId()
    {
        Span<byte> id = stackalloc byte[16];
        _options.Random(id);

        // The bits of RFC 9562 that say "random".
        id[6] = (byte)((id[6] & 0x0F) | 0x40);
        id[8] = (byte)((id[8] & 0x3F) | 0x80);
        return new Guid(id, bigEndian: true);
    }

    private long NewSeed()
    {
        Span<byte> seed = stackalloc byte[sizeof(long)];
        _options.Random(seed);
        return BinaryPrimitives.ReadInt64LittleEndian(seed);
    }

    /// <summary>Appends records as one batch, all or none, and returns once they are durable and applied.</summary>
    private void Append(IReadOnlyList<IMetadataRecord> records)
    {
        var next = Image;
        using var builder = new RecordBatchBuilder(MaxBatchBytes);
        foreach (var record in records)
        {
            next = next.Apply(record);
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

        _unsettled = next;
        Settle();
        SnapshotIfDue();
    }

    /// <summary>
    /// Makes durable and visible what was appended, also by an earlier request that failed for lack of space: decisions are
    /// made on what the log says, never beside it. At most one change is unsettled, as none is made before it is.
    /// </summary>
    private void Settle()
    {
        if (_unsettled is { } next)
        {
            if (_log.WritePending())
            {
                _log.Sync();
                _log.MarkDurable();
            }

            if (_log.DurableOffset == next.NextOffset)
            {
                Volatile.Write(ref _image, next);
                _unsettled = null;
            }

            _memory.Trim(NowMs);
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
        var image = Image;
        if (image.NextOffset - _snapshotOffset < _options.RecordsPerSnapshot)
        {
            return;
        }

        try
        {
            var previous = _snapshotOffset;
            MetadataSnapshot.Save(_files, DirectoryName, image, previous);
            _snapshotOffset = image.NextOffset;

            // The snapshot before it can still stand in for it, so the log keeps what follows that one.
            _log.DeleteRecords(previous);
        }
        catch (LogIoException e)
        {
            MetadataEvents.SnapshotFailed(_logger, e.Message);
        }
    }
}
