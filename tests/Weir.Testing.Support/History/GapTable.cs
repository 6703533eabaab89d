namespace Weir.Testing.Support.History;

/// <summary>The declared gaps of a partition.</summary>
internal sealed class GapTable
{
    private readonly List<(long From, long To)> _any;
    private readonly List<(long From, long To)> _removed;
    private readonly List<(long From, long To)> _control;

    public GapTable(IReadOnlyCollection<OffsetGap> gaps)
    {
        _any = Merge(gaps);
        _removed = Merge(gaps.Where(static gap => gap.Reason == GapReason.Removed));
        _control = Merge(gaps.Where(static gap => gap.Reason == GapReason.Control));
    }

    /// <summary>Whether every offset from one up to, but not including, another is in a gap.</summary>
    public bool Covers(long from, long to) => from >= to || (Find(_any, from) is { } gap && gap.To >= to);

    public bool IsRemoved(long offset) => Find(_removed, offset) is not null;

    public bool IsControl(long offset) => Find(_control, offset) is not null;

    private static (long From, long To)? Find(List<(long From, long To)> gaps, long offset)
    {
        var (low, high) = (0, gaps.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = gaps[middle].To <= offset ? (middle + 1, high) : (low, middle);
        }

        return low < gaps.Count && gaps[low].From <= offset ? gaps[low] : null;
    }

    private static List<(long From, long To)> Merge(IEnumerable<OffsetGap> gaps)
    {
        var merged = new List<(long From, long To)>();
        foreach (var gap in gaps.Where(static gap => gap.From < gap.To).OrderBy(static gap => gap.From))
        {
            if (merged.Count > 0 && merged[^1].To >= gap.From)
            {
                merged[^1] = (merged[^1].From, Math.Max(merged[^1].To, gap.To));
            }
            else
            {
                merged.Add((gap.From, gap.To));
            }
        }

        return merged;
    }
}
