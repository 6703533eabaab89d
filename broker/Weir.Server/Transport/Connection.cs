using System.Collections.Concurrent;
using System.Net.Sockets;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Server.Diagnostics;
using Weir.Server.Handlers;
using Weir.Replication.Partitions;
using Weir.Storage;

namespace Weir.Server.Transport;

/// <summary>How far a connection has come; each API is allowed from one of these on.</summary>
internal enum SessionState
{
    /// <summary>Nothing but a hello is allowed.</summary>
    Greeting,

    /// <summary>Nothing but authenticate is allowed.</summary>
    Authenticating,

    /// <summary>Everything is allowed.</summary>
    Ready,
}

/// <summary>
/// One client's connection: a receive loop that hands requests to their handlers, and a <see cref="ConnectionSender"/>.
/// Replies may be queued from any thread and in any order.
/// </summary>
internal sealed class Connection : IDisposable, IAckSink
{
    private const int MaxConcurrentRequests = 64;
    private const int MaxSessions = 10_000;
    private const int MaxPendingReplyBytes = 4 * 1024 * 1024;
    private readonly Socket _socket;
    private readonly BrokerContext _broker;
    private readonly FrameAssembler _assembler;
    private readonly ConnectionSender _sender;
    private readonly ConcurrentDictionary<uint, Subscription> _subscriptions = new();
    private readonly SemaphoreSlim _requests = new(MaxConcurrentRequests, MaxConcurrentRequests);
    private readonly ConcurrentDictionary<uint, Action> _sessions = new();
    private long _unansweredProduceBytes;
    private int _isClosed;
    private volatile bool _isFaultAnswered;

    public Connection(Socket socket, BrokerContext broker)
    {
        _socket = socket;
        _broker = broker;
        Remote = socket.RemoteEndPoint?.ToString() ?? "unknown";
        OpenedAt = broker.Time.GetTimestamp();
        _assembler = new FrameAssembler(ProtocolLimits.FrameBytesBeforeAuthentication, broker.ReceiveBudget);
        _sender = new ConnectionSender(socket, this, broker);
    }

    public string Remote { get; }

    public long OpenedAt { get; }

    public SessionState State { get; private set; }

    /// <summary>The client's name for itself, for logs.</summary>
    public string ClientName { get; private set; } = string.Empty;

    /// <summary>Node id of the broker that this connection has proven to be; null for a client.</summary>
    public int? PeerNodeId { get; set; }

    /// <summary>What a broker must answer to prove itself; empty before it asked.</summary>
    public byte[] PeerChallenge { get; set; } = [];

    /// <summary>The way to the broker that the client means; null if it is this one.</summary>
    public Tunnel? Tunnel { get; set; }

    public bool IsClosed => Volatile.Read(ref _isClosed) != 0;

    public int SubscriptionCount => _subscriptions.Count;

    /// <summary>When the send that is in progress began; 0 if none is.</summary>
    public long SendingSince => _sender.SendingSince;

    /// <summary>Serves the client until it leaves or breaks a rule; never throws.</summary>
    public async Task RunAsync()
    {
        try
        {
            await ReceiveAsync().ConfigureAwait(false);
        }
        catch (ProtocolException e)
        {
            await SayGoodbyeAsync(e).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            ServerLog.ConnectionLost(_broker.Logger, Remote, e.Message);
        }
        catch (Exception e)
        {
            ServerLog.ConnectionFailed(_broker.Logger, e, Remote);
        }
        finally
        {
            Abort();
        }
    }

    /// <summary>Enters the next state; frames may be large from <see cref="SessionState.Ready"/> on.</summary>
    public void Enter(SessionState state, string? clientName = null)
    {
        State = state;
        ClientName = clientName ?? ClientName;
        if (state == SessionState.Ready)
        {
            _assembler.MaxFrameBytes = _broker.Options.MaxFrameBytes;
        }
    }

