using System.Net.Sockets;
using Weir.Protocol.Wire;

namespace Weir.Client.Connections;

/// <summary>
/// Sends frames. Whoever adds a frame while no send is under way sends it on its own thread; frames added meanwhile leave
/// together in the next send. Thread-safe.
/// </summary>
internal sealed class FrameSender(Socket socket, Action<Exception> onFault, Action onEnded) : IDisposable
{
    /// <summary>After so many sends for others, a caller's thread is given back to it.</summary>
    private const int InlineRounds = 2;

    private readonly Lock _lock = new();
    private OutboundFrames _filling = new();
    private OutboundFrames _spare = new();
    private bool _isSending;
    private bool _isClosed;

    /// <summary>Adds a frame without sending it; false once closed.</summary>
    public bool TryAdd<T>(
        FrameKind kind, ApiKeyAndVersion api, uint correlationId, T message, ISentHandler? sent = null)
        where T : IMessage
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return false;
            }

            _filling.Add(kind, api, correlationId, message, sent);
            return true;
        }
    }

    /// <summary>Sends what was added, on this thread as far as that needs no waiting, unless another thread sends already.</summary>
    public void Kick()
    {
        lock (_lock)
        {
            if (_isSending || _isClosed || _filling.IsEmpty)
            {
                return;
            }

            _isSending = true;
        }

        _ = DrainAsync();
    }

    /// <summary>Refuses later frames. The owner is told once no send is under way any more, maybe before this returns.</summary>
    public void Close()
    {
        bool idle;
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
            idle = !_isSending;
        }

        if (idle)
        {
            onEnded();
        }
    }

    /// <summary>After the end: tells those who wait for a push to leave, and returns the buffers.</summary>
    public void Release(WeirException reason)
    {
        _filling.Lost(reason);
        _spare.Lost(reason);
        Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _filling.Dispose();
        _spare.Dispose();
    }

    private async Task DrainAsync()
    {
        try
        {
            for (var round = 0; TakeNext() is { } frames; round++)
            {
                if (round == InlineRounds)
                {
                    await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                }

                await SendAsync(frames).ConfigureAwait(false);
                frames.Sent();
            }
        }
        catch (Exception fault)
        {
            // Whatever it is, a frame may have left in part: only the end of the connection is sound.
            onFault(fault);
            EndSending();
        }
    }

    private OutboundFrames? TakeNext()
    {
        lock (_lock)
        {
            if (!_isClosed && !_filling.IsEmpty)
            {
                (_filling, _spare) = (_spare, _filling);
                return _spare;
            }
        }

        EndSending();
        return null;
    }

    private void EndSending()
    {
        bool ended;
        bool again;
        lock (_lock)
        {
            ended = _isClosed;
            again = !_isClosed && !_filling.IsEmpty;
            _isSending = false;
        }

        if (ended)
        {
            onEnded();
        }
        else if (again)
        {
            Kick();
        }
    }

    private async ValueTask SendAsync(OutboundFrames frames)
    {
        if (frames.TryGetSingle(out var bytes))
        {
            while (bytes.Length > 0)
            {
                var sent = await socket.SendAsync(bytes, SocketFlags.None).ConfigureAwait(false);
                bytes = bytes[sent..];
            }

            return;
        }

        var pieces = frames.GetPieces();
        while (pieces.Count > 0)
        {
            Skip(pieces, await socket.SendAsync(pieces, SocketFlags.None).ConfigureAwait(false));
        }
    }

    /// <summary>Takes sent bytes off the front: normally all of them.</summary>
    private static void Skip(List<ArraySegment<byte>> pieces, int sent)
    {
        var whole = 0;
        while (whole < pieces.Count && sent >= pieces[whole].Count)
        {
            sent -= pieces[whole++].Count;
        }

        pieces.RemoveRange(0, whole);
        if (sent > 0)
        {
            pieces[0] = pieces[0][sent..];
        }
    }
}
