using System.Net.Sockets;
using Weir.Protocol.Errors;
using Weir.Protocol.Wire;

namespace Weir.Client.Connections;

/// <summary>
/// The receive loop of one connection. It runs on whichever pool thread the socket completes on, one at a time: the thread
/// dispatches what arrived, hands the next receive to the operating system, and only then runs at most one continuation of
/// the application (see <see cref="DeferredCompletions"/>).
/// </summary>
internal sealed class FrameReceiver : IDisposable
{
    private readonly Socket _socket;
    private readonly Action<FrameAssembler, FrameHeader, ReadOnlyMemory<byte>, DeferredCompletions> _dispatch;
    private readonly Action<Exception?> _onEnded;
    private readonly FrameAssembler _assembler = new(ProtocolLimits.FrameBytesBeforeAuthentication);
    private readonly DeferredCompletions _later = new();
    private readonly SocketAsyncEventArgs _args = new(true);
    private long _receivedBytes;

    /// <summary>Creates one; <see cref="Start"/> starts it.</summary>
    /// <param name="socket">The connected socket; owned by the connection.</param>
    /// <param name="dispatch">Handles one frame; must not block or run the application's code.</param>
    /// <param name="onEnded">Called once, last of all: null if the peer closed in order.</param>
    public FrameReceiver(
        Socket socket,
        Action<FrameAssembler, FrameHeader, ReadOnlyMemory<byte>, DeferredCompletions> dispatch,
        Action<Exception?> onEnded)
    {
        _socket = socket;
        _dispatch = dispatch;
        _onEnded = onEnded;
        _args.Completed += (_, _) => Run(hasReceived: true);
    }

    /// <summary>Bytes received so far; any thread may read it.</summary>
    public long ReceivedBytes => Volatile.Read(ref _receivedBytes);

    /// <summary>Accepts long frames from now on. Called from dispatch or before the peer may send such frames.</summary>
    public void AllowLongFrames() => _assembler.MaxFrameBytes = ProtocolLimits.FrameBytes;

    /// <summary>Starts to receive.</summary>
    public void Start() => Run(hasReceived: false);

    /// <inheritdoc/>
    public void Dispose()
    {
        _assembler.Dispose();
        _args.Dispose();
    }

    private void Run(bool hasReceived)
    {
        while (true)
        {
            Exception? fault = null;
            if (hasReceived && !TryProcess(out fault))
            {
                End(fault);
                return;
            }

            var lone = _later.Take();
            if (!TryReceive(out var isPending, out fault))
            {
                lone?.Complete(inline: false);
                End(fault);
                return;
            }

            // From here on another thread may run this loop: touch nothing but the local.
            lone?.Complete(inline: isPending);
            if (isPending)
            {
                return;
            }

            hasReceived = true;
        }
    }

    private void End(Exception? fault)
    {
        _later.Take()?.Complete(inline: false);
        _onEnded(fault);
    }

    private bool TryReceive(out bool isPending, out Exception? fault)
    {
        isPending = false;
        fault = null;
        try
        {
            _args.SetBuffer(_assembler.GetMemory());
            isPending = _socket.ReceiveAsync(_args);
            return true;
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException or ProtocolException)
        {
            fault = e;
            return false;
        }
    }

    private bool TryProcess(out Exception? fault)
    {
        fault = null;
        if (_args.SocketError != SocketError.Success)
        {
            fault = new SocketException((int)_args.SocketError);
            return false;
        }

        if (_args.BytesTransferred == 0)
        {
            return false;
        }

        Volatile.Write(ref _receivedBytes, _receivedBytes + _args.BytesTransferred);
        _assembler.Advance(_args.BytesTransferred);
        try
        {
            while (_assembler.TryRead(out var header, out var body))
            {
                _dispatch(_assembler, header, body, _later);
            }

            return true;
        }
        catch (Exception e)
        {
            // A frame that breaks the protocol, or a fault of ours: either way nothing after it can be trusted.
            fault = e;
            return false;
        }
    }
}
