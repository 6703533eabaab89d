using System.Net.Sockets;
using Weir.Metadata.Quorum;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Server.Diagnostics;
using Weir.Server.Hosting;

namespace Weir.Server.Peers;

/// <summary>
/// One connection to another broker: opened when something is to be sent, opened again after a failure, with requests under
/// way until they are answered, time out or the connection breaks. Thread-safe; callbacks come on the receiving thread.
/// </summary>
internal sealed class PeerLink(
    int nodeId, Func<(string Host, int Port)?> address, BrokerContext broker, BrokerIdentity identity,
    PeerCredentials credentials, Action<int> onUnreachable) : IAsyncDisposable
{
    private const int MaxQueuedBytes = 64 * 1024 * 1024;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromMilliseconds(800);
    private static readonly TimeSpan MaxHandshakeTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(50);
    private readonly Lock _gate = new();
    private readonly Dictionary<uint, PendingRequest> _pending = [];
    private readonly CancellationTokenSource _closing = new();
    private WireBuffer _outgoing = new();
    private WireBuffer _sending = new();
    private Socket? _socket;
    private bool _isConnecting;
    private bool _isSending;
    private uint _nextCorrelationId;
    private long _lastFailure;
    private TimeSpan _handshakeTimeout = ConnectTimeout;
    private Task _running = Task.CompletedTask;

    /// <summary>Sends a request; exactly one call back.</summary>
    public void Send<TRequest, TResponse>(TRequest request, int timeoutMs, Action<PeerReply<TResponse>> onReply)
        where TRequest : class, IRequest<TResponse>, new()
        where TResponse : class, IMessage, new()
    {
        var pending = new PendingRequest<TResponse>(
            broker.Time.GetTimestamp() + timeoutMs * broker.Time.TimestampFrequency / 1000, onReply);
        lock (_gate)
        {
            if (MayQueue())
            {
                var correlationId = ++_nextCorrelationId;
                _pending[correlationId] = pending;
                var payload = Frames.Append(
                    _outgoing, FrameKind.Request, TRequest.Key, 1, correlationId, request);
                payload.Span.CopyTo(payload.IsEmpty ? [] : _outgoing.Append(payload.Length));
                Wake();
                return;
            }
        }

        ThreadPool.UnsafeQueueUserWorkItem(
            static state => state.Fail(ErrorCode.ConnectionLost, "the broker cannot be reached"), pending, preferLocal: false);
    }

    /// <summary>Gives up what was not answered in time.</summary>
    public void Sweep()
    {
        var now = broker.Time.GetTimestamp();
        List<PendingRequest>? late = null;
        lock (_gate)
        {
            foreach (var (id, pending) in _pending)
            {
                if (pending.Deadline <= now)
                {
                    (late ??= []).Add(pending);
                    _pending.Remove(id);
                }
            }
        }

        foreach (var pending in late ?? [])
        {
            pending.Fail(ErrorCode.RequestTimedOut, $"broker {nodeId} did not answer in time");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        Task running;
        lock (_gate)
        {
            _socket?.Dispose();
            running = _running;
        }

        await running.ConfigureAwait(false);
        _closing.Dispose();
    }

    private bool MayQueue() =>
        !_closing.IsCancellationRequested && _outgoing.Length < MaxQueuedBytes
            && (_socket is not null || _isConnecting
                || broker.Time.GetElapsedTime(_lastFailure) >= RetryInterval || _lastFailure == 0);

    private void Wake()
    {
        if (_socket is null)
        {
            if (!_isConnecting)
            {
                _isConnecting = true;
                _running = Task.Run(RunAsync);
            }
        }
        else if (!_isSending)
        {
            _isSending = true;
            _ = SendQueuedAsync(_socket);
        }
    }

    private async Task RunAsync()
    {
        Socket? socket = null;
        var fault = "it closed the connection";
        try
        {
            using var assembler = new FrameAssembler(broker.Options.MaxFrameBytes);
            socket = await ConnectAsync(assembler).ConfigureAwait(false);
            lock (_gate)
            {
                _socket = socket;
                _isConnecting = false;
                _isSending = true;
            }

            _ = SendQueuedAsync(socket);
            await ReceiveAsync(socket, assembler).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ProtocolException or ObjectDisposedException or OperationCanceledException)
        {
            fault = e.Message;
        }
        catch (Exception e)
        {
            fault = e.Message;
            ServerLog.PeerFailed(broker.Logger, e, nodeId);
        }

        socket?.Dispose();
        Break(fault, wasConnected: socket is not null);
    }

    private void Break(string fault, bool wasConnected)
    {
        List<PendingRequest> lost;
        lock (_gate)
        {
            lost = [.. _pending.Values];
            _pending.Clear();
            _outgoing.Clear();
            _socket = null;
            _isConnecting = false;
            _isSending = false;

            // One that was open is tried again at once: only if that fails too is the broker taken for lost.
            _lastFailure = wasConnected ? 0 : broker.Time.GetTimestamp();
        }

        ServerLog.PeerLost(broker.Logger, nodeId, fault);
        foreach (var pending in lost)
        {
            pending.Fail(ErrorCode.ConnectionLost, $"broker {nodeId}: {fault}");
        }

        if (!wasConnected && !_closing.IsCancellationRequested)
        {
            onUnreachable(nodeId);
        }
    }

    private async Task<Socket> ConnectAsync(FrameAssembler assembler)
    {
        if (address() is not { } target)
        {
            throw new ProtocolException(ErrorCode.ConnectionLost, $"the address of broker {nodeId} is not known");
        }

        using var timeout = new CancellationTokenSource(ConnectTimeout, broker.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _closing.Token);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(target.Host, target.Port, either.Token).ConfigureAwait(false);
            await GreetAsync(socket, assembler).ConfigureAwait(false);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Greets, within a time that grows as long as it is too short: brokers that are far away or slow would never find together
    /// otherwise.
    /// </summary>
    private async Task GreetAsync(Socket socket, FrameAssembler assembler)
    {
        using var timeout = new CancellationTokenSource(_handshakeTimeout, broker.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _closing.Token);
        var started = broker.Time.GetTimestamp();
        try
        {
            await PeerHandshake.RunAsync(socket, assembler, nodeId, identity, credentials, either.Token).ConfigureAwait(false);
            SetHandshakeTimeout(broker.Time.GetElapsedTime(started) * 3);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            SetHandshakeTimeout(_handshakeTimeout * 2);
            throw;
        }
    }

    private void SetHandshakeTimeout(TimeSpan timeout) => _handshakeTimeout = TimeSpan.FromTicks(
        Math.Clamp(timeout.Ticks, ConnectTimeout.Ticks, MaxHandshakeTimeout.Ticks));

    private async Task SendQueuedAsync(Socket socket)
    {
        try
        {
            while (true)
            {
                lock (_gate)
                {
                    if (_socket != socket || _outgoing.Length == 0)
                    {
                        _isSending = _socket != socket && _isSending;
                        return;
                    }

                    (_outgoing, _sending) = (_sending, _outgoing);
                }

                await socket.SendAsync(_sending.Memory, SocketFlags.None).ConfigureAwait(false);
                _sending.Clear();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The receiving side sees the end too, and tells those who wait.
            socket.Dispose();
            _sending.Clear();
        }
    }

    private async Task ReceiveAsync(Socket socket, FrameAssembler assembler)
    {
        while (true)
        {
            while (assembler.TryRead(out var header, out var body))
            {
                OnFrame(header, body);
            }

            var received = await socket.ReceiveAsync(assembler.GetMemory(), SocketFlags.None, _closing.Token).ConfigureAwait(false);
            if (received == 0)
            {
                return;
            }

            assembler.Advance(received);
        }
    }

    private void OnFrame(in FrameHeader header, ReadOnlyMemory<byte> body)
    {
        if (header.Kind != FrameKind.Response)
        {
            return;
        }

        PendingRequest? pending;
        lock (_gate)
        {
            _pending.Remove(header.CorrelationId, out pending);
        }

        if (pending is null)
        {
            return;
        }

        if (header.Flags.HasFlag(FrameFlags.Error))
        {
            var error = WireReader.ReadAll<ErrorMessage>(body, header.Version);
            pending.Fail(error.Error, error.Text);
        }
        else
        {
            pending.Complete(body, header.Version);
        }
    }

    private abstract class PendingRequest(long deadline)
    {
        public long Deadline => deadline;

        public abstract void Complete(ReadOnlyMemory<byte> body, ushort version);

        public abstract void Fail(ErrorCode code, string text);
    }

    private sealed class PendingRequest<TResponse>(long deadline, Action<PeerReply<TResponse>> onReply)
        : PendingRequest(deadline)
        where TResponse : class, IMessage, new()
    {
        public override void Complete(ReadOnlyMemory<byte> body, ushort version) =>
            onReply(new PeerReply<TResponse>(WireReader.ReadAll<TResponse>(body, version)));

        public override void Fail(ErrorCode code, string text) => onReply(new PeerReply<TResponse>(null, code, text));
    }
}
