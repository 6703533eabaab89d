using Microsoft.Extensions.Logging;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;

namespace Weir.Metadata.Quorum;

/// <summary>
/// What a member of the metadata quorum keeps on disk: the log, its snapshots, epoch and vote. It also follows what the log
/// says: the image after each batch, committed or not, and the voters. Used by one thread; appends stay in memory until
/// <see cref="Flush"/>.
/// </summary>
public sealed class QuorumStore : IDisposable
{
    internal const string DirectoryName = "metadata";
    internal static readonly LogIdentity Identity = new(new Guid("00000000-0000-0000-0000-000000000001"), 0);
    private const string InstallationPath = DirectoryName + "/installing";
    private const int MaxBatchBytes = 8 * 1024 * 1024;
    private const int TailBytes = 256 * 1024;
    private readonly ILogFiles _files;
    private readonly ILogger _logger;
    private readonly MetadataLogOptions _options;
    private readonly TailMemory _memory = new(TailBytes);
    private readonly PartitionLog _log;
    private readonly QuorumStateFile _state;
    private readonly List<Tail> _tail = [];
    private readonly List<(long Offset, VoterSet Voters)> _voters = [];
    private MetadataImage _committed = MetadataImage.Empty;
    private long _previousSnapshot;
    private long _snapshotOffset;
    private int _snapshotEpoch = -1;

    private QuorumStore(ILogFiles files, ILogger logger, MetadataLogOptions options)
    {
        _files = files;
        _logger = logger;
        _options = options;
        _state = QuorumStateFile.Open(files, DirectoryName);
        try
        {
            var logOptions = new LogOptions { SegmentBytes = options.SegmentBytes, MaxBatchBytes = MaxBatchBytes };
            _log = PartitionLog.Open(files, DirectoryName, Identity, logOptions, _memory, logger);
        }
        catch
        {
            _state.Dispose();
            throw;
        }
    }

    /// <summary>What is committed. Any thread may read it.</summary>
    public MetadataImage Committed => Volatile.Read(ref _committed);

    /// <summary>What the whole log says, committed or not: what a leader decides on.</summary>
    public MetadataImage Latest => _tail.Count > 0 ? _tail[^1].Image : _committed;

    /// <summary>The voters by the whole log, committed or not; empty before the first ones.</summary>
    public VoterSet Voters => _voters.Count > 0 ? _voters[^1].Voters : VoterSet.Empty;

    /// <summary>Offset behind the record that named <see cref="Voters"/>.</summary>
    public long VotersOffset => _voters.Count > 0 ? _voters[^1].Offset : 0;

    /// <summary>Epoch and vote.</summary>
    public QuorumState State => _state.Current;

    /// <summary>First offset of the log.</summary>
    public long StartOffset => _log.LogStartOffset;

    /// <summary>End of the log.</summary>
    public long EndOffset => _log.LogEndOffset;

    /// <summary>Everything below is on stable storage.</summary>
    public long DurableOffset => _log.DurableOffset;

    /// <summary>Epoch of the last record, also where a snapshot stands for it; -1 for none.</summary>
    public int LastEpoch => _log.LastLeaderEpoch >= 0 ? _log.LastLeaderEpoch : _snapshotEpoch;

    /// <summary>Whether something was appended that is not on stable storage.</summary>
    public bool NeedsFlush => _log.HasPending || _log.HasUnsynced;

    /// <summary>Whether this member has never known of a cluster.</summary>
    public bool IsEmpty => EndOffset == 0;

    /// <summary>
    /// Whether there are partitions' logs although it knows of no cluster: its metadata was lost, and it must not make a new
    /// cluster over them.
    /// </summary>
    public bool HasOrphanLogs => IsEmpty && _files.ListDirectories(_options.PartitionsDirectory)
        .Any(static name => LogIdentity.TryParse(name, out _));

    /// <summary>Where the newest snapshot ends; 0 if there is none.</summary>
    public long SnapshotOffset => _snapshotOffset;

