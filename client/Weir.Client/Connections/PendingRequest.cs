using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client.Connections;

/// <summary>A request that a task waits for.</summary>
internal sealed class PendingRequest<TResponse> : IReplyHandler
    where TResponse : IMessage, new()
{
    private readonly TaskCompletionSource<TResponse> _source = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<TResponse> Task => _source.Task;

    public void OnReply(in FrameHeader header, ReadOnlyMemory<byte> body, DeferredCompletions later)
    {
        if ((header.Flags & FrameFlags.Error) != 0)
        {
            _source.TrySetException(WeirException.From(WireReader.ReadAll<ErrorMessage>(body, header.Version)));
            return;
        }

        try
        {
            // Copied: a payload is a view of the body, and outlives the receive buffer with the response.
            _source.TrySetResult(WireReader.ReadAll<TResponse>(body.ToArray(), header.Version));
        }
        catch (ProtocolException e)
        {
            _source.TrySetException(new WeirException(e.Code, $"the reply cannot be read: {e.Message}", e));
            throw;
        }
    }

    public void OnLost(WeirException reason) => _source.TrySetException(reason);
}
