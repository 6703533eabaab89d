using System.Collections.Frozen;
using Weir.Protocol;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Server.Transport;

namespace Weir.Server.Handlers;

/// <summary>Serves one API.</summary>
/// <remarks>
/// A request that is refused throws <see cref="Protocol.Errors.ProtocolException"/>, which the connection answers. The body
/// is borrowed until the first await.
/// </remarks>
internal interface IApiHandler
{
    ApiKey Api { get; }

    ValueTask HandleAsync(Connection connection, FrameHeader header, ReadOnlyMemory<byte> body);
}

/// <summary>A handler whose requests take effect in the order they came in: the connection awaits each one.</summary>
internal interface IOrderedHandler : IApiHandler;

/// <summary>A handler of a request that gets one response.</summary>
internal abstract class RequestHandler<TRequest, TResponse> : IApiHandler
    where TRequest : IRequest<TResponse>, new()
    where TResponse : IMessage, new()
{
    public ApiKey Api => TRequest.Key;

    public async ValueTask HandleAsync(Connection connection, FrameHeader header, ReadOnlyMemory<byte> body)
    {
        var request = WireReader.ReadAll<TRequest>(body, header.Version);
        connection.Reply(header, await HandleAsync(connection, request).ConfigureAwait(false));
    }

    protected abstract ValueTask<TResponse> HandleAsync(Connection connection, TRequest request);
}

/// <summary>Finds the handler of an API.</summary>
internal sealed class HandlerTable(IEnumerable<IApiHandler> handlers)
{
    private readonly FrozenDictionary<ApiKey, IApiHandler> _handlers =
        handlers.ToFrozenDictionary(static handler => handler.Api);

    public static HandlerTable Empty { get; } = new([]);

    public IApiHandler? Find(ApiKey api) => _handlers.GetValueOrDefault(api);
}

/// <summary>Answers a ping.</summary>
internal sealed class PingHandler : RequestHandler<PingRequest, EmptyMessage>
{
    protected override ValueTask<EmptyMessage> HandleAsync(Connection connection, PingRequest request) =>
        ValueTask.FromResult(new EmptyMessage());
}
