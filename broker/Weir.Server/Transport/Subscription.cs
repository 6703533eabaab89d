using Weir.Server.Partitions;
using Weir.Storage;

namespace Weir.Server.Transport;

/// <summary>
/// The delivery of one partition on one connection. The send loop of the connection alone moves the cursor; credit is added
/// from the receive loop.
/// </summary>
internal sealed class Subscription(uint id, Connection connection, Partition partition, LogCursor start, long creditBytes)
{
    private long _creditBytes = creditBytes;
    private int _isQueued;

    public uint Id { get; } = id;

    public Connection Connection { get; } = connection;

    public Partition Partition { get; } = partition;

    /// <summary>The next batch to send.</summary>
    public LogCursor Cursor = start;

    /// <summary>Whether the partition has it in its list of waiting ones; under the partition's lock.</summary>
    public bool IsWaiting { get; set; }

    public volatile bool IsEnded;

    /// <summary>Bytes that may be sent; sending goes on while it is above zero, so it may end below.</summary>
    public long CreditBytes => Volatile.Read(ref _creditBytes);

    /// <summary>Adds what the client granted or, negative, what was sent; returns the new credit.</summary>
    public long AddCredit(long bytes) => Interlocked.Add(ref _creditBytes, bytes);

    /// <summary>Whether the caller is the one to queue it for sending.</summary>
    public bool TryQueue() => Interlocked.Exchange(ref _isQueued, 1) == 0;

    /// <summary>
    /// Before the credit and the records are looked at. With a full fence: who adds credit and finds it still queued must be sure
    /// that the look comes after that.
    /// </summary>
    public void TakenFromQueue() => Interlocked.Exchange(ref _isQueued, 0);
}
