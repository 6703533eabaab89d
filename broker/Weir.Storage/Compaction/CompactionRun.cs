using Weir.Protocol.Records;
using Weir.Storage.Segments;

namespace Weir.Storage.Compaction;

/// <summary>
/// One run of compaction over a log, in steps of about <see cref="StepBytes"/>: the caller paces them by
/// <see cref="BytesMoved"/>. Appends and reads go on meanwhile. Used by one thread; disposing one that is not finished gives up
/// what is not in place yet and keeps the rest.
/// </summary>
/// <remarks>
/// Its memory is the keys' (<see cref="LogOptions.CompactionMemoryBytes"/>), a batch before and after, and buffers of 2 MiB.
/// </remarks>
public sealed class CompactionRun : IDisposable
{
    internal const int StepBytes = 1024 * 1024;

    /// <summary>How many times a segment's size one compacted segment may be made of: a swap must come in the end.</summary>
    private const int MaxSourceSegments = 8;

    private readonly LogCompactor _log;
    private readonly CompactionPlan _plan;
    private readonly CompactionScan _scan;
    private readonly RecordFilter _filter;
    private readonly CompactionRequest _request;
    private readonly IEnumerator<int> _steps;
    private readonly List<Segment> _group = [];
    private CompactedSegmentWriter? _writer;
    private long _groupBytes;
    private long _groupRemoved;
    private bool _groupIsMarked;
    private long _tombstoneBytes;
    private long _horizonMs;

    internal CompactionRun(LogCompactor log, CompactionPlan plan, in CompactionRequest request, long logStartOffset)
    {
        _log = log;
        _plan = plan;
        _request = request;
        _scan = new CompactionScan(plan, log.Identity, log.Options, request, logStartOffset);
        _filter = new RecordFilter(_scan, plan.CleanOffset, log.Options, request, logStartOffset);
        _steps = Run().GetEnumerator();
    }

    /// <summary>Bytes read and written so far.</summary>
    public long BytesMoved { get; private set; }

    /// <summary>What was done so far; all of it durable.</summary>
    public CompactionOutcome Outcome { get; private set; }

    /// <summary>Goes on a little; false when the run is over. Blocks for the disk.</summary>
    /// <exception cref="LogCorruptException">A batch is damaged: the run is over.</exception>
    /// <exception cref="Files.LogIoException">
    /// The device refused: the run is over. The log is stopped, unless the disk is only full.
    /// </exception>
    public bool Step()
    {
        try
        {
            if (!_steps.MoveNext())
            {
                Dispose();
                return false;
            }

            BytesMoved += _steps.Current;
            return true;
        }
        catch (CompactionAbandonedException)
        {
            Dispose();
            return false;
        }
        catch (Files.LogIoException e)
        {
            _log.OnFailure(e);
            Dispose();
            throw;
        }
        catch (LogCorruptException)
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _steps.Dispose();
        _filter.Dispose();
        var writer = _writer;
        _writer = null;
        if (writer is not null)
        {
            _log.GiveUp(writer);
        }

        _log.Finished(this);
    }

    private IEnumerable<int> Run()
    {
        foreach (var bytes in _scan.Run())
        {
            yield return bytes;
        }

        for (var i = 0; i < _scan.SegmentCount; i++)
        {
            foreach (var bytes in Rewrite(_plan.Segments[i]))
            {
                yield return bytes;
            }

            var next = i + 1 < _scan.SegmentCount ? _plan.Segments[i + 1] : null;
            if (next is null || _writer!.Bytes + next.DataBytes + SegmentFooter.Size > _log.Options.SegmentBytes
                || _groupBytes + next.DataBytes > (long)MaxSourceSegments * _log.Options.SegmentBytes)
            {
                yield return CompleteGroup();
            }
        }

        _log.Save(new CompactionState(_scan.EndOffset, _tombstoneBytes, _horizonMs));
        Outcome = Outcome with { CleanOffset = _scan.EndOffset };
    }

    private IEnumerable<int> Rewrite(Segment segment)
    {
        _writer ??= _log.CreateWriter(segment);
        _group.Add(segment);
        _groupBytes += segment.DataBytes;
        using var source = new CompactionSource(segment, _log.Identity);
        var pending = 0;
        var written = _writer.Bytes;
        while (source.Position < segment.DataBytes)
        {
            pending += source.ReadBatch();
            RewriteBatch(source);
            if (pending >= StepBytes)
            {
                yield return pending + _writer.Bytes - written;
                written = _writer.Bytes;
                pending = 0;
            }
        }

        yield return pending + _writer.Bytes - written;
    }

    private void RewriteBatch(CompactionSource source)
    {
        var header = source.Header;
        if (!_filter.TryApply(source))
        {
            _writer!.Copy(source.Batch, header);
            return;
        }

        _groupRemoved += _filter.RemovedCount;
        _tombstoneBytes += _filter.TombstoneBytes;
        _horizonMs = Math.Max(_horizonMs, _filter.DeleteHorizonMs);
        var isMarked = _filter.DeleteHorizonMs != (header.IsCompacted ? RecordBatchHeader.ReadDeleteHorizon(source.Batch.Span) : 0);
        _groupIsMarked |= isMarked;
        var isExact = _scan.Producers.Remembers(header) && !_log.Options.Omits.HasFlag(OmittedRules.KeepProducers);
        var isLarge = header.UncompressedBytes >= CompactedSegmentWriter.JoinedBytes / 2;
        if (_filter.RemovedCount == 0 && !isMarked && (isLarge || isExact) && header.RecordCount > 0)
        {
            _writer!.Copy(source.Batch, header);
        }
        else
        {
            _writer!.Add(header, _filter, isExact);
        }
    }

    /// <summary>Puts what was written in the place of its sources; returns the bytes that were waiting.</summary>
    private int CompleteGroup()
    {
        var writer = _writer!;
        var before = writer.Bytes;
        writer.Complete();
        if (_group.Count == 1 && _groupRemoved == 0 && !_groupIsMarked
            && writer.Segment.DataBytes > _groupBytes - _groupBytes / 16)
        {
            _log.GiveUp(writer);
        }
        else
        {
            _log.Swap(writer, [.. _group]);
            Outcome = Outcome with
            {
                BytesBefore = Outcome.BytesBefore + _groupBytes,
                BytesAfter = Outcome.BytesAfter + writer.Segment.DataBytes,
                RecordsRemoved = Outcome.RecordsRemoved + _groupRemoved,
            };
        }

        _writer = null;
        _group.Clear();
        _groupBytes = _groupRemoved = 0;
        _groupIsMarked = false;
        return Math.Max(0, writer.Segment.DataBytes - before);
    }
}
