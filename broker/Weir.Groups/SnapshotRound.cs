namespace Weir.Groups;

/// <summary>
/// Writes the state of every group into the log now and then, some groups at a turn, so that the log before the round can go.
/// </summary>
/// <param name="minBytes">Bytes appended after which a round begins; at least twice what the last round wrote.</param>
internal sealed class SnapshotRound(long minBytes)
{
    private const int BytesPerTurn = 1024 * 1024;
    private readonly Queue<Guid> _left = new();
    private long _appended;
    private long _written;
    private long? _start;

    /// <summary>Whether what is being appended repeats a state instead of changing it.</summary>
    public bool IsWriting { get; private set; }

    /// <summary>Counts what is appended.</summary>
    public void Count(int bytes)
    {
        _appended += IsWriting ? 0 : bytes;
        _written += IsWriting ? bytes : 0;
    }

    /// <summary>Writes one group's state.</summary>
    public void Write(Group group, Action<Group, IGroupRecord> append)
    {
        IsWriting = true;
        append(group, new SnapshotStarted());
        foreach (var record in group.ToSnapshot())
        {
            append(group, record);
        }

        append(group, new SnapshotEnded());
        IsWriting = false;
    }

    /// <summary>Begins or continues a round if it is time.</summary>
    /// <param name="groups">All groups.</param>
    /// <param name="endOffset">Where the log ends.</param>
    /// <param name="append">Appends a record.</param>
    /// <returns>The offset before which the log is not needed any more, once all of this is committed; null before the round's end.</returns>
    public long? Continue(IEnumerable<Group> groups, long endOffset, Action<Group, IGroupRecord> append)
    {
        if (_start is null)
        {
            if (_appended < Math.Max(minBytes, 2 * _written))
            {
                return null;
            }

            _start = endOffset;
            _appended = _written = 0;
            foreach (var group in groups)
            {
                _left.Enqueue(group.Declaration.GroupId);
            }
        }

        var until = _written + BytesPerTurn;
        while (_written < until && _left.TryDequeue(out var id))
        {
            if (groups.FirstOrDefault(group => group.Declaration.GroupId == id) is { } group)
            {
                Write(group, append);
            }
        }

        if (_left.Count > 0)
        {
            return null;
        }

        var start = _start;
        _start = null;
        return start;
    }
}
