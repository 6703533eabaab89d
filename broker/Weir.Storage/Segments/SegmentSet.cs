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

    /// <summary>Puts one segment in the place of neighbours; false if one of them is not there any more.</summary>
    public bool TryReplace(ReadOnlySpan<Segment> replaced, Segment replacement)
    {
        while (true)
        {
            var all = All;
            var at = all.IndexOf(replaced[0]);
            if (at < 0 || !all.AsSpan().Slice(at, Math.Min(replaced.Length, all.Length - at)).SequenceEqual(replaced))
            {
                return false;
            }

            var changed = all.RemoveRange(at, replaced.Length).Insert(at, replacement);
            if (ImmutableInterlocked.InterlockedCompareExchange(ref _segments, changed, all) == all)
            {
                return true;
            }
        }
    }

    /// <summary>Whether neighbours are all there.</summary>
    public bool Contains(ReadOnlySpan<Segment> neighbours)
    {
        var all = All;
        var at = all.IndexOf(neighbours[0]);
        return at >= 0 && all.AsSpan().Slice(at, Math.Min(neighbours.Length, all.Length - at)).SequenceEqual(neighbours);
    }

    /// <summary>The segment that holds an offset, held open; null if there is none.</summary>
    public Segment? Acquire(long offset)
    {
        while (Find(offset) is { } segment && offset < segment.End.NextOffset)
        {
            if (segment.TryAcquire())
            {
                return segment;
            }

            // Closed: either it is gone, or another one has taken its place.
            if (ReferenceEquals(Find(offset), segment))
            {
                return null;
            }
        }

        return null;
    }

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