    /// <summary>Queues a successful response.</summary>
    public void Reply<T>(in FrameHeader request, T response)
        where T : IMessage
    {
        _sender.Append((request, response), static (buffer, state) =>
        {
            var payload = Frames.Append(
                buffer, FrameKind.Response, state.request.Api, state.request.Version, state.request.CorrelationId,
                state.response);
            if (!payload.IsEmpty)
            {
                payload.Span.CopyTo(buffer.Append(payload.Length));
            }
        });
        _broker.Metrics.CountRequest(request.Api, ErrorCode.None);
    }

    /// <inheritdoc/>
    public void Acknowledge(in PendingAck ack, bool isAlone)
    {
        _sender.Append(ack, static (buffer, ack) => Frames.Append(
            buffer, FrameKind.Response, ApiKey.Produce, 1, ack.CorrelationId, new ProduceResponse
            {
                BaseOffset = ack.Outcome.BaseOffset,
                AppendTimeMs = ack.Outcome.AppendTimeMs,
                Durability = ack.Durability,
                Duplicate = ack.Outcome.IsDuplicate,
            }));
        _broker.Metrics.CountProduced(ack.ReceivedAt);
        ProduceDone(ack.BatchBytes);

        // A lone acknowledgement leaves from this thread: its producer waits for it. Many are sent by the pool, so that the
        // flush goes on.
        Flush(inline: isAlone);
    }

    /// <inheritdoc/>
    public void Refuse(in PendingAck ack, ErrorCode code, string text, bool isAlone)
    {
        ReplyError(ApiKey.Produce, 1, ack.CorrelationId, code, text);
        ProduceDone(ack.BatchBytes);
        Flush(inline: isAlone);
    }

    /// <summary>Queues an error response.</summary>
    public void ReplyError(ApiKey api, ushort version, uint correlationId, ErrorCode code, string text)
    {
        _sender.Append((api, version, correlationId, error: ErrorMessage.Create(code, text)), static (buffer, state) =>
            Frames.AppendError(buffer, state.api, state.version, state.correlationId, state.error));
        _broker.Metrics.CountRequest(api, code);
    }

    /// <summary>Queues a push.</summary>
    public void Push<T>(T message)
        where T : IPush
    {
        // What goes through a tunnel is between the client and the other broker.
        if (Tunnel is null)
        {
            _sender.Append(message, static (buffer, state) =>
            {
                var payload = Frames.Append(buffer, FrameKind.Push, T.Key, 1, 0, state);
                if (!payload.IsEmpty)
                {
                    payload.Span.CopyTo(buffer.Append(payload.Length));
                }
            });
        }
    }

    /// <summary>Starts sending what is queued.</summary>
    public void Flush(bool inline = true) => _sender.Start(inline);

    /// <summary>Says that a subscription may have something to send.</summary>
    public void MarkReady(Subscription subscription)
    {
        if (!subscription.IsEnded && subscription.TryQueue())
        {
            _sender.AddReady(subscription);
            _sender.Start(inline: false);
        }
    }

    /// <summary>Adds a subscription; false if the id is in use.</summary>
    public bool TryAddSubscription(Subscription subscription) => _subscriptions.TryAdd(subscription.Id, subscription);

    public bool TryGetSubscription(uint id, out Subscription? subscription) => _subscriptions.TryGetValue(id, out subscription);

    /// <summary>Ends a subscription at the client's wish; false if there is none.</summary>
    public bool TryRemoveSubscription(uint id)
    {
        if (!_subscriptions.TryRemove(id, out var subscription))
        {
            return false;
        }

        subscription.IsEnded = true;
        subscription.Partition.StopWaiting(subscription);
        return true;
    }

    /// <summary>Ends a subscription and tells the client why.</summary>
    public void EndSubscription(Subscription subscription, ErrorCode code, string text)
    {
        if (TryRemoveSubscription(subscription.Id))
        {
            Push(new SubscriptionEndedPush { SubscriptionId = subscription.Id, Error = ErrorMessage.Create(code, text) });
            Flush(inline: false);
        }
    }

    /// <summary>Ends the subscriptions to a log, as when its topic is deleted.</summary>
    public void EndSubscriptions(LogIdentity log, ErrorCode code, string text)
    {
        foreach (var subscription in _subscriptions.Values.Where(s => s.Partition.Log.Identity == log))
        {
            EndSubscription(subscription, code, text);
        }
    }

