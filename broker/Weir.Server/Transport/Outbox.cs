using Weir.Protocol.Wire;

namespace Weir.Server.Transport;

/// <summary>
/// What waits to be sent on one connection: encoded frames, and subscriptions that may have something. Frames collect in one
/// buffer while another is being sent, so that many leave in one call. Thread-safe; one send loop takes from it.
/// </summary>
internal sealed class Outbox : IDisposable
{
    private const int KeepBytes = 64 * 1024;
    private readonly Lock _gate = new();
    private readonly Queue<Subscription> _ready = new();
    private WireBuffer? _pending;
    private TaskCompletionSource? _drained;
    private bool _isSending;
    private bool _isClosed;

    /// <summary>Bytes of frames that wait.</summary>
    public int PendingBytes
    {
        get
        {
            lock (_gate)
            {
                return _pending?.Length ?? 0;
            }
        }
    }

    /// <summary>Encodes a frame at the end of what waits; dropped if the connection is closed.</summary>
    public void Append<TState>(TState state, Action<WireBuffer, TState> encode)
    {
        lock (_gate)
        {
            if (!_isClosed)
            {
                encode(_pending ??= new WireBuffer(1024), state);
            }
        }
    }

    /// <summary>Queues a subscription for its turn.</summary>
    public void AddReady(Subscription subscription)
    {
        lock (_gate)
        {
            _ready.Enqueue(subscription);
        }
    }

    /// <summary>Whether the caller should run the send loop: there is work and nobody else does.</summary>
    public bool TryStartSending()
    {
        lock (_gate)
        {
            if (_isSending || _isClosed || !HasWork)
            {
                return false;
            }

            return _isSending = true;
        }
    }

    /// <summary>Takes all frames and one ready subscription; ends the loop, and returns false, if there is neither.</summary>
    public bool TryTake(out WireBuffer? frames, out Subscription? subscription)
    {
        lock (_gate)
        {
            frames = _pending is { Length: > 0 } ? _pending : null;
            _ready.TryDequeue(out subscription);
            _drained?.TrySetResult();
            _drained = null;
            if (frames is not null)
            {
                _pending = null;
                return true;
            }

            if (subscription is not null)
            {
                return true;
            }

            // An idle connection holds no buffer.
            _pending?.Dispose();
            _pending = null;
            return _isSending = false;
        }
    }

    /// <summary>Takes one more ready subscription.</summary>
    public bool TryTakeReady(out Subscription? subscription)
    {
        lock (_gate)
        {
            return _ready.TryDequeue(out subscription);
        }
    }

    /// <summary>Gives a sent buffer back, to be filled again unless it grew large.</summary>
    public void Recycle(WireBuffer frames)
    {
        var isLarge = frames.Length > KeepBytes;
        frames.Clear();
        lock (_gate)
        {
            if (_pending is null && !_isClosed && _isSending && !isLarge)
            {
                _pending = frames;
                return;
            }
        }

        frames.Dispose();
    }

    /// <summary>Completes when what waits now has been taken.</summary>
    public Task WaitUntilTakenAsync()
    {
        lock (_gate)
        {
            if (_isClosed || (_pending?.Length ?? 0) == 0)
            {
                return Task.CompletedTask;
            }

            _drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _drained.Task;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            _pending?.Dispose();
            _pending = null;
            _ready.Clear();
            _drained?.TrySetResult();
            _drained = null;
        }
    }

    private bool HasWork => _pending is { Length: > 0 } || _ready.Count > 0;
}
