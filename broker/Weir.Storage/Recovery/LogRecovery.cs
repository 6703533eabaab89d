using System.Buffers;
using Microsoft.Extensions.Logging;
using Weir.Storage.Files;
using Weir.Storage.Indexes;
using Weir.Storage.Producers;
using Weir.Storage.Segments;

namespace Weir.Storage.Recovery;

/// <summary>A log as recovery found it.</summary>
/// <param name="Segments">Its segments, the last one written to next.</param>
/// <param name="Checkpoint">Its checkpoint file, open.</param>
/// <param name="Producers">Producer state at the end.</param>
/// <param name="Epochs">Leader epochs up to the end.</param>
/// <param name="LogStartOffset">First offset that is kept.</param>
/// <param name="LogEndOffset">First offset after the last whole batch, or of the damage.</param>
/// <param name="ScannedBytes">Batches that had to be read, because no snapshot covered them.</param>
/// <param name="Fault">Which committed data is damaged; null if none is.</param>
internal sealed record RecoveredLog(
    SegmentSet Segments, CheckpointFile Checkpoint, ProducerStateTable Producers, EpochHistory Epochs,
    long LogStartOffset, long LogEndOffset, long ScannedBytes, string? Fault);

/// <summary>
/// Opens a log's directory and trusts nothing in it. Closed segments stand by their footers. Behind the last index, the
/// active one is read batch by batch: at the first bytes that are no whole batch it is cut, unless something proves that a
/// batch was committed there. Then it is damage: nothing is cut, and the log opens without taking appends.
/// </summary>
/// <remarks>
/// Proof is a recovery point above it, a later whole batch with a high watermark above it (PAR, FAST'18: a torn tail and
/// rot cannot always be told apart locally, so what can be proven is stamped into the log), or a following segment.
/// </remarks>
internal sealed class LogRecovery(
    ILogFiles files, string directory, LogIdentity identity, LogOptions options, ILogger logger)
{
    private readonly SegmentSet _segments = new();
    private readonly ProducerStateTable _producers = new();
    private readonly EpochHistory _epochs = new();
    private Checkpoint _checkpoint;
    private long _producersFrom;
    private long _scannedBytes;
    private int _durableBytes;
    private string? _fault;

    public RecoveredLog Run()
    {
        files.CreateDirectory(directory);
        RemoveLeftovers();
        var checkpointFile = CheckpointFile.Open(files, directory);
        files.SyncDirectory(directory);
        files.SyncDirectory(ParentOf(directory));
        _checkpoint = checkpointFile.Current;
        try
        {
            LoadSegments();
            var end = _segments.All.IsEmpty ? 0 : _segments.Active.NextOffset;
            if (_fault is null && end < _checkpoint.RecoveryOffset)
            {
                _fault = $"offsets {end} to {_checkpoint.RecoveryOffset - 1} were durable and are missing";
            }

            RebuildProducers(end);
            var start = Math.Max(_checkpoint.LogStartOffset, _segments.All.IsEmpty ? end : _segments.All[0].BaseOffset);
            Report(Math.Min(start, end), end);
            return new RecoveredLog(
                _segments, checkpointFile, _producers, _epochs, Math.Min(start, end), end, _scannedBytes, _fault);
        }
        catch (LogIoException)
        {
            checkpointFile.Dispose();
            foreach (var segment in _segments.All)
            {
                segment.Release();
            }

            throw;
        }
    }

    private static string ParentOf(string path) => path[..Math.Max(0, path.LastIndexOf('/'))];

    private void Report(long start, long end)
    {
        if (_fault is not null)
        {
            StorageLog.LogCorrupt(logger, identity, _fault);
        }
        else if (_scannedBytes > 0)
        {
            StorageLog.Recovered(logger, identity, start, end, _scannedBytes);
        }
    }

    private void RemoveLeftovers()
    {
        foreach (var name in files.ListFiles(directory))
        {
            if (name.EndsWith(".tmp", StringComparison.Ordinal)
                || name.EndsWith(Segment.CompactingSuffix, StringComparison.Ordinal))
            {
                files.Delete($"{directory}/{name}");
            }
        }
    }

    private void LoadSegments()
    {
        var bases = new List<long>();
        foreach (var name in files.ListFiles(directory))
        {
            if (name.EndsWith(".log", StringComparison.Ordinal) && long.TryParse(name.AsSpan(0, name.Length - 4), out var value))
            {
                bases.Add(value);
            }
        }

        for (var i = 0; i < bases.Count && _fault is null; i++)
        {
            var expected = _segments.All.IsEmpty ? bases[i] : _segments.Active.NextOffset;
            if (bases[i] < expected && _segments.Active.Generation > 0)
            {
                // Compaction has put the segment before it in its place, and was to delete it.
                Segment.DeleteCaches(files, directory, bases[i]);
                files.Delete($"{directory}/{Segment.FileName(bases[i])}");
                files.SyncDirectory(directory);
                continue;
            }

            if (bases[i] != expected)
            {
                _fault = $"offsets {expected} to {bases[i] - 1} are missing: no segment holds them";
                return;
            }

            LoadSegment(bases[i], nextBase: i + 1 < bases.Count ? bases[i + 1] : null);
        }
    }

    private void LoadSegment(long baseOffset, long? nextBase)
    {
        var path = $"{directory}/{Segment.FileName(baseOffset)}";
        var file = files.Open(path, OpenKind.Write);
        if (file.Length == 0)
        {
            file.Dispose();
            CreateAgain(path);
            file = files.Open(path, OpenKind.Write);
        }

        var segment = new Segment(file, baseOffset);
        _segments.Add(segment);
        Span<byte> footerBytes = stackalloc byte[SegmentFooter.Size];
        var read = file.Length < SegmentFooter.Size ? 0 : file.Read(footerBytes, file.Length - SegmentFooter.Size);
        if (SegmentFooter.TryRead(footerBytes[..read], baseOffset, file.Length, out var footer))
        {
            LoadSealed(segment, footer);
        }
        else
        {
            ScanUnsealed(segment, nextBase);
        }
    }

    /// <summary>
    /// A segment without a byte may be one whose roll stopped at a failed sync of the directory. Its name is seen and not
    /// on the disk, and another sync would not put it there: only a new name is written again.
    /// </summary>
    private void CreateAgain(string path)
    {
        var temporary = path + ".tmp";
        using (var file = files.Open(temporary, OpenKind.Create))
        {
            file.Sync();
        }

        files.Rename(temporary, path);
        files.SyncDirectory(directory);
    }

    private void LoadSealed(Segment segment, in SegmentFooter footer)
    {
        if (IndexFile.TryLoad(files, directory, segment.BaseOffset, out var summary, out var index)
            && summary.NextOffset == footer.NextOffset
            && summary.DataBytes == footer.DataBytes
            && summary.Generation == footer.Generation)
        {
            segment.Restore(summary, index);
        }
        else
        {
            StorageLog.IndexRebuilt(logger, identity, Segment.IndexName(segment.BaseOffset));
            using var scanner = new BatchScanner(segment.File, identity, footer.DataBytes);
            if (Scan(segment, scanner) != ScanResult.Empty || segment.NextOffset != footer.NextOffset)
            {
                _fault = $"offset {segment.NextOffset}, byte {segment.DataBytes} of '{segment.File.Path}': {scanner.Fault}";
                return;
            }

            segment.Seal(footer.Generation);
            SaveIndex(segment);
        }

        segment.Seal(footer.Generation);
    }

    private void SaveIndex(Segment segment)
    {
        try
        {
            IndexFile.Save(files, directory, segment);
        }
        catch (LogIoException e) when (e.IsDiskFull)
        {
            // A log on a full disk must open, to be read and to be shortened: the index is built again next time.
            StorageLog.SnapshotFailed(logger, identity, e.Message);
        }
    }

    private void ScanUnsealed(Segment segment, long? nextBase)
    {
        if (IndexFile.TryLoad(files, directory, segment.BaseOffset, out var summary, out var index)
            && IsPlausible(segment, summary))
        {
            segment.Restore(summary, index);
        }

        // An index is written after what it covers was synced.
        _durableBytes = segment.DataBytes;
        using var scanner = new BatchScanner(segment.File, identity, segment.File.Length);
        var result = Scan(segment, scanner);
        if (nextBase is { } next)
        {
            // Nothing but its footer is lost: what follows the last batch does not matter, and is not cut.
            if (segment.NextOffset != next)
            {
                _fault = $"offsets {segment.NextOffset} to {next - 1} were durable and are missing from "
                    + $"'{segment.File.Path}': {scanner.Fault}";
                return;
            }

            segment.Seal();
        }
        else if (result == ScanResult.Damaged && !TryCut(segment, scanner))
        {
            return;
        }

        var isClean = _checkpoint.IsClean && _checkpoint.RecoveryOffset == segment.NextOffset && result == ScanResult.Empty;
        if (!isClean)
        {
            MakeDurable(segment);
        }
    }

    /// <summary>An index that describes another file than this one must not steer the scan.</summary>
    private bool IsPlausible(Segment segment, in SegmentSummary summary)
    {
        if (summary.DataBytes > segment.File.Length)
        {
            return false;
        }

        if (summary.NextOffset == _checkpoint.RecoveryOffset)
        {
            return true;
        }

        using var scanner = new BatchScanner(segment.File, identity, segment.File.Length);
        return scanner.Read(summary.DataBytes, summary.NextOffset, out _) == ScanResult.Batch;
    }

    private ScanResult Scan(Segment segment, BatchScanner scanner)
    {
        while (true)
        {
            var result = scanner.Read(segment.DataBytes, segment.NextOffset, out var header);
            if (result != ScanResult.Batch)
            {
                segment.Publish();
                return result;
            }

            segment.Extend(header, options.IndexIntervalBytes);
            _scannedBytes += header.Length;
            if (segment.NextOffset <= _checkpoint.RecoveryOffset)
            {
                _durableBytes = segment.DataBytes;
            }
        }
    }

    private bool TryCut(Segment segment, BatchScanner scanner)
    {
        var fault = scanner.Fault;
        if (!options.Omits.HasFlag(OmittedRules.ProofBeforeCut)
            && (segment.NextOffset < _checkpoint.RecoveryOffset
                || scanner.HasProofOfCommit(segment.DataBytes, segment.NextOffset)))
        {
            _fault = $"offset {segment.NextOffset}, byte {segment.DataBytes} of '{segment.File.Path}', was durable: {fault}";
            return false;
        }

        StorageLog.TailCut(logger, identity, segment.NextOffset, segment.DataBytes, segment.File.Path, fault);
        segment.File.Truncate(segment.DataBytes);
        return true;
    }

    /// <summary>
    /// Writes again what may never have been synced, and syncs it. Reading it back proves nothing: after a failed sync the
    /// page cache shows what the disk does not have (Rebello, ATC'20).
    /// </summary>
    private void MakeDurable(Segment segment)
    {
        var fromPosition = options.Omits.HasFlag(OmittedRules.RewriteAtRecovery) ? segment.DataBytes : _durableBytes;
        var buffer = ArrayPool<byte>.Shared.Rent(1024 * 1024);
        for (long position = fromPosition; position < segment.DataBytes;)
        {
            var wanted = (int)Math.Min(buffer.Length, segment.DataBytes - position);
            var read = segment.File.Read(buffer.AsSpan(0, wanted), position);
            segment.File.Write(buffer.AsSpan(0, read), position);
            position += read;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        segment.File.Sync();
    }

    private void RebuildProducers(long end)
    {
        if (!ProducerSnapshot.TryLoad(files, directory, _producers, _epochs, out _producersFrom) || _producersFrom > end)
        {
            _producers.Clear();
            _epochs.Reset([]);
            _producersFrom = 0;
        }

        foreach (var segment in _segments.All)
        {
            if (segment.NextOffset <= _producersFrom)
            {
                continue;
            }

            using var scanner = new BatchScanner(segment.File, identity, segment.DataBytes);
            long position = segment.Index.FloorByOffset(_producersFrom).Position;
            ScanResult result;
            while ((result = scanner.Read(position, null, out var header)) == ScanResult.Batch)
            {
                position += header.Length;
                if (header.BaseOffset >= _producersFrom)
                {
                    _producers.Apply(header, options.MaxProducers);
                    _epochs.Note(header.LeaderEpoch, header.BaseOffset);
                }
            }

            if (result == ScanResult.Damaged)
            {
                _fault ??= $"byte {position} of '{segment.File.Path}', from which producers are rebuilt: {scanner.Fault}";
            }
        }
    }
}
