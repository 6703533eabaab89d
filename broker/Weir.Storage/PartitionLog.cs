using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Compaction;
using Weir.Storage.Files;
using Weir.Storage.Keys;
using Weir.Storage.Producers;
using Weir.Storage.Recovery;
using Weir.Storage.Segments;
using Weir.Storage.Tail;

namespace Weir.Storage;

/// <summary>
/// One partition's log. Appends go to memory under a short lock; a flush, called from one loop, writes what waits, syncs it
/// and moves the durable position. Readers take settled batches from memory at the end and from files before it.
/// </summary>
/// <remarks>
/// Members may be called from any thread, but <see cref="WritePending"/>, <see cref="Sync"/> and <see cref="MarkDurable"/>
/// from one flush loop only, in this order. It has no thread, task or clock of its own: times are passed in, so the
/// simulated disk can stop it at every step.
/// </remarks>
public sealed class PartitionLog : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Lock _flushGate = new();

    /// <summary>Held while closed segments are deleted or replaced; taken after the flush's and before the log's.</summary>
    private readonly Lock _filesGate = new();
    private readonly string _directory;
    private readonly ILogger _logger;
    private readonly TailMemory _memory;
    private readonly TailBuffer _tail = new();
    private readonly ILogFiles _files;
    private SegmentSet _segments;
    private SegmentWriter _writer;
    private LogReader _reader;
    private LogRetention _retention;
    private LogCompactor _compactor;
    private LogKeys _keys;
    private CheckpointFile _checkpoint;
    private ProducerStateTable _producers;
    private EpochHistory _epochs;
    private LogSnapshots _snapshots;
    private AppendFrontier _frontier;
    private LogStatus _status;
    private readonly List<(TailChunk Chunk, int Length)> _pending = [];
    private long _logStartOffset;
    private long _logEndOffset;
    private long _writtenOffset;
    private long _durableOffset;
    private long _unflushedBytes;
    private int _isQueuedForFlush;
    private volatile bool _isLowOnSpace;
    private volatile bool _rollWanted;

    internal PartitionLog(
        ILogFiles files, string directory, LogIdentity identity, LogOptions options, TailMemory memory, ILogger logger,
        RecoveredLog recovered)
    {
        _directory = directory;
        _logger = logger;
        _memory = memory;
        Identity = identity;
        Options = options;
        _files = files;
        Adopt(recovered);
    }

    /// <summary>Which partition it is.</summary>
    public LogIdentity Identity { get; }

    /// <summary>Its settings; swapped as a whole when the topic's configuration changes.</summary>
    public LogOptions Options { get; set; }

    /// <summary>Told of progress; set once before the first append.</summary>
    public ILogListener? Listener { get; set; }

    /// <summary>Whether it takes and serves records.</summary>
    public LogState State => _status.State;

    /// <summary>Why it is not online, for people; empty if it is.</summary>
    public string StateReason => _status.Reason;

    /// <summary>Where its damage starts, as far as recovery has found any; null if it has not.</summary>
    public long? DamagedFrom => State == LogState.Corrupt ? LogEndOffset : null;

    /// <summary>Leader epoch of the last batch; -1 if there is none.</summary>
    public int LastLeaderEpoch => _epochs.Last;

    /// <summary>First offset that is kept.</summary>
    public long LogStartOffset => Volatile.Read(ref _logStartOffset);

    /// <summary>Next offset to be given out.</summary>
    public long LogEndOffset => Volatile.Read(ref _logEndOffset);

    /// <summary>Everything below was handed to the operating system: it survives the end of this process.</summary>
    public long WrittenOffset => Volatile.Read(ref _writtenOffset);

    /// <summary>Everything below was synced: it survives the loss of power.</summary>
    public long DurableOffset => Volatile.Read(ref _durableOffset);

    /// <summary>Whether a flush has something to do.</summary>
    public bool HasPending => _rollWanted || WrittenOffset < LogEndOffset;

    /// <summary>Whether something was written that is not synced.</summary>
    public bool HasUnsynced => DurableOffset < WrittenOffset;

    /// <summary>Bytes that were appended and are not written to the file yet.</summary>
    public long UnflushedBytes => Volatile.Read(ref _unflushedBytes);

    /// <summary>Bytes of batches on disk.</summary>
    public long SizeBytes
    {
        get
        {
            long bytes = 0;
            foreach (var segment in _segments.All)
            {
                bytes += segment.End.DataBytes;
            }

            return bytes;
        }
    }

    /// <summary>Number of segment files.</summary>
    public int SegmentCount => _segments.All.Length;

    /// <summary>Opens a log, creating its directory if it is new, and recovers what a crash left.</summary>
    /// <param name="files">The data directory.</param>
    /// <param name="parentDirectory">Directory of all logs; exists.</param>
    /// <param name="identity">Which partition.</param>
    /// <param name="options">Settings.</param>
    /// <param name="memory">Shared bound of memory.</param>
    /// <param name="logger">Where recovery reports what it cut or found damaged.</param>
    /// <exception cref="LogIoException">The device refused.</exception>
    public static PartitionLog Open(
        ILogFiles files, string parentDirectory, LogIdentity identity, LogOptions options, TailMemory memory, ILogger logger)
    {
        var directory = $"{parentDirectory}/{identity.DirectoryName}";
        var recovered = new LogRecovery(files, directory, identity, options, logger).Run();
        return new PartitionLog(files, directory, identity, options, memory, logger, recovered);
    }

    /// <summary>Appends a batch in memory; settled once a position reaches <see cref="AppendOutcome.NextOffset"/>.</summary>
    /// <param name="batch">A verified batch, copied.</param>
    /// <param name="header">Its header.</param>
    /// <param name="leaderEpoch">Epoch to stamp.</param>
    /// <param name="highWatermark">High watermark to stamp.</param>
    /// <param name="nowMs">Append time to stamp, Unix milliseconds.</param>
    public AppendOutcome Append(
        ReadOnlySpan<byte> batch, in RecordBatchHeader header, int leaderEpoch, long highWatermark, long nowMs)
    {
        if (header.TopicId != Identity.TopicId || header.Partition != Identity.Partition)
        {
            return new AppendOutcome(ErrorCode.CorruptBatch);
        }

        lock (_gate)
        {
            var refusal = Refuse(header);
            if (refusal != ErrorCode.None)
            {
                return new AppendOutcome(refusal);
            }

            var check = _producers.Check(header);
            if (check.Code != ErrorCode.None)
            {
                return new AppendOutcome(check.Code);
            }

            if (check.Original is { } original)
            {
                return new AppendOutcome(
                    ErrorCode.None, original.BaseOffset, original.NextOffset, original.AppendTimeMs, IsDuplicate: true);
            }

            if (!HasRoomFor(batch.Length))
            {
                return new AppendOutcome(ErrorCode.Throttled);
            }

            return AppendNew(batch, header, leaderEpoch, highWatermark, nowMs);
        }
    }

    /// <summary>Appends a batch as its leader stamped it: the follower's side of replication.</summary>
    /// <param name="batch">A whole batch whose checksum was verified; copied.</param>
    /// <param name="header">Its header.</param>
    /// <returns>
    /// OffsetOutOfRange if it does not start at the log's end, FencedLeaderEpoch if it is of an older epoch than the last one,
    /// CorruptBatch if its stamp is damaged or it belongs elsewhere, Throttled if there is no memory for it now.
    /// </returns>
    public AppendOutcome AppendReplica(ReadOnlySpan<byte> batch, in RecordBatchHeader header)
    {
        if (header.TopicId != Identity.TopicId || header.Partition != Identity.Partition
            || !RecordBatchHeader.HasValidStamp(batch))
        {
            return new AppendOutcome(ErrorCode.CorruptBatch);
        }

        lock (_gate)
        {
            var refusal = State switch
            {
                LogState.Stopped => ErrorCode.LogStopped,
                LogState.Corrupt => ErrorCode.CorruptLog,
                LogState.StorageFull => ErrorCode.StorageFull,
                _ when _isLowOnSpace => ErrorCode.StorageFull,
                _ when header.BaseOffset != _logEndOffset => ErrorCode.OffsetOutOfRange,
                _ when header.LeaderEpoch < _epochs.Last => ErrorCode.FencedLeaderEpoch,
                _ when !HasRoomFor(batch.Length) => ErrorCode.Throttled,
                _ => ErrorCode.None,
            };
            return refusal == ErrorCode.None
                ? AppendStamped(batch, header, header.AppendTimeMs)
                : new AppendOutcome(refusal);
        }
    }

    /// <summary>The largest leader epoch at most the given one that the log has, and where it ends (KIP-101, KIP-279).</summary>
    public EpochEnd FindEpochEnd(int leaderEpoch)
    {
        lock (_gate)
        {
            return _epochs.FindEnd(leaderEpoch, _logStartOffset, _logEndOffset);
        }
    }

    /// <summary>
    /// Removes every batch that ends above an offset, durably: the log ends there, or before it if a batch spans it. Blocks
    /// for the disk. A crash leaves an end between the new one and the old one.
    /// </summary>
    /// <param name="offset">From <see cref="LogStartOffset"/> on; one at or above the log's end changes nothing.</param>
    /// <exception cref="LogIoException">The device refused; the log is stopped.</exception>
    public void TruncateTo(long offset)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(offset, LogStartOffset);
        Rewrite(truncation =>
        {
            if (offset < LogEndOffset)
            {
                truncation.CutTo(offset, _logStartOffset);
            }
        });
    }

    /// <summary>Empties the log, durably: it starts and ends at an offset then, also where it was damaged.</summary>
    /// <exception cref="LogIoException">The device refused; the log is stopped.</exception>
    public void ResetTo(long offset) => Rewrite(truncation => truncation.Restart(offset));

    /// <summary>Removes the damage that recovery found, and all that follows it, durably. Only where peers have it.</summary>
    /// <param name="offset"><see cref="DamagedFrom"/>.</param>
    /// <exception cref="LogIoException">The device refused; the log is stopped.</exception>
    public void DiscardFrom(long offset) => Rewrite(truncation => truncation.DiscardFrom(offset, _logStartOffset));

    /// <summary>
    /// Writes what waits to the files. On a full file system it stays waiting and the log refuses appends until a later call
    /// succeeds; any other failure stops the log.
    /// </summary>
    /// <returns>Whether something was written that wants a sync.</returns>
    public bool WritePending()
    {
        lock (_flushGate)
        {
            return _status.IsSound && WriteTaken();
        }
    }

    /// <summary>Syncs the active segment; a failure stops the log. Not needed where the whole file system was synced.</summary>
    public void Sync()
    {
        lock (_flushGate)
        {
            if (!_status.IsSound || _segments.All.IsEmpty)
            {
                return;
            }

            try
            {
                _segments.Active.File.Sync();
            }
            catch (LogIoException e)
            {
                Stop(e.Message);
            }
        }
    }

    /// <summary>After a successful sync: what was written is durable.</summary>
    public void MarkDurable()
    {
        lock (_flushGate)
        {
            if (!_status.IsSound)
            {
                return;
            }

            Volatile.Write(ref _durableOffset, _writtenOffset);
            _snapshots.SaveIfDue(_durableOffset, Options);
        }
    }

    /// <summary>Whether appends are refused until there is space again.</summary>
    public bool IsFull => _isLowOnSpace || State == LogState.StorageFull;

    /// <summary>
    /// Says whether the file system runs out of space, before a write has to fail: appends are refused as on a full one.
    /// </summary>
    public void SetLowOnSpace(bool isLow) => _isLowOnSpace = isLow;

    /// <summary>Stops the log for a failure that its caller met, as in a sync of the whole file system.</summary>
    public void Stop(string reason)
    {
        if (_status.TryStop(reason))
        {
            ReleaseUnflushed();
        }
    }

    /// <summary>Notes what is durable, so that recovery knows; not synced, as it was true before it is written.</summary>
    public void SaveCheckpoint()
    {
        lock (_gate)
        {
            if (_status.IsSound && _checkpoint.Current.RecoveryOffset != DurableOffset)
            {
                try
                {
                    _checkpoint.Write(_durableOffset, _logStartOffset, isClean: false, sync: false);
                }
                catch (LogIoException e)
                {
                    StorageLog.SnapshotFailed(_logger, Identity, e.Message);
                }
            }
        }
    }

    /// <summary>Where reading from an offset starts: at the batch that contains it.</summary>
    /// <param name="offset">From <see cref="LogStartOffset"/> to <see cref="LogEndOffset"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The offset is outside of the log.</exception>
    public LogCursor Locate(long offset)
    {
        lock (_gate)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(offset, _logStartOffset);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, _logEndOffset);
            if (offset == _logEndOffset)
            {
                return new LogCursor(offset, _frontier.SegmentBase, _frontier.Position);
            }

            if (_tail.TryLocate(offset, out var cursor))
            {
                return cursor;
            }
        }

        return _reader.Locate(offset) ?? throw new ArgumentOutOfRangeException(nameof(offset), offset, "not in the log");
    }

    /// <summary>
    /// Takes whole batches from a cursor on, all of their offsets below <paramref name="limitOffset"/>: at least one if there
    /// is one, then as many as fit. Moves the cursor behind them.
    /// </summary>
    /// <exception cref="LogCorruptException">A batch header on the way is damaged.</exception>
    public LogSlice Read(ref LogCursor cursor, long limitOffset, int maxBytes)
    {
        if (cursor.Offset >= limitOffset)
        {
            return default;
        }

        lock (_gate)
        {
            if (_tail.TryRead(ref cursor, limitOffset, maxBytes, out var tail))
            {
                return tail.Length == 0 ? default : new LogSlice(tail);
            }
        }

        return _reader.Read(ref cursor, limitOffset, maxBytes);
    }

    /// <summary>
    /// As <see cref="Read"/>, but out of the file also what is still in memory: for who wants to know what the disk holds.
    /// </summary>
    /// <param name="cursor">Moves behind what is read.</param>
    /// <param name="limitOffset">At most <see cref="DurableOffset"/>.</param>
    /// <param name="maxBytes">At least one batch is read even if it is longer.</param>
    /// <exception cref="LogCorruptException">A batch header on the way is damaged.</exception>
    public LogSlice ReadFile(ref LogCursor cursor, long limitOffset, int maxBytes) =>
        cursor.Offset >= limitOffset ? default : _reader.Read(ref cursor, limitOffset, maxBytes);

    /// <summary>Offset of the first record whose timestamp is at or after a time; the limit if there is none.</summary>
    public long FindOffset(long timestampMs, long limitOffset) =>
        _reader.FindByTimestamp(timestampMs, LogStartOffset, limitOffset);

    /// <summary>Moves the log start offset forward, durably, and deletes segments that hold nothing above it.</summary>
    /// <param name="offset">First offset to keep, at most <see cref="DurableOffset"/>; a lower one changes nothing.</param>
    public void DeleteRecords(long offset)
    {
        lock (_gate)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, DurableOffset);
            RequireSound();

            // Written even if the log starts there already: retention moves the start without making it durable.
            var start = Math.Max(_logStartOffset, offset);
            _checkpoint.Write(DurableOffset, start, isClean: false, sync: true);
            Volatile.Write(ref _logStartOffset, start);
        }

        DeleteSegments();
    }

    /// <summary>Deletes closed segments that the settings do not keep, and forgets silent producers.</summary>
    /// <returns>Bytes that were freed.</returns>
    public long ApplyRetention(long nowMs)
    {
        if (!_status.IsSound)
        {
            return 0;
        }

        lock (_gate)
        {
            _producers.Expire(nowMs - (long)Options.ProducerExpiry.TotalMilliseconds);
        }

        if (_retention.IsActiveExpired(Options, nowMs))
        {
            _rollWanted = true;
        }

        var keepFrom = _retention.FindStart(Options, nowMs, DurableOffset);
        lock (_gate)
        {
            if (keepFrom > _logStartOffset)
            {
                Volatile.Write(ref _logStartOffset, keepFrom);
            }
        }

        return DeleteSegments();
    }

    /// <summary>
    /// Starts to remove records that a later one of the same key has replaced; null if there is nothing worth it, or a run is
    /// under way. Only where <see cref="LogOptions.IsCompacted"/>.
    /// </summary>
    public CompactionRun? StartCompaction(in CompactionRequest request) =>
        Options.IsCompacted ? _compactor.Start(Options, request, LogStartOffset, DurableOffset) : null;

    /// <summary>
    /// The last record of a key below the high watermark, which may be a tombstone; null if there is none. A few reads of the
    /// disk; the first one after an opening or a roll may read a whole segment. Only where <see cref="LogOptions.IsCompacted"/>.
    /// </summary>
    /// <exception cref="LogCorruptException">A batch on the way is damaged.</exception>
    public LatestRecord? FindLatest(ReadOnlySpan<byte> key, long highWatermark) =>
        Options.IsCompacted ? Volatile.Read(ref _keys).FindLatest(key, highWatermark) : null;

    /// <summary>
    /// Builds an index of keys that <see cref="FindLatest"/> would have to; false if there is none left. Reads a segment.
    /// </summary>
    public bool BuildKeyIndex() => Options.IsCompacted && _status.IsSound && Volatile.Read(ref _keys).BuildNext();

    /// <summary>Closes in order: after a last flush by the caller, notes that nothing follows.</summary>
    public void Close()
    {
        lock (_flushGate)
        {
            if (State == LogState.Online && !HasUnsynced && !HasPending && !_segments.All.IsEmpty)
            {
                _snapshots.Save(_durableOffset, Options);
                NoteCleanEnd();
            }

            CloseFiles();
        }

        _keys.Dispose();
    }

    /// <summary>Closes the files without a word to the disk, as a crash would.</summary>
    public void Dispose()
    {
        lock (_flushGate)
        {
            CloseFiles();
        }

        _keys.Dispose();
    }

    /// <summary>Takes over what recovery found, at the opening and after the files were cut.</summary>
    [MemberNotNull(
        nameof(_segments), nameof(_writer), nameof(_reader), nameof(_retention), nameof(_checkpoint), nameof(_producers),
        nameof(_epochs), nameof(_snapshots), nameof(_frontier), nameof(_status), nameof(_compactor), nameof(_keys))]
    private void Adopt(RecoveredLog recovered)
    {
        _segments = recovered.Segments;
        _checkpoint = recovered.Checkpoint;
        _producers = recovered.Producers.Clone();
        _epochs = recovered.Epochs.Clone();
        _snapshots = new LogSnapshots(
            _files, _directory, Identity, _segments, recovered.Producers, recovered.Epochs, _logger);
        _snapshots.Start(recovered.LogEndOffset, recovered.ScannedBytes);
        _writer = new SegmentWriter(_files, _directory, _segments, Options, _snapshots.OnRoll);
        _reader = new LogReader(_segments, Identity);
        _retention = new LogRetention(_files, _directory, _segments, _filesGate);
        Volatile.Write(ref _logStartOffset, recovered.LogStartOffset);
        Volatile.Write(ref _logEndOffset, recovered.LogEndOffset);
        Volatile.Write(ref _writtenOffset, recovered.LogEndOffset);
        Volatile.Write(ref _durableOffset, recovered.LogEndOffset);
        _status = new LogStatus(Identity, recovered.Fault, _logger);
        _compactor = new LogCompactor(_files, _directory, Identity, _segments, _filesGate, _status, Stop);
        _keys = new LogKeys(_files, _directory, this, _segments, Options.KeyHashMask);
        _frontier = new AppendFrontier(_segments.All.LastOrDefault(), _logEndOffset);
        _rollWanted = false;
    }

    /// <summary>Changes the files while nothing else does, and opens them again: recovery alone knows how to read them.</summary>
    private void Rewrite(Action<LogTruncation> change)
    {
        var keys = _keys;
        try
        {
            RewriteLocked(change);
        }
        finally
        {
            // Not under the locks: a search that is under way takes the log's.
            keys.Dispose();
        }
    }

    private void RewriteLocked(Action<LogTruncation> change)
    {
        lock (_flushGate)
        {
            if (State == LogState.Stopped)
            {
                throw new LogIoException("truncate", _directory, isDiskFull: false, $"the log is stopped: {StateReason}");
            }

            if (State != LogState.Corrupt && WriteTaken() && _status.IsSound)
            {
                _segments.Active.File.Sync();
                Volatile.Write(ref _durableOffset, _writtenOffset);
            }

            lock (_filesGate)
            lock (_gate)
            {
                try
                {
                    change(new LogTruncation(_files, _directory, _segments, _checkpoint));
                    _tail.Clear();
                    ReleaseUnflushed();
                    ReleaseFiles();
                    _compactor.Retire();
                    Adopt(new LogRecovery(_files, _directory, Identity, Options, _logger).Run());
                }
                catch (LogIoException e)
                {
                    Stop(e.Message);
                    throw;
                }
            }
        }
    }

    private bool HasRoomFor(int bytes) =>
        _unflushedBytes + bytes <= Options.MaxUnflushedBytes && _memory.CanTake(bytes);

    private void NoteCleanEnd()
    {
        lock (_gate)
        {
            try
            {
                // Gives back what was allocated ahead, so that the next opening need not read zeros.
                if (!_segments.Active.IsSealed)
                {
                    _segments.Active.File.Truncate(_segments.Active.DataBytes);
                }

                _checkpoint.Write(_durableOffset, _logStartOffset, isClean: true, sync: true);
            }
            catch (LogIoException e)
            {
                StorageLog.SnapshotFailed(_logger, Identity, e.Message);
            }
        }
    }

    private void CloseFiles()
    {
        lock (_filesGate)
        {
            lock (_gate)
            {
                _tail.Clear();
                ReleaseUnflushed();
                _status.Close();
            }

            ReleaseFiles();
        }
    }

    private void ReleaseFiles()
    {
        foreach (var segment in _segments.All)
        {
            segment.Release();
        }

        _segments.RemoveFirst(_segments.All.Length);
        _checkpoint.Dispose();
    }

    /// <summary>Whether the caller is the first to want a flush since the loop took it up.</summary>
    internal bool TryQueueForFlush() => Interlocked.Exchange(ref _isQueuedForFlush, 1) == 0;

    /// <summary>The next flush or append begins another segment.</summary>
    internal void WantRoll() => _rollWanted = true;

    internal void TakenUpByFlush() => Volatile.Write(ref _isQueuedForFlush, 0);

    internal bool TryReleaseTail(TailChunk chunk)
    {
        lock (_gate)
        {
            return _tail.TryRemoveThrough(chunk, isLost: State == LogState.Stopped);
        }
    }

    /// <summary>What is stopped or damaged is left as it is, for the next recovery and for people to look at.</summary>
    private void RequireSound()
    {
        if (!_status.IsSound)
        {
            throw new LogIoException("delete", _directory, isDiskFull: false, $"the log is {State}: {StateReason}");
        }
    }

    private long DeleteSegments()
    {
        try
        {
            return _retention.DeleteBelow(LogStartOffset);
        }
        catch (LogIoException e)
        {
            Stop(e.Message);
            return 0;
        }
    }

    private ErrorCode Refuse(in RecordBatchHeader header) => State switch
    {
        LogState.Stopped => ErrorCode.LogStopped,
        LogState.Corrupt => ErrorCode.CorruptLog,
        LogState.StorageFull => ErrorCode.StorageFull,
        _ when _isLowOnSpace => ErrorCode.StorageFull,
        _ when header.Length > Options.MaxBatchBytes || header.UncompressedBytes > Options.MaxBatchBytes =>
            ErrorCode.BatchTooLarge,
        _ => ErrorCode.None,
    };

    private AppendOutcome AppendNew(
        ReadOnlySpan<byte> batch, in RecordBatchHeader header, int leaderEpoch, long highWatermark, long nowMs)
    {
        var stamped = header with { BaseOffset = _logEndOffset, AppendTimeMs = nowMs, LeaderEpoch = leaderEpoch };
        var target = Reserve(batch.Length, nowMs);
        RecordBatchHeader.Stamp(target.Append(batch), _logEndOffset, nowMs, highWatermark, leaderEpoch);
        return Publish(target, stamped, nowMs);
    }

    private AppendOutcome AppendStamped(ReadOnlySpan<byte> batch, in RecordBatchHeader header, long nowMs)
    {
        var target = Reserve(batch.Length, nowMs);
        target.Append(batch);
        return Publish(target, header, nowMs);
    }

    private TailChunk Reserve(int batchBytes, long nowMs)
    {
        if (_rollWanted || _frontier.IsRollDue(batchBytes, Options, nowMs))
        {
            _frontier.TryRoll(_logEndOffset);
            _rollWanted = false;
        }

        var chunk = _tail.Reserve(
            _frontier.SegmentBase, _frontier.Position, _logEndOffset, batchBytes, nowMs, out var isNew);
        if (isNew)
        {
            _memory.Add(this, chunk);
        }

        return chunk;
    }

    private AppendOutcome Publish(TailChunk chunk, in RecordBatchHeader stamped, long nowMs)
    {
        chunk.Publish(stamped.Length, stamped.NextOffset);
        _producers.Apply(stamped, Options.MaxProducers);
        _epochs.Note(stamped.LeaderEpoch, stamped.BaseOffset);
        _frontier.Advance(stamped.Length, nowMs);
        Interlocked.Add(ref _unflushedBytes, stamped.Length);
        _memory.AddUnflushed(stamped.Length);
        Volatile.Write(ref _logEndOffset, stamped.NextOffset);
        return new AppendOutcome(ErrorCode.None, stamped.BaseOffset, stamped.NextOffset, nowMs);
    }

    private bool WriteTaken()
    {
        TakePending();
        try
        {
            if (_rollWanted && _pending.Count == 0)
            {
                RollIdle();
            }

            foreach (var (chunk, length) in _pending)
            {
                var bytes = length - chunk.WrittenLength;
                _writer.Write(chunk, length, Options.SegmentBytes, OnBatchWritten);
                Interlocked.Add(ref _unflushedBytes, -bytes);
                _memory.AddUnflushed(-bytes);
                Volatile.Write(ref _writtenOffset, _segments.Active.NextOffset);
            }

            _status.SpaceReturned();
        }
        catch (LogIoException e) when (e.IsDiskFull)
        {
            _status.StorageFull(e.Message);
        }
        catch (LogIoException e)
        {
            Stop(e.Message);
        }
        finally
        {
            foreach (var (chunk, _) in _pending)
            {
                chunk.Release();
            }

            _pending.Clear();
        }

        return _status.IsSound && HasUnsynced;
    }

    private void TakePending()
    {
        lock (_gate)
        {
            foreach (var chunk in _tail.Chunks)
            {
                if (chunk.WrittenLength < chunk.Length)
                {
                    chunk.Acquire();
                    _pending.Add((chunk, chunk.Length));
                }
            }
        }
    }

    private void RollIdle()
    {
        lock (_gate)
        {
            if (_logEndOffset != _writtenOffset)
            {
                return;
            }

            _rollWanted = false;
            if (!_frontier.TryRoll(_logEndOffset))
            {
                return;
            }
        }

        _writer.Roll(_writtenOffset);
    }

    private void OnBatchWritten(RecordBatchHeader batch) => _snapshots.OnBatchWritten(batch, Options.MaxProducers);

    private void ReleaseUnflushed() => _memory.AddUnflushed(-Interlocked.Exchange(ref _unflushedBytes, 0));
}
