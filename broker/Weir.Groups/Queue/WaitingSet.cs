namespace Weir.Groups.Queue;

/// <summary>
/// Records of a partition that wait for their time: an entry each up to a bound, and beyond it the pieces of the log that
/// they are in, to be read again. One thread.
/// </summary>
/// <param name="maxEntries">Most entries.</param>
internal sealed class WaitingSet(int maxEntries)
{
    private const int PieceOffsets = 8192;
    private readonly PriorityQueue<long, long> _entries = new();
    private readonly PriorityQueue<(long First, long Last), long> _pieces = new();
    private (long First, long Last, long DueMs, int Count)? _open;
    private long _inPieces;

    /// <summary>Records that wait; those in pieces as they were counted.</summary>
    public long Count => _entries.Count + _inPieces;

    /// <summary>Whether entries can be added.</summary>
    public bool HasRoom => _entries.Count < maxEntries;

    /// <summary>Adds a record.</summary>
    public void Add(long offset, long dueMs) => _entries.Enqueue(offset, dueMs);

    /// <summary>Adds a record that the log is read for again, in the order of offsets.</summary>
    public void Defer(long offset, long dueMs)
    {
        _inPieces++;
        if (_open is { } open && offset / PieceOffsets == open.First / PieceOffsets)
        {
            _open = (open.First, Math.Max(open.Last, offset), Math.Min(open.DueMs, dueMs), open.Count + 1);
            return;
        }

        ClosePiece();
        _open = (offset, offset, dueMs, 1);
    }

    /// <summary>Takes a record whose time has come.</summary>
    public bool TryTake(long nowMs, out long offset)
    {
        if (_entries.TryPeek(out offset, out var dueMs) && dueMs <= nowMs)
        {
            _entries.Dequeue();
            return true;
        }

        return false;
    }

    /// <summary>Takes a piece of the log of which a record's time has come, if there is room for its others.</summary>
    public bool TryTakePiece(long nowMs, out long first, out long last)
    {
        (first, last) = (0, 0);
        if (_entries.Count > maxEntries / 2)
        {
            return false;
        }

        if (_open is { } open && open.DueMs <= nowMs)
        {
            ClosePiece();
        }

        if (!_pieces.TryPeek(out var piece, out var dueMs) || dueMs > nowMs)
        {
            return false;
        }

        _pieces.Dequeue();
        (first, last) = piece;
        _inPieces = _pieces.Count == 0 && _open is null ? 0 : Math.Max(0, _inPieces - Math.Min(_inPieces, last - first + 1));
        return true;
    }

    public void Clear()
    {
        _entries.Clear();
        _pieces.Clear();
        _open = null;
        _inPieces = 0;
    }

    private void ClosePiece()
    {
        if (_open is { } open)
        {
            _pieces.Enqueue((open.First, open.Last), open.DueMs);
            _open = null;
        }
    }
}
