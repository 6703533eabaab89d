using System.Buffers;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;

namespace Weir.Storage.Compaction;

/// <summary>A record that stays.</summary>
internal readonly record struct KeptRecord(long Offset, long TimestampMs, int FieldsStart, int End);

/// <summary>
/// Decides which records of a batch stay: the last of each key, tombstones for their time, and whatever has no key. One thread.
/// </summary>
internal sealed class RecordFilter(
    CompactionScan scan, long cleanOffset, LogOptions options, CompactionRequest request, long logStartOffset) : IDisposable
{
    private readonly List<KeptRecord> _kept = [];
    private readonly long _horizonMs = request.NowMs + (long)options.TombstoneRetention.TotalMilliseconds;
    private byte[]? _pooled;

    /// <summary>The uncompressed records of the batch, until the next one.</summary>
    public ReadOnlyMemory<byte> Records { get; private set; }

    /// <summary>What stays of it.</summary>
    public List<KeptRecord> Kept => _kept;

    /// <summary>Bytes of what stays.</summary>
    public int KeptBytes { get; private set; }

    /// <summary>Bytes of the tombstones among it that may go once their time is over.</summary>
    public int TombstoneBytes { get; private set; }

    /// <summary>When those may go; 0 if there are none.</summary>
    public long DeleteHorizonMs { get; private set; }

    /// <summary>Records that go.</summary>
    public int RemovedCount { get; private set; }

    /// <summary>Looks through the batch that was read last; false if nobody can read it.</summary>
    public bool TryApply(CompactionSource source)
    {
        try
        {
            Apply(source);
            return true;
        }
        catch (ProtocolException)
        {
            return false;
        }
    }

    public void Dispose() => Return();

    private void Apply(CompactionSource source)
    {
        Return();
        _kept.Clear();
        KeptBytes = TombstoneBytes = 0;
        DeleteHorizonMs = 0;
        var horizon = source.Header.IsCompacted ? RecordBatchHeader.ReadDeleteHorizon(source.Batch.Span) : 0;
        Records = source.Decompress(out _pooled);
        var bytes = Records.Span;
        var walk = new BatchRecords(bytes, source.Header);
        for (var start = 0; walk.MoveNext(); start = walk.NextPosition)
        {
            if (Stays(walk.Offset, walk.Current, bytes, horizon))
            {
                _kept.Add(new KeptRecord(walk.Offset, walk.Current.TimestampMs, walk.Current.FieldsStart, walk.Current.End));
                KeptBytes += walk.Current.End - start;
            }
        }

        RemovedCount = source.Header.RecordCount - _kept.Count;
    }

    private bool Stays(long offset, in RecordSlices record, ReadOnlySpan<byte> bytes, long horizonMs)
    {
        if (offset < logStartOffset)
        {
            return false;
        }

        if (record.KeyLength < 0 || offset >= scan.EndOffset)
        {
            return true;
        }

        if (scan.Keys.Find(bytes.Slice(record.KeyStart, record.KeyLength)) > offset)
        {
            return false;
        }

        if (record.ValueLength >= 0)
        {
            return true;
        }

        // Its time begins with the run that removes what it hides, whatever a replica it was fetched from has noted.
        var horizon = offset >= cleanOffset || horizonMs == 0 ? _horizonMs : horizonMs;
        if ((request.NowMs >= horizon && offset < cleanOffset && offset < request.TombstoneLimit)
            || options.Omits.HasFlag(OmittedRules.TombstoneRetention))
        {
            return false;
        }

        DeleteHorizonMs = Math.Max(DeleteHorizonMs, horizon);
        TombstoneBytes += record.End - record.FieldsStart;
        return true;
    }

    private void Return()
    {
        if (_pooled is not null)
        {
            ArrayPool<byte>.Shared.Return(_pooled);
            _pooled = null;
        }
    }
}
