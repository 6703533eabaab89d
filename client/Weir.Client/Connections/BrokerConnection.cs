using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client.Connections;

/// <summary>
/// One TCP connection to one broker, shared by all producers, consumers and administration calls. Ends once, by
/// <see cref="Close"/>, a fault, silence or the broker; then everything that waits on it is told, after the last send has
/// ended, so that no buffer is still in use. Thread-safe.
/// </summary>
internal sealed class BrokerConnection : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly WeirClientOptions _options;
    private readonly ILogger _logger;
    private readonly FrameSender _sender;
    private readonly FrameReceiver _receiver;
    private readonly ReplyTable _replies = new();
    private readonly SubscriptionTable _subscriptions = new();
    private readonly GroupSessionTable _sessions = new();
    private readonly ConnectionWatch _watch;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WeirException? _reason;
    private int _partsRunning = 2;
    private HelloResponse _hello = new();
    private TimeSpan _reconnectAfter;
    private long _drainedAt;

    private BrokerConnection(Socket socket, ServerAddress address, WeirClientOptions options, ILogger logger)
    {
        _socket = socket;
        _options = options;
        _logger = logger;
        Address = address;
        _sender = new FrameSender(socket, fault => Close(fault), EndPart);
        _receiver = new FrameReceiver(socket, Dispatch, EndReceiving);
        _watch = new ConnectionWatch(this, options);
    }

    /// <summary>Where it was connected to.</summary>
    public ServerAddress Address { get; }

    /// <summary>What the broker said of itself.</summary>
    public HelloResponse Hello => _hello;

    /// <summary>Room for produce requests.</summary>
    public ProduceWindow Window { get; } = new();

    /// <summary>Whether it can still be used.</summary>
    public bool IsOpen => Volatile.Read(ref _reason) is null;

    /// <summary>Whether something is awaited from it that does not come.</summary>
    public bool IsQuiet => _watch.IsQuiet;

    /// <summary>Completes, never faulted, once everything that waited on the connection was told of its end.</summary>
    public Task Ended => _ended.Task;

    /// <summary>How long the broker asked to stay away, from now on; zero if it did not, or that time is over.</summary>
    public TimeSpan ReconnectAfter
    {
        get
        {
            var left = _reconnectAfter - Time.GetElapsedTime(_drainedAt);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    internal TimeProvider Time => _options.TimeProvider;

    internal long ReceivedBytes => _receiver.ReceivedBytes;

    internal bool HasOverdueReply(TimeSpan age) =>
        _replies.HasOlderThan(Time.GetTimestamp() - (long)(age.TotalSeconds * Time.TimestampFrequency));

    internal bool HasOutstanding => !_replies.IsEmpty || !_subscriptions.IsEmpty || !_sessions.IsEmpty;

    /// <summary>Connects, greets and authenticates.</summary>
    /// <exception cref="WeirException">Nothing of that worked within <see cref="WeirClientOptions.ConnectTimeout"/>.</exception>
    public static async Task<BrokerConnection> ConnectAsync(
        ServerAddress address, int nodeId, string? clusterId, WeirClientOptions options, ILogger logger, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(options.ConnectTimeout, options.TimeProvider);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, ct);
        try
        {
            var socket = await OpenAsync(address, both.Token).ConfigureAwait(false);
            var connection = new BrokerConnection(socket, address, options, logger);
            await connection.StartAsync(nodeId, clusterId, both.Token).ConfigureAwait(false);
            ClientLog.Connected(logger, address, connection._hello.NodeId, connection._hello.ClusterId);
            return connection;
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw WeirException.Lost($"{address} did not answer within {options.ConnectTimeout}", e);
        }
        catch (SocketException e)
        {
            throw WeirException.Lost($"cannot connect to {address}: {e.Message}", e);
        }
    }

    /// <summary>Sends a request whose reply goes to a handler; false, and no call of the handler, once closed.</summary>
    /// <exception cref="WeirException">Something in the request is larger than the protocol allows; the handler is not called.</exception>
    public bool TryRequest<TRequest>(ApiKey api, TRequest request, IReplyHandler handler)
        where TRequest : IMessage
    {
        if (!_replies.TryAdd(handler, Time.GetTimestamp(), out var correlationId))
        {
            return false;
        }

        try
        {
            if (!_sender.TryAdd(FrameKind.Request, new ApiKeyAndVersion(api, 1), correlationId, request))
            {
                // Whoever takes the handler out of the table is the one to answer: here, or the end of the connection.
                return _replies.Take(correlationId) is null;
            }
        }
        catch (ProtocolException e)
        {
            // It is not on its way: no answer is missing.
            _replies.Take(correlationId);
            throw new WeirException(e.Code, $"{api} cannot be sent: {e.Message}", e);
        }

        _sender.Kick();
        return true;
    }

    /// <summary>Sends a message without a reply; false, and no call of the handler, once closed.</summary>
    public bool TryPush<T>(ApiKey api, T message, ISentHandler? sent = null)
        where T : IMessage
    {
        if (!_sender.TryAdd(FrameKind.Push, new ApiKeyAndVersion(api, 1), 0, message, sent))
        {
            return false;
        }

        _sender.Kick();
        return true;
    }

    /// <summary>Sends a request and awaits its reply.</summary>
    /// <exception cref="WeirException">The broker's error, its silence, or the loss of the connection.</exception>
    public async Task<TResponse> RequestAsync<TRequest, TResponse>(
        TRequest request, TimeSpan timeout, CancellationToken ct)
        where TRequest : IRequest<TResponse>
        where TResponse : IMessage, new()
    {
        CheckSupported(TRequest.Key);
        var pending = new PendingRequest<TResponse>();
        if (!TryRequest(TRequest.Key, request, pending))
        {
            throw _reason ?? WeirException.Lost($"the connection to {Address} is closed");
        }

        try
        {
            return await pending.Task.WaitAsync(timeout, Time, ct).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new WeirException(
                ErrorCode.RequestTimedOut, $"{Address} did not answer {TRequest.Key} within {timeout}", e);
        }
    }

    /// <summary>Has deliveries of a subscription go to a sink from now on.</summary>
    public bool TryAddSubscription(uint id, IDeliverySink sink) => _subscriptions.TryAdd(id, sink);

    /// <summary>Drops deliveries of a subscription from now on.</summary>
    public void RemoveSubscription(uint id) => _subscriptions.Remove(id);

    /// <summary>Has pushes of a group's session go to a sink; its id, 0 if the connection is closed.</summary>
    public uint AddGroupSession(IGroupSink sink) => _sessions.Add(sink);

    /// <summary>Drops pushes of a session from now on.</summary>
    public void RemoveGroupSession(uint id) => _sessions.Remove(id);

    /// <summary>Ends the connection; does nothing the second time.</summary>
    public void Close(Exception? fault)
    {
        var reason = fault switch
        {
            WeirException known => known,
            ProtocolException broken => new WeirException(
                broken.Code, $"{Address} does not speak Weir's protocol here: {broken.Message}", broken),
            null => WeirException.Lost($"{Address} closed the connection"),
            _ => WeirException.Lost($"the connection to {Address} is lost: {fault.Message}", fault),
        };
        if (Interlocked.CompareExchange(ref _reason, reason, null) is null)
        {
            _watch.Dispose();
            _socket.Dispose();
            _sender.Close();
        }
    }

    /// <summary>Closes and waits until everything that waited on it was told.</summary>
    public async ValueTask DisposeAsync()
    {
        Close(WeirException.Lost("the client was disposed"));
        await _ended.Task.ConfigureAwait(false);
    }

    private static async Task<Socket> OpenAsync(ServerAddress address, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address.Host, address.Port, ct).ConfigureAwait(false);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task StartAsync(int nodeId, string? clusterId, CancellationToken ct)
    {
        _receiver.Start();
        try
        {
            var hello = Handshake.CreateHello(
                _options.ClientId, clusterId, nodeId, passOn: _options.ThroughServers && nodeId >= 0);
            _hello = await RequestAsync<HelloRequest, HelloResponse>(hello, _options.ConnectTimeout, ct).ConfigureAwait(false);
            Handshake.Check(_hello, clusterId, Address);
            Window.LimitBytes = Math.Max(_hello.ProduceWindowBytes, 1);

            // The broker may use long frames as soon as it has sent its reply: allow them before asking.
            _receiver.AllowLongFrames();
            var proof = await RequestAsync<AuthenticateRequest, AuthenticateResponse>(
                new AuthenticateRequest(), _options.ConnectTimeout, ct).ConfigureAwait(false);
            if (!proof.Done)
            {
                throw new WeirException(ErrorCode.AuthenticationFailed, $"{Address} wants more than anonymous access");
            }

            _watch.Start();
        }
        catch (Exception e)
        {
            Close(e as WeirException ?? WeirException.Lost($"the handshake with {Address} did not end", e));
            throw;
        }
    }

    private void CheckSupported(ApiKey api)
    {
        if (api is not (ApiKey.Hello or ApiKey.Authenticate) && !Handshake.Speaks(_hello, api))
        {
            throw new WeirException(
                ErrorCode.UnsupportedVersion, $"broker {_hello.BrokerVersion} at {Address} does not speak version 1 of {api}");
        }
    }

    private void Dispatch(
        FrameAssembler assembler, FrameHeader header, ReadOnlyMemory<byte> body, DeferredCompletions later)
    {
        switch (header.Kind)
        {
            case FrameKind.Response when header.CorrelationId == 0 && (header.Flags & FrameFlags.Error) != 0:
                // The broker's last word before it closes: it stands for everything that waits.
                Close(WeirException.From(WireReader.ReadAll<ErrorMessage>(body, header.Version)));
                break;
            case FrameKind.Response:
                _replies.Take(header.CorrelationId)?.OnReply(header, body, later);
                break;
            case FrameKind.Push:
                DispatchPush(assembler, header, body, later);
                break;
            default:
                throw new ProtocolException(ErrorCode.UnexpectedMessage, $"a broker does not send the request {header.Api}");
        }
    }

    private void DispatchPush(
        FrameAssembler assembler, FrameHeader header, ReadOnlyMemory<byte> body, DeferredCompletions later)
    {
        switch (header.Api)
        {
            case ApiKey.Deliver:
                _subscriptions.Deliver(assembler, header, body, later);
                break;
            case ApiKey.SubscriptionEnded:
                _subscriptions.End(WireReader.ReadAll<SubscriptionEndedPush>(body, header.Version));
                break;
            case ApiKey.GroupAssignment:
                var assignment = WireReader.ReadAll<GroupAssignmentPush>(body, header.Version);
                _sessions.Find(assignment.SessionId)?.OnAssignment(assignment);
                break;
            case ApiKey.GroupDeliver:
                var delivery = WireReader.ReadAll<GroupDeliverPush>(body, header.Version);
                delivery.Records = delivery.Records.ToArray();
                _sessions.Find(delivery.SessionId)?.OnDeliver(delivery);
                break;
            case ApiKey.GroupSessionEnded:
                var ended = WireReader.ReadAll<GroupSessionEndedPush>(body, header.Version);
                _sessions.Find(ended.SessionId)?.OnEnded(WeirException.From(ended.Error));
                _sessions.Remove(ended.SessionId);
                break;
            case ApiKey.Drain:
                var drain = WireReader.ReadAll<DrainPush>(body, header.Version);
                _drainedAt = Time.GetTimestamp();
                _reconnectAfter = TimeSpan.FromMilliseconds(Math.Clamp(drain.ReconnectAfterMs, 0, 600_000));
                ClientLog.Draining(_logger, Address, drain.Reason, drain.ReconnectAfterMs);
                break;
            default:
                // A push that a later broker has and this client does not need.
                break;
        }
    }

    private void EndReceiving(Exception? fault)
    {
        Close(fault);
        EndPart();
    }

    /// <summary>Called once by the sender and once by the receiver; the second call tells all who wait.</summary>
    private void EndPart()
    {
        if (Interlocked.Decrement(ref _partsRunning) > 0)
        {
            return;
        }

        try
        {
            TellAll(_reason!);
        }
        finally
        {
            // Even if one of them failed: nobody may wait for ever for the end.
            _ended.TrySetResult();
        }
    }

    private void TellAll(WeirException reason)
    {
        ClientLog.Disconnected(_logger, Address, reason.Message);
        var waiting = _replies.Close(reason);
        _receiver.Dispose();
        _sender.Release(reason);
        foreach (var handler in waiting)
        {
            handler.OnLost(reason);
        }

        Window.Close();
        _subscriptions.Close(reason);
        _sessions.Close(reason);
    }
}
