using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client.Connections;

/// <summary>The subscriptions of one connection. Thread-safe.</summary>
internal sealed class SubscriptionTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<uint, IDeliverySink> _sinks = [];
    private bool _isClosed;

    public bool IsEmpty
    {
        get
        {
            lock (_lock)
            {
                return _sinks.Count == 0;
            }
        }
    }

    public bool TryAdd(uint id, IDeliverySink sink)
    {
        lock (_lock)
        {
            return !_isClosed && _sinks.TryAdd(id, sink);
        }
    }

    public void Remove(uint id)
    {
        lock (_lock)
        {
            _sinks.Remove(id);
        }
    }

    /// <summary>Hands a delivery to its sink; one without a sink was on its way when the subscription ended.</summary>
    public void Deliver(
        FrameAssembler assembler, in FrameHeader header, ReadOnlyMemory<byte> body, DeferredCompletions later)
    {
        var push = WireReader.ReadAll<DeliverPush>(body, header.Version);
        IDeliverySink? sink;
        lock (_lock)
        {
            if (!_sinks.TryGetValue(push.SubscriptionId, out sink))
            {
                return;
            }
        }

        var length = push.Batches.Length;
        var frame = assembler.Detach(sink.WantsPooledFrames);
        sink.OnDeliver(frame, frame.Body[^length..], push.HighWatermark, later);
    }

    public void End(SubscriptionEndedPush push)
    {
        IDeliverySink? sink;
        lock (_lock)
        {
            _sinks.Remove(push.SubscriptionId, out sink);
        }

        sink?.OnEnded(WeirException.From(push.Error));
    }

    public void Close(WeirException reason)
    {
        IDeliverySink[] sinks;
        lock (_lock)
        {
            _isClosed = true;
            sinks = [.. _sinks.Values];
            _sinks.Clear();
        }

        foreach (var sink in sinks)
        {
            sink.OnEnded(reason);
        }
    }
}