    /// <summary>Adds a member's session of a group, or puts it in the place of one with its id; false if there are too many.</summary>
    /// <param name="id">The id that the client chose.</param>
    /// <param name="onClosed">Called once when the connection is closed, at once if it is.</param>
    public bool TryAddSession(uint id, Action onClosed)
    {
        if (_sessions.Count >= MaxSessions && !_sessions.ContainsKey(id))
        {
            return false;
        }

        _sessions[id] = onClosed;
        if (IsClosed && _sessions.TryRemove(id, out _))
        {
            onClosed();
        }

        return true;
    }

    public void ProduceStarted(int bytes) => Interlocked.Add(ref _unansweredProduceBytes, bytes);

    public void ProduceDone(int bytes) => Interlocked.Add(ref _unansweredProduceBytes, -bytes);

    /// <summary>Closes the socket; the loops end by it.</summary>
    public void Abort()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 0)
        {
            _socket.Dispose();
            foreach (var id in _subscriptions.Keys)
            {
                TryRemoveSubscription(id);
            }

            _sender.Dispose();
            foreach (var id in _sessions.Keys)
            {
                if (_sessions.TryRemove(id, out var onClosed))
                {
                    onClosed();
                }
            }
        }
    }

    /// <summary>Returns the receive buffer; after <see cref="RunAsync()"/> has ended.</summary>
    public void Dispose()
    {
        Abort();
        _assembler.Dispose();
    }

    private async Task ReceiveAsync()
    {
        var isFirst = true;
        while (true)
        {
            if (!_assembler.HasPartialFrame)
            {
                // Wait without a buffer: an idle connection costs none.
                _assembler.ReleaseIfEmpty();
                await _socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None).ConfigureAwait(false);
            }

            var memory = _assembler.GetMemory();
            var received = await _socket.ReceiveAsync(memory, SocketFlags.None).ConfigureAwait(false);
            if (received == 0)
            {
                return;
            }

            if (isFirst && Stranger.Recognise(memory.Span[..received]) is { } protocol)
            {
                await SendAwayAsync(protocol).ConfigureAwait(false);
                return;
            }

            isFirst = false;
            _broker.Metrics.CountReceived(received);
            _assembler.Advance(received);
            while (_assembler.TryRead(out var header, out var body))
            {
                await DispatchAsync(header, body).ConfigureAwait(false);
            }

            if (Tunnel is { } tunnel)
            {
                await PassOnAsync(tunnel).ConfigureAwait(false);
                return;
            }

            Flush();
            await WaitForRoomAsync().ConfigureAwait(false);
        }
    }

    private async Task PassOnAsync(Tunnel tunnel)
    {
        using (tunnel)
        {
            if (_assembler.HasPartialFrame)
            {
                throw new ProtocolException(ErrorCode.UnexpectedMessage, "nothing may follow a hello before its answer");
            }

            _assembler.ReleaseIfEmpty();
            await tunnel.RunAsync(_socket).ConfigureAwait(false);
        }
    }

    /// <summary>A client that does not take its replies, or has too much unanswered, is not read from.</summary>
    private async ValueTask WaitForRoomAsync()
    {
        while (_sender.PendingBytes > MaxPendingReplyBytes && !IsClosed)
        {
            await _sender.WaitUntilTakenAsync().ConfigureAwait(false);
        }

        while (Volatile.Read(ref _unansweredProduceBytes) > _broker.Options.ProduceWindowBytes && !IsClosed)
        {
            await _broker.FlushProgress.WaitAsync().ConfigureAwait(false);
        }
    }

    private async ValueTask DispatchAsync(FrameHeader header, ReadOnlyMemory<byte> body)
    {
        var handler = CheckAllowed(header);
        if (handler is null)
        {
            return;
        }

        if (handler is IOrderedHandler)
        {
            await RunAsync(handler, header, body).ConfigureAwait(false);
            return;
        }

        // Handlers decode before they wait, so the body is theirs for the first synchronous part only.
        await _requests.WaitAsync().ConfigureAwait(false);
        _ = RunAndReleaseAsync(handler, header, body);
    }

    private IApiHandler? CheckAllowed(in FrameHeader header)
    {
        if (header.Kind == FrameKind.Response)
        {
            throw new ProtocolException(ErrorCode.UnexpectedMessage, "a broker asks nothing, so it awaits no response");
        }

        var required = header.Api switch
        {
            ApiKey.Hello => SessionState.Greeting,
            ApiKey.Authenticate => SessionState.Authenticating,
            _ => SessionState.Ready,
        };
        if (State != required)
        {
            throw new ProtocolException(
                State == SessionState.Authenticating ? ErrorCode.AuthenticationRequired : ErrorCode.UnexpectedMessage,
                $"{header.Api} is not allowed in state {State}");
        }

        var isPushAllowed = header.Api is ApiKey.Credit or ApiKey.Produce;
        var isRequestAllowed = header.Api != ApiKey.Credit;
        if (header.Kind == FrameKind.Push ? !isPushAllowed : !isRequestAllowed)
        {
            throw new ProtocolException(ErrorCode.UnexpectedMessage, $"{header.Api} does not come as a {header.Kind}");
        }

        var handler = _broker.Handlers.Find(header.Api);
        if (handler is null)
        {
            ReplyError(header.Api, header.Version, header.CorrelationId, ErrorCode.UnknownApi, $"API {header.Api} is not known");
        }
        else if (!ApiTable.Supports(header.Api, header.Version))
        {
            ReplyError(
                header.Api, header.Version, header.CorrelationId, ErrorCode.UnsupportedVersion,
                $"version {header.Version} of {header.Api} is not spoken here");
            handler = null;
        }

        return handler;
    }

    private async Task RunAndReleaseAsync(IApiHandler handler, FrameHeader header, ReadOnlyMemory<byte> body)
    {
        try
        {
            await RunAsync(handler, header, body).ConfigureAwait(false);
        }
        catch (ProtocolException e)
        {
            await SayGoodbyeAsync(e).ConfigureAwait(false);
            Abort();
        }
        catch (Exception e)
        {
            ServerLog.ConnectionFailed(_broker.Logger, e, Remote);
            Abort();
        }
        finally
        {
            _requests.Release();
            Flush();
        }
    }

    private async ValueTask RunAsync(IApiHandler handler, FrameHeader header, ReadOnlyMemory<byte> body)
    {
        try
        {
            await handler.HandleAsync(this, header, body).ConfigureAwait(false);
        }
        catch (ProtocolException e)
        {
            if (header.Kind == FrameKind.Request)
            {
                ReplyError(header.Api, header.Version, header.CorrelationId, e.Code, e.Message);
                _isFaultAnswered = true;
            }

            if (ErrorCatalog.Get(e.Code).ClosesConnection)
            {
                throw;
            }

            _isFaultAnswered = false;
        }
        catch (Exception e) when (e is LogCorruptException or IOException)
        {
            ServerLog.RequestFailed(_broker.Logger, e, header.Api, Remote);
            ReplyError(
                header.Api, header.Version, header.CorrelationId,
                e is LogCorruptException ? ErrorCode.CorruptLog : ErrorCode.Internal, e.Message);
        }
    }

    private async Task SayGoodbyeAsync(ProtocolException reason)
    {
        ServerLog.ConnectionRefused(_broker.Logger, Remote, reason.Code, reason.Message);
        if (!_isFaultAnswered)
        {
            ReplyError(ApiKey.Hello, 1, 0, reason.Code, reason.Message);
        }

        await _sender.DrainAsync(TimeSpan.FromSeconds(1)).ConfigureAwait(false);
    }

    private async Task SendAwayAsync(string protocol)
    {
        ServerLog.Stranger(_broker.Logger, Remote, protocol);
        if (protocol == "HTTP")
        {
            await _socket.SendAsync(Transport.Stranger.HttpAnswer, SocketFlags.None).ConfigureAwait(false);
        }
    }
}
