namespace Weir.Groups.Queue;

/// <summary>
/// Records of a partition that wait for their time: an entry each up to a bound, and beyond it the pieces of the log that
/// they are in, to be read again. Those whose time is near are known apart, so that they can be read before it comes. One thread.
/// </summary>
/// <param name="maxEntries">Most entries.</param>
internal sealed class WaitingSet(int maxEntries)
{
    private readonly int _pieceOffsets = Math.Clamp(maxEntries / 128, 4, 8192);
    private const int MaxNear = 131_072;
    private readonly PriorityQueue<long, long> _entries = new();
    private readonly PriorityQueue<long, long> _near = new();
    private readonly PriorityQueue<Piece, long> _pieces = new();
    private Piece? _open;
    private Piece? _again;
    private long _inPieces;

    /// <summary>Records that wait; those in pieces as they were counted.</summary>
    public long Count => Entries + _inPieces;

    /// <summary>Whether entries can be added.</summary>
    public bool HasRoom => Entries < maxEntries;

    private int Entries => _entries.Count + _near.Count;

    /// <summary>Adds a record.</summary>
    public void Add(long offset, long dueMs) => _entries.Enqueue(offset, dueMs);

    /// <summary>Adds a record that the log is read for again, in the order of offsets.</summary>
    public void Defer(long offset, long dueMs)
    {
        _inPieces++;
        if (_open is { } open && offset / _pieceOffsets == open.First / _pieceOffsets)
        {
            _open = open.With(offset, dueMs);
            return;
        }

        Close(ref _open);
        _open = new Piece(offset, offset, dueMs, 1);
    }

    /// <summary>Leaves a record of the piece that was taken to another reading of the log, in the order of offsets.</summary>
    public void DeferAgain(long offset, long dueMs)
    {
        _inPieces++;
        _again = _again is { } again ? again.With(offset, dueMs) : new Piece(offset, offset, dueMs, 1);
    }

    /// <summary>The piece that was taken has been read to its end, or as far as it could be.</summary>
    /// <param name="restFirst">Where the rest of it begins that could not be read.</param>
    /// <param name="last">Where it ends.</param>
    public void EndPiece(long restFirst, long last)
    {
        Close(ref _again);
        if (restFirst <= last)
        {
            _pieces.Enqueue(new Piece(restFirst, last, 0, 0), 0);
        }
    }

    /// <summary>Names a record whose time comes by then; each is named once, and still waits.</summary>
    public bool TryComeNear(long untilMs, out long offset)
    {
        if (_near.Count < MaxNear && _entries.TryPeek(out offset, out var dueMs) && dueMs <= untilMs)
        {
            _near.Enqueue(_entries.Dequeue(), dueMs);
            return true;
        }

        offset = -1;
        return false;
    }

    /// <summary>Takes a record whose time has come.</summary>
    public bool TryTake(long nowMs, out long offset) =>
        TryTake(_near, nowMs, out offset) || TryTake(_entries, nowMs, out offset);

    /// <summary>
    /// Takes a piece of the log of which a record's time comes by then, if there is room: its records are added, or deferred
    /// again.
    /// </summary>
    public bool TryTakePiece(long untilMs, out long first, out long last)
    {
        (first, last) = (0, 0);
        if (Entries > maxEntries + (maxEntries / 2))
        {
            return false;
        }

        if (_open is { } open && open.DueMs <= untilMs)
        {
            Close(ref _open);
        }

        if (!_pieces.TryPeek(out var piece, out var dueMs) || dueMs > untilMs)
        {
            return false;
        }

        _pieces.Dequeue();
        (first, last) = (piece.First, piece.Last);
        _inPieces -= piece.Count;
        return true;
    }

    public void Clear()
    {
        _entries.Clear();
        _near.Clear();
        _pieces.Clear();
        _open = _again = null;
        _inPieces = 0;
    }

    private static bool TryTake(PriorityQueue<long, long> entries, long nowMs, out long offset)
    {
        if (entries.TryPeek(out offset, out var dueMs) && dueMs <= nowMs)
        {
            entries.Dequeue();
            return true;
        }

        return false;
    }

    private void Close(ref Piece? piece)
    {
        if (piece is { } closed)
        {
            _pieces.Enqueue(closed, closed.DueMs);
            piece = null;
        }
    }

    /// <summary>Offsets of the log with records that wait, the earliest time of them, and how many there are.</summary>
    private readonly record struct Piece(long First, long Last, long DueMs, int Count)
    {
        public Piece With(long offset, long dueMs) => new(First, Math.Max(Last, offset), Math.Min(DueMs, dueMs), Count + 1);
    }
}
