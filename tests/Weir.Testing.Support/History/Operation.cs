using Weir.Protocol.Messages;

namespace Weir.Testing.Support.History;

/// <summary>What a process did.</summary>
public enum OperationKind : byte
{
    /// <summary>Published one record.</summary>
    Send,

    /// <summary>Read from one or more partitions.</summary>
    Poll,

    /// <summary>Began to read other partitions, or the same from elsewhere.</summary>
    Assign,

    /// <summary>Died, and goes on as a new session with none of the old one's promises.</summary>
    Crash,
}

/// <summary>How an operation ended.</summary>
public enum Outcome : byte
{
    /// <summary>Nobody knows whether it took effect; also what an operation without an end counts as.</summary>
    Info,

    /// <summary>It took effect.</summary>
    Ok,

    /// <summary>It certainly did not take effect, and never will.</summary>
    Fail,
}

/// <summary>One operation of a history. Its number is its place in the order of invocation.</summary>
public readonly record struct Operation
{
    /// <summary>What <see cref="Completed"/> says of an operation without an end.</summary>
    public const long Never = long.MaxValue;

    /// <summary>Who did it. The operations of one process follow each other; its sends may overlap.</summary>
    public int Process { get; init; }

    public OperationKind Kind { get; init; }

    public Outcome Outcome { get; init; }

    /// <summary>Of a send: what its acknowledgement waits for.</summary>
    public Acks Acks { get; init; }

    /// <summary>Of a poll: whether it belongs to the final read phase.</summary>
    public bool IsFinal { get; init; }

    /// <summary>Of a send: the number of the request of this process that it shares with others; 0 if it is alone.</summary>
    public int Batch { get; init; }

    /// <summary>Of a send: the index in <see cref="HistoryLog.Partitions"/>; -1 as long as the client has not chosen.</summary>
    public int Partition { get; init; }

    public long Invoked { get; init; }

    public long Completed { get; init; }

    /// <summary>Of a send: the value. Of another: its first slice.</summary>
    public long Value { get; init; }

    /// <summary>Of a send: the acknowledged offset, -1 without one. Of another: the number of its slices.</summary>
    public long Offset { get; init; }

    /// <summary>Whether this acknowledgement promises that the record stays.</summary>
    internal bool IsKept => Kind == OperationKind.Send && Outcome == Outcome.Ok && Acks == Acks.All;

    internal long FirstSlice => Value;

    internal int SliceCount => (int)Offset;
}

/// <summary>One record as it was read.</summary>
public readonly record struct ReadRecord(long Offset, long Value);

/// <summary>What one operation says of one partition.</summary>
/// <param name="Partition">The index in <see cref="HistoryLog.Partitions"/>.</param>
/// <param name="Position">The offset that a poll began at or an assignment goes on from; -1 if not known.</param>
/// <param name="End">The end (high watermark) that came with the records; -1 if not known.</param>
/// <param name="FirstRecord">Its first record in the history.</param>
/// <param name="RecordCount">How many there are.</param>
public readonly record struct PartitionSlice(int Partition, long Position, long End, long FirstRecord, int RecordCount);

/// <summary>Why offsets hold no record of the history.</summary>
public enum GapReason
{
    /// <summary>They hold records of the broker itself. Nothing acknowledged can lie there.</summary>
    Control,

    /// <summary>What was there was removed by retention, compaction or an administrator.</summary>
    Removed,
}

/// <summary>Offsets from <paramref name="From"/> up to, but not including, <paramref name="To"/> that need hold no record.</summary>
public readonly record struct OffsetGap(PartitionId Partition, long From, long To, GapReason Reason);
