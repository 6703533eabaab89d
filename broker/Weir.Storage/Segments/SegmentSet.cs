using System.Collections.Immutable;

namespace Weir.Storage.Segments;

/// <summary>The segments of a log in order, as an immutable list that the writer swaps and readers look through.</summary>
internal sealed class SegmentSet
{
    private ImmutableArray<Segment> _segments = [];

    public ImmutableArray<Segment> All => ImmutableInterlocked.InterlockedCompareExchange(ref _segments, default, default);

    public Segment Active => All[^1];

    public void Add(Segment segment) =>
        ImmutableInterlocked.Update(ref _segments, static (all, added) => all.Add(added), segment);

    public void RemoveFirst(int count) =>
        ImmutableInterlocked.Update(ref _segments, static (all, gone) => all.RemoveRange(0, gone), count);

    /// <summary>The segment that holds an offset, or the last one for the log end offset; null before the first.</summary>
    public Segment? Find(long offset)
    {
        var all = All;
        for (var i = all.Length - 1; i >= 0; i--)
        {
            if (all[i].BaseOffset <= offset)
            {
                return all[i];
            }
        }

        return null;
    }
}
