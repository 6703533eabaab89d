using System.Runtime.InteropServices;

namespace Weir.Testing.Support.History;

/// <summary>
/// What a poll read or where an assignment starts, to be handed to <see cref="HistoryLog"/>, which copies it. One of it
/// serves a process for all of its polls; not thread-safe.
/// </summary>
public sealed class PollResult
{
    private readonly List<(PartitionId Partition, long Position, long End, int Records)> _slices = [];
    private readonly List<ReadRecord> _records = [];

    internal ReadOnlySpan<(PartitionId Partition, long Position, long End, int Records)> Slices =>
        CollectionsMarshal.AsSpan(_slices);

    internal ReadOnlySpan<ReadRecord> Records => CollectionsMarshal.AsSpan(_records);

    /// <summary>Empties it for the next operation.</summary>
    public PollResult Clear()
    {
        _slices.Clear();
        _records.Clear();
        return this;
    }

    /// <summary>Begins a partition; what <see cref="Add"/> adds from here on was read from it.</summary>
    /// <param name="partition">The partition.</param>
    /// <param name="position">The offset that the read began at or is to begin at; -1 if not known.</param>
    /// <param name="end">The end that came with the records, -1 if not known: no record may lie at or above it.</param>
    public PollResult Partition(PartitionId partition, long position = -1, long end = -1)
    {
        _slices.Add((partition, position, end, 0));
        return this;
    }

    /// <summary>Adds a record, in the order in which it was read.</summary>
    public PollResult Add(long offset, long value)
    {
        CollectionsMarshal.AsSpan(_slices)[^1].Records++;
        _records.Add(new ReadRecord(offset, value));
        return this;
    }
}