    /// <summary>Epoch of the last record in it.</summary>
    public int SnapshotEpoch => _snapshotEpoch;

    /// <summary>Opens the store: the newest whole snapshot, then every record after it.</summary>
    /// <exception cref="MetadataException">
    /// The metadata is damaged, missing in part, or written by a newer version. Nothing is deleted or assumed:
    /// <see cref="Discard"/> is for a member whose peers have it.
    /// </exception>
    /// <exception cref="LogIoException">The device refused.</exception>
    public static QuorumStore Open(ILogFiles files, ILogger logger, MetadataLogOptions? options = null)
    {
        files.CreateDirectory(DirectoryName);
        files.SyncDirectory(string.Empty);
        var store = new QuorumStore(files, logger, options ?? new MetadataLogOptions());
        try
        {
            store.Recover();
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Deletes all metadata of a closed store. Only for a member of a quorum whose other voters have it, together with a new
    /// directory identity: its votes and acknowledgements are forgotten with it.
    /// </summary>
    public static void Discard(ILogFiles files)
    {
        DeleteAll(files, $"{DirectoryName}/{Identity.DirectoryName}");
        DeleteAll(files, DirectoryName);
        files.SyncDirectory(DirectoryName);
    }

    /// <summary>Writes epoch and vote; on stable storage on return.</summary>
    public void SaveState(QuorumState state, bool sync = true) => _state.Write(state, sync);

    /// <summary>A leader appends one change, all of it or nothing.</summary>
    /// <exception cref="ProtocolException">The log does not take it now; nothing has changed.</exception>
    /// <exception cref="MetadataException">The records contradict the image: a bug of who decided them.</exception>
    public void Append(int epoch, IReadOnlyList<IMetadataRecord> records, long highWatermark, long nowMs)
    {
        var next = Latest;
        using var builder = new RecordBatchBuilder(MaxBatchBytes);
        foreach (var record in records)
        {
            next = next.Apply(record);
            if (!builder.TryAdd(nowMs, default, hasKey: false, MetadataRecordCodec.Encode(record), hasValue: true, []))
            {
                throw new ProtocolException(ErrorCode.InvalidRequest, "the change is larger than a metadata batch may be");
            }
        }

        var batch = builder.Seal(Identity.TopicId, Identity.Partition, BatchProducer.None);
        var outcome = _log.Append(
            batch.Span, RecordBatchHeader.Verify(batch.Span), epoch, highWatermark, nowMs);
        if (outcome.Code != ErrorCode.None)
        {
            throw new ProtocolException(outcome.Code, $"the metadata log cannot be written: {_log.StateReason}");
        }

        Follow(epoch, next, records);
    }

    /// <summary>A follower appends batches as their leader stamped them.</summary>
    /// <returns>Whether all were taken; a log that is full or stopped takes none for now.</returns>
    /// <exception cref="MetadataException">They are damaged or do not follow the log.</exception>
    public bool AppendReplica(ReadOnlyMemory<byte> batches)
    {
        while (!batches.IsEmpty)
        {
            var batch = MetadataReplay.TakeBatch(ref batches, EndOffset);
            var header = MetadataReplay.Verify(batch, EndOffset);
            var records = MetadataReplay.Decode(batch, header);
            var next = Latest;
            foreach (var record in records)
            {
                next = next.Apply(record);
            }

            var outcome = _log.AppendReplica(batch.Span, header);
            if (outcome.Code != ErrorCode.None)
            {
                return false;
            }

            Follow(header.LeaderEpoch, next, records);
        }

        return true;
    }

    /// <summary>Writes and syncs what was appended. Blocks for the disk.</summary>
    /// <returns>Whether all of it is on stable storage; false while the file system is full.</returns>
    /// <exception cref="LogIoException">The log is stopped by a failure: this member must not go on.</exception>
    public bool Flush(long nowMs)
    {
        if (_log.WritePending())
        {
            _log.Sync();
            _log.MarkDurable();
        }

        _memory.Trim(nowMs);
        return _log.State is LogState.Online or LogState.StorageFull
            ? !NeedsFlush
            : throw new LogIoException("sync", DirectoryName, isDiskFull: false, _log.StateReason);
    }

    /// <summary>The largest epoch at most the given one that the log has, and where it ends.</summary>
    public EpochEnd FindEpochEnd(int epoch)
    {
        var found = _log.FindEpochEnd(epoch);
        return found.LeaderEpoch >= 0 || _snapshotEpoch < 0 || epoch < _snapshotEpoch
            ? found
            : new EpochEnd(_snapshotEpoch, Math.Max(_snapshotOffset, _log.LogStartOffset));
    }

    /// <summary>Cuts what another leader did not have. Never below what is committed.</summary>
    public void TruncateTo(long offset)
    {
        if (offset < _committed.NextOffset)
        {
            throw new MetadataException($"metadata below {_committed.NextOffset} is committed and shall be cut at {offset}");
        }

        _log.TruncateTo(offset);
        _tail.RemoveAll(entry => entry.NextOffset > EndOffset);
        _voters.RemoveAll(entry => entry.Offset > EndOffset);
    }

    /// <summary>Notes that everything below an offset is committed, and saves a snapshot if one is due.</summary>
    /// <returns>Whether the committed image changed.</returns>
    public bool Commit(long highWatermark)
    {
        var index = _tail.FindLastIndex(entry => entry.NextOffset <= highWatermark);
        if (index < 0)
        {
            return false;
        }

        var (_, epoch, image) = _tail[index];
        _tail.RemoveRange(0, index + 1);
        Volatile.Write(ref _committed, image);
        SnapshotIfDue(image, epoch);
        return true;
    }

    /// <summary>Reads whole batches, as they are in the log.</summary>
    public byte[] Read(long offset, int maxBytes)
    {
        using var stream = new MemoryStream();
        var cursor = _log.Locate(offset);
        while (stream.Length < maxBytes)
        {
            using var slice = _log.Read(ref cursor, EndOffset, maxBytes - (int)stream.Length);
            if (slice.Length == 0 || (stream.Length > 0 && stream.Length + slice.Length > maxBytes))
            {
                break;
            }

            stream.Write(MetadataReplay.Copy(slice).Span);
        }

        return stream.ToArray();
    }

    /// <summary>The bytes of the newest snapshot; null if it is damaged or not the one that is asked for.</summary>
    public byte[]? ReadSnapshot(long offset) =>
        offset == _snapshotOffset ? MetadataSnapshot.Read(_files, DirectoryName, offset) : null;

    /// <summary>Takes over a snapshot of the leader in place of the log. On stable storage on return.</summary>
    /// <exception cref="MetadataException">The bytes are no whole snapshot, or one below what is committed here.</exception>
    public void InstallSnapshot(byte[] content, long offset)
    {
        var (image, epoch) = MetadataSnapshot.Parse(content, offset)
            ?? throw new MetadataException($"the snapshot at {offset} that was fetched is damaged");
        if (offset < _committed.NextOffset)
        {
            throw new MetadataException($"a snapshot at {offset} is behind what is committed, {_committed.NextOffset}");
        }

        // The mark tells a crash in between from a log that was lost: only then may the snapshot stand for all of it.
        MarkInstallation(isOn: true);
        MetadataSnapshot.Write(_files, DirectoryName, content, offset, previousOffset: _snapshotOffset);
        _log.ResetTo(offset);
        MarkInstallation(isOn: false);
        Restart(image, epoch);
        Volatile.Write(ref _committed, image);
    }

    /// <summary>Closes the log in order.</summary>
    public void Close()
    {
        _log.Close();
        _state.Dispose();
    }

    /// <summary>Closes the files without a word to the disk, as a crash would.</summary>
    public void Dispose()
    {
        _log.Dispose();
        _state.Dispose();
    }

    private static void DeleteAll(ILogFiles files, string directory)
    {
        foreach (var file in files.ListFiles(directory))
        {
            files.Delete($"{directory}/{file}");
        }
    }

    private void Recover()
    {
        if (_log.State != LogState.Online)
        {
            throw new MetadataException($"the metadata log is damaged: {_log.StateReason}");
        }

        var snapshot = MetadataSnapshot.Load(
            _files, DirectoryName, name => MetadataEvents.SnapshotDamaged(_logger, name));
        if (_state.IsDamaged || (_log.LogEndOffset > 0 && _state.Current == QuorumState.Initial))
        {
            throw new MetadataException("the epoch and vote of this member are lost");
        }

        if (snapshot.Image.NextOffset < _log.LogStartOffset)
        {
            throw new MetadataException(
                $"the metadata log starts at {_log.LogStartOffset} and no whole snapshot reaches up to it");
        }

        if (snapshot.NewestOffset > _log.LogEndOffset)
        {
            if (snapshot.Image.NextOffset < snapshot.NewestOffset || !_files.FileExists(InstallationPath))
            {
                throw new MetadataException(
                    $"the metadata log ends at {_log.LogEndOffset}, before its snapshot at {snapshot.NewestOffset}");
            }

            _log.ResetTo(snapshot.NewestOffset);
        }

        MarkInstallation(isOn: false);
        Restart(snapshot.Image, snapshot.Epoch);
        Volatile.Write(ref _committed, snapshot.Image);
        foreach (var (header, records) in MetadataReplay.ReadAll(_log, snapshot.Image.NextOffset))
        {
            var next = Latest;
            foreach (var record in records)
            {
                next = next.Apply(record);
            }

            Follow(header.LeaderEpoch, next, records);
        }
    }

    private void MarkInstallation(bool isOn)
    {
        if (_files.FileExists(InstallationPath) == isOn)
        {
            return;
        }

        if (isOn)
        {
            _files.Open(InstallationPath, OpenKind.Create).Dispose();
        }
        else
        {
            _files.Delete(InstallationPath);
        }

        _files.SyncDirectory(DirectoryName);
    }

    private void Restart(MetadataImage image, int epoch)
    {
        _previousSnapshot = _snapshotOffset = image.NextOffset;
        _snapshotEpoch = epoch;
        _tail.Clear();
        _voters.Clear();
        if (image.Voters.Count > 0)
        {
            _voters.Add((image.NextOffset, image.Voters));
        }
    }

    private void Follow(int epoch, MetadataImage image, IReadOnlyList<IMetadataRecord> records)
    {
        _tail.Add(new Tail(image.NextOffset, epoch, image));
        if (records.Any(static record => record is VotersChanged))
        {
            _voters.Add((image.NextOffset, image.Voters));
        }
    }

    private void SnapshotIfDue(MetadataImage image, int epoch)
    {
        // Others may have it on stable storage before this member has: a snapshot beyond its own log would look like a log
        // that was lost.
        if (image.NextOffset - _snapshotOffset < _options.RecordsPerSnapshot || image.NextOffset > _log.DurableOffset)
        {
            return;
        }

        try
        {
            MetadataSnapshot.Save(_files, DirectoryName, image, epoch, _snapshotOffset);
            (_previousSnapshot, _snapshotOffset, _snapshotEpoch) = (_snapshotOffset, image.NextOffset, epoch);

            // The snapshot before it can still stand in for it, so the log keeps what follows that one.
            _log.DeleteRecords(Math.Min(_previousSnapshot, _log.DurableOffset));
        }
        catch (LogIoException e)
        {
            MetadataEvents.SnapshotFailed(_logger, e.Message);
        }
    }

    private readonly record struct Tail(long NextOffset, int Epoch, MetadataImage Image);
}
