using Weir.Storage.Segments;

namespace Weir.Storage;

/// <summary>
/// Where the next batch will stand: in which segment, and at which byte of it. It runs ahead of the files, since the flush
/// opens a segment only when it writes to it. Used under the log's lock.
/// </summary>
internal sealed class AppendFrontier
{
    private long _startedAtMs;

    /// <summary>Continues the last segment, or starts a new one if there is none that may be written.</summary>
    public AppendFrontier(Segment? active, long logEndOffset)
    {
        var isOpen = active is { IsSealed: false };
        SegmentBase = isOpen ? active!.BaseOffset : logEndOffset;
        Position = isOpen ? active!.DataBytes : 0;
        _startedAtMs = active?.FirstAppendTimeMs ?? long.MaxValue;
    }

    /// <summary>Base offset of the segment.</summary>
    public long SegmentBase { get; private set; }

    /// <summary>Bytes of batches in it.</summary>
    public int Position { get; private set; }

    /// <summary>Whether a batch belongs into a new segment: the present one would grow too long or is too old.</summary>
    public bool IsRollDue(int batchBytes, LogOptions options, long nowMs) =>
        Position > 0
            && ((long)Position + batchBytes + SegmentFooter.Size > options.SegmentBytes
                || nowMs - _startedAtMs > (long)options.SegmentAge.TotalMilliseconds);

    /// <summary>Starts a new segment; false if the present one is empty still.</summary>
    public bool TryRoll(long logEndOffset)
    {
        if (Position == 0)
        {
            return false;
        }

        SegmentBase = logEndOffset;
        Position = 0;
        return true;
    }

    /// <summary>Counts a batch.</summary>
    public void Advance(int batchBytes, long nowMs)
    {
        if (Position == 0)
        {
            _startedAtMs = nowMs;
        }

        Position += batchBytes;
    }
}
