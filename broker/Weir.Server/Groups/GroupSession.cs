using Weir.Groups;
using Weir.Protocol.Wire;
using Weir.Server.Transport;

namespace Weir.Server.Groups;

/// <summary>A member's session: the connection that it joined on. Thread-safe.</summary>
internal sealed class GroupSession(Connection connection, uint sessionId) : IGroupSession
{
    public uint SessionId => sessionId;

    public string Remote => connection.Remote;

    public bool IsOpen => !connection.IsClosed;

    public void Push<T>(T message)
        where T : IPush
    {
        connection.Push(message);
        connection.Flush(inline: false);
    }
}
