using Weir.Protocol.Messages;

namespace Weir.Client.Connections;

/// <summary>Takes what a coordinator pushes to one session. Called on the receiving thread: it must not block.</summary>
internal interface IGroupSink
{
    /// <summary>What the member may consume from now on.</summary>
    void OnAssignment(GroupAssignmentPush push);

    /// <summary>Records for the member; the bytes are its own.</summary>
    void OnDeliver(GroupDeliverPush push);

    /// <summary>The session is over.</summary>
    void OnEnded(WeirException reason);
}

/// <summary>The sessions of groups on one connection. Thread-safe.</summary>
internal sealed class GroupSessionTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<uint, IGroupSink> _sinks = [];
    private uint _lastId;
    private bool _isClosed;

    public bool IsEmpty
    {
        get
        {
            lock (_lock)
            {
                return _sinks.Count == 0;
            }
        }
    }

    /// <summary>Adds a session; 0 if the connection is closed.</summary>
    public uint Add(IGroupSink sink)
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return 0;
            }

            _sinks.Add(++_lastId, sink);
            return _lastId;
        }
    }

    public void Remove(uint id)
    {
        lock (_lock)
        {
            _sinks.Remove(id);
        }
    }

    /// <summary>The sink of a session; null for one that has ended here.</summary>
    public IGroupSink? Find(uint id)
    {
        lock (_lock)
        {
            return _sinks.GetValueOrDefault(id);
        }
    }

    public void Close(WeirException reason)
    {
        IGroupSink[] sinks;
        lock (_lock)
        {
            _isClosed = true;
            sinks = [.. _sinks.Values];
            _sinks.Clear();
        }

        foreach (var sink in sinks)
        {
            sink.OnEnded(reason);
        }
    }
}
