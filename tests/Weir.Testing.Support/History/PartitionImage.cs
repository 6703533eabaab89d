namespace Weir.Testing.Support.History;

/// <summary>What the whole history says that a partition holds; arrays go by rank.</summary>
internal sealed class PartitionImage(VersionOrder order, GapTable gaps)
{
    public VersionOrder Order => order;

    public GapTable Gaps => gaps;

    /// <summary>The value that was seen first at the offset.</summary>
    public long[] Values { get; } = new long[order.Count];

    /// <summary>Who showed it, as the operation's number plus 1; 0 if nobody yet.</summary>
    public int[] Witnesses { get; } = new int[order.Count];

    /// <summary>
    /// The operation that, of all that knew this offset or a higher one, succeeded first; -1 if none did. Until
    /// <see cref="Settle"/>, of all that knew this offset.
    /// </summary>
    public int[] KnownBy { get; } = Filled(order.Count);

    /// <summary>The largest offset that is the lowest of a value that was read.</summary>
    public long Bound { get; set; } = -1;

    /// <summary>The lowest offset that any poll began at.</summary>
    public long Floor { get; set; } = long.MaxValue;

    /// <summary>The lowest offset that a final poll began at.</summary>
    public long FinalFloor { get; set; } = long.MaxValue;

    /// <summary>Notes that an operation that succeeded knew the record at a rank.</summary>
    public void Know(HistoryLog history, int rank, int id)
    {
        ref var known = ref KnownBy[rank];
        if (known < 0 || history.At(id).Completed < history.At(known).Completed)
        {
            known = id;
        }
    }

    /// <summary>Carries what is known of higher offsets down.</summary>
    public void Settle(HistoryLog history)
    {
        for (var rank = order.Count - 2; rank >= 0; rank--)
        {
            if (KnownBy[rank + 1] >= 0)
            {
                Know(history, rank, KnownBy[rank + 1]);
            }
        }
    }

    /// <summary>The operation that first knew of something at or above an offset before a time; -1 if none.</summary>
    public int KnownBefore(HistoryLog history, long offset, long time)
    {
        var rank = order.Rank(offset);
        return rank < order.Count && KnownBy[rank] is >= 0 and var known && history.At(known).Completed < time ? known : -1;
    }

    private static int[] Filled(int count)
    {
        var array = new int[count];
        Array.Fill(array, -1);
        return array;
    }
}
