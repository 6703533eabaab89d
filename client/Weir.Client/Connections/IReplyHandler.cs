using Weir.Protocol.Wire;

namespace Weir.Client.Connections;

/// <summary>
/// Waits for one reply. Called at most once, on the receive loop or after the connection's last send has ended: never
/// blocks, never throws, never runs the application's code.
/// </summary>
internal interface IReplyHandler
{
    /// <summary>The reply, error or not; <paramref name="body"/> is borrowed until the call returns.</summary>
    void OnReply(in FrameHeader header, ReadOnlyMemory<byte> body, DeferredCompletions later);

    /// <summary>The connection ended: whether the request took effect is not known.</summary>
    void OnLost(WeirException reason);
}

/// <summary>Waits for a push to leave. Same rules as <see cref="IReplyHandler"/>.</summary>
internal interface ISentHandler
{
    /// <summary>The operating system has taken all bytes.</summary>
    void OnSent();

    /// <summary>The connection ended before that.</summary>
    void OnLost(WeirException reason);
}

/// <summary>Takes what the broker pushes for one subscription. Same rules as <see cref="IReplyHandler"/>.</summary>
internal interface IDeliverySink
{
    /// <summary>Batches as stored, in a frame that the sink owns from now on.</summary>
    /// <param name="frame">Holds the batches.</param>
    /// <param name="batches">The batches in it, valid until the frame is disposed.</param>
    /// <param name="highWatermark">The partition's high watermark.</param>
    /// <param name="later">Where continuations of the application go.</param>
    void OnDeliver(PooledFrame frame, ReadOnlyMemory<byte> batches, long highWatermark, DeferredCompletions later);

    /// <summary>Whether frames for it should come from the pool.</summary>
    bool WantsPooledFrames { get; }

    /// <summary>The broker ended the subscription, or the connection ended.</summary>
    void OnEnded(WeirException reason);
}

/// <summary>A continuation of the application that waits for its turn.</summary>
internal interface IDeferredCompletion
{
    /// <summary>Runs it: on this thread, or queued to the thread pool.</summary>
    void Complete(bool inline);
}

/// <summary>
/// Continuations found while one piece of received bytes was dispatched. One alone may run on the receiving thread, after
/// the next receive was handed to the operating system: that saves a thread hop for a lone awaited publish, and code that
/// blocks there holds up nothing, because the next bytes arrive on another thread. Two or more go to the thread pool.
/// </summary>
internal sealed class DeferredCompletions
{
    private IDeferredCompletion? _first;

    public void Add(IDeferredCompletion completion)
    {
        if (_first is null)
        {
            _first = completion;
            return;
        }

        completion.Complete(inline: false);
        Crowded = true;
    }

    /// <summary>Whether there was more than one since the last take.</summary>
    public bool Crowded { get; private set; }

    /// <summary>Takes the lone completion out, or null if there is none left.</summary>
    public IDeferredCompletion? Take()
    {
        var first = _first;
        _first = null;
        if (Crowded)
        {
            Crowded = false;
            first?.Complete(inline: false);
            return null;
        }

        return first;
    }
}
