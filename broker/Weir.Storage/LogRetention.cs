using Weir.Storage.Files;
using Weir.Storage.Segments;

namespace Weir.Storage;

/// <summary>
/// Decides which closed segments may go and deletes them, in order and each durably, so that a crash leaves the log without
/// a hole. Works on a file system without a free byte.
/// </summary>
internal sealed class LogRetention(ILogFiles files, string directory, SegmentSet segments, Lock filesGate)
{
    /// <summary>First offset that the settings keep.</summary>
    public long FindStart(LogOptions options, long nowMs, long durableOffset)
    {
        var all = segments.All;
        var bytes = all.Sum(static segment => (long)segment.End.DataBytes);
        var start = all.IsEmpty ? 0 : all[0].BaseOffset;
        foreach (var segment in all)
        {
            var isExpired = options.RetentionAge is { } age && segment.LastAppendTimeMs < nowMs - (long)age.TotalMilliseconds;
            var isOverSize = bytes > options.RetentionBytes;
            if (!segment.IsSealed || segment.NextOffset > durableOffset || !(isExpired || isOverSize))
            {
                break;
            }

            bytes -= segment.DataBytes;
            start = segment.NextOffset;
        }

        return start;
    }

    /// <summary>
    /// Whether the active segment should be closed: it holds nothing but expired records and could go, or is to be compacted.
    /// </summary>
    public bool IsActiveExpired(LogOptions options, long nowMs)
    {
        var active = segments.All.LastOrDefault();
        if (active is not { IsSealed: false, DataBytes: > 0 })
        {
            return false;
        }

        return (options.RetentionAge is { } age && active.LastAppendTimeMs < nowMs - (long)age.TotalMilliseconds)
            || (options is { IsCompacted: true, MaxCompactionLag: { } lag }
                && active.FirstAppendTimeMs < nowMs - (long)lag.TotalMilliseconds);
    }

    /// <summary>Deletes closed segments whose every record is below an offset; returns the bytes freed.</summary>
    public long DeleteBelow(long offset)
    {
        lock (filesGate)
        {
            long freed = 0;

            // The last one stays although it may be closed: its name and footer are what remembers the log end offset.
            while (segments.All is [{ IsSealed: true } oldest, _, ..] && oldest.NextOffset <= offset)
            {
                Delete(oldest);
                freed += oldest.DataBytes;
            }

            return freed;
        }
    }

    private void Delete(Segment segment)
    {
        Segment.DeleteCaches(files, directory, segment.BaseOffset);
        files.Delete($"{directory}/{Segment.FileName(segment.BaseOffset)}");
        segments.RemoveFirst(1);
        segment.Release();

        // One at a time, oldest first: of two deletions that are not synced, a crash could keep the older segment and lose
        // the newer one, which looks like damage.
        files.SyncDirectory(directory);
    }
}
