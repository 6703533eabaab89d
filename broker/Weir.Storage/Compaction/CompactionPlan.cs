using System.Collections.Immutable;
using Weir.Storage.Segments;

namespace Weir.Storage.Compaction;

/// <summary>Which segments a run reads, and whether it is worth it.</summary>
/// <param name="Segments">Closed segments below the high watermark, from the first of the log on.</param>
/// <param name="CleanOffset">Where the part starts whose keys are not known to be single.</param>
/// <param name="DirtyBytes">Bytes of that part.</param>
internal sealed record CompactionPlan(ImmutableArray<Segment> Segments, long CleanOffset, long DirtyBytes)
{
    /// <summary>Plans a run; null if there is nothing to do, or it is not worth it yet.</summary>
    public static CompactionPlan? Make(
        ImmutableArray<Segment> all, in CompactionState state, LogOptions options, in CompactionRequest request, long limit)
    {
        var count = 0;
        long cleanBytes = 0;
        long dirtyBytes = 0;
        var oldestDirtyMs = long.MaxValue;
        while (count < all.Length - 1 && all[count] is { IsSealed: true } segment && segment.NextOffset <= limit)
        {
            count++;
            if (segment.NextOffset <= state.CleanOffset)
            {
                cleanBytes += segment.DataBytes;
                continue;
            }

            dirtyBytes += segment.DataBytes;
            oldestDirtyMs = Math.Min(oldestDirtyMs, segment.FirstAppendTimeMs);
        }

        var freeable = dirtyBytes + (request.NowMs >= state.HorizonMs ? state.TombstoneBytes : 0);
        var isLate = options.MaxCompactionLag is { } lag && dirtyBytes > 0
            && request.NowMs - oldestDirtyMs >= (long)lag.TotalMilliseconds;
        var isWorthIt = freeable > 0
            && (freeable >= options.MinDirtyRatio * (cleanBytes + dirtyBytes) || isLate);
        return count > 0 && (request.IsForced || isWorthIt)
            ? new CompactionPlan(all[..count], state.CleanOffset, dirtyBytes)
            : null;
    }
}
