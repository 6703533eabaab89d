using Weir.Protocol.Errors;

namespace Weir.Client.Connections;

/// <summary>The requests of one connection that wait for their reply. Thread-safe.</summary>
internal sealed class ReplyTable
{
    /// <summary>Most requests that may wait at once.</summary>
    public const int MaxOutstanding = 65_536;

    private readonly Lock _lock = new();
    private readonly Dictionary<uint, Entry> _entries = [];
    private uint _lastId;
    private WeirException? _closed;

    /// <summary>Whether nothing waits.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count == 0;
            }
        }
    }

    /// <summary>Adds a handler and gives it a correlation id; false once the table is closed.</summary>
    public bool TryAdd(IReplyHandler handler, long now, out uint correlationId)
    {
        lock (_lock)
        {
            correlationId = 0;
            if (_closed is not null)
            {
                return false;
            }

            if (_entries.Count >= MaxOutstanding)
            {
                throw new WeirException(
                    ErrorCode.LimitReached, $"{MaxOutstanding} requests wait for their reply on one connection");
            }

            do
            {
                correlationId = ++_lastId;
            }
            while (correlationId == 0 || _entries.ContainsKey(correlationId));

            _entries.Add(correlationId, new Entry(handler, now));
            return true;
        }
    }

    /// <summary>Takes the handler of a correlation id out.</summary>
    public IReplyHandler? Take(uint correlationId)
    {
        lock (_lock)
        {
            return _entries.Remove(correlationId, out var entry) ? entry.Handler : null;
        }
    }

    /// <summary>Whether a request was sent before a point in time and still waits.</summary>
    public bool HasOlderThan(long timestamp)
    {
        lock (_lock)
        {
            foreach (var entry in _entries.Values)
            {
                if (entry.SentAt < timestamp)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Refuses all later requests and gives back those that wait, in the order in which they were sent.</summary>
    public IReplyHandler[] Close(WeirException reason)
    {
        lock (_lock)
        {
            _closed = reason;
            IReplyHandler[] waiting = [.. _entries.OrderBy(static pair => pair.Value.SentAt).Select(static pair => pair.Value.Handler)];
            _entries.Clear();
            return waiting;
        }
    }

    private readonly record struct Entry(IReplyHandler Handler, long SentAt);
}
