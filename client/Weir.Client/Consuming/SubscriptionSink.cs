using Weir.Client.Connections;
using Weir.Protocol;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Client.Consuming;

/// <summary>
/// One subscription on one connection: takes its reply, its deliveries and its end, and gives credit back. A later
/// subscription of the same partition has a sink of its own; what comes late for an old one is dropped.
/// </summary>
internal sealed class SubscriptionSink(
    ConsumerSession session, PartitionReader reader, ReadCursor cursor, BrokerConnection connection, uint id)
    : IDeliverySink, IReplyHandler
{
    private readonly CreditPush _credit = new() { SubscriptionId = id };
    private long _owedBytes;

    public PartitionReader Reader => reader;

    public ReadCursor Cursor => cursor;

    public bool WantsPooledFrames => session.UsesPooledFrames;

    /// <summary>Asks for the subscription; false if the connection has ended.</summary>
    public bool TryStart(Guid topicId, int creditBytes)
    {
        var start = cursor.Start;
        var request = new SubscribeRequest
        {
            SubscriptionId = id,
            TopicId = topicId,
            Partition = reader.Partition,
            Start = start.Position,
            StartValue = start.Value,
            CreditBytes = creditBytes,
            CheckFirst = reader.MustCheck ? 1 : null,
        };
        if (!connection.TryAddSubscription(id, this))
        {
            return false;
        }

        if (connection.TryRequest(ApiKey.Subscribe, request, this))
        {
            return true;
        }

        connection.RemoveSubscription(id);
        return false;
    }

    /// <summary>Ends it on this side and tells the broker.</summary>
    public void Stop()
    {
        connection.RemoveSubscription(id);
        connection.TryRequest(ApiKey.Unsubscribe, new UnsubscribeRequest { SubscriptionId = id }, IgnoredReply.Instance);
    }

    /// <summary>Bytes were read: lets the broker send as many more, in pieces of at least <paramref name="atLeast"/>.</summary>
    public void GiveBack(int bytes, int atLeast)
    {
        _owedBytes += bytes;
        if (_owedBytes >= atLeast)
        {
            _credit.CreditBytes = _owedBytes;
            _owedBytes = 0;
            connection.TryPush(ApiKey.Credit, _credit);
        }
    }

    public void OnReply(in FrameHeader header, ReadOnlyMemory<byte> body, DeferredCompletions later)
    {
        if ((header.Flags & FrameFlags.Error) == 0)
        {
            session.OnSubscribed(this, WireReader.ReadAll<SubscribeResponse>(body, header.Version), later);
            return;
        }

        connection.RemoveSubscription(id);
        var error = WireReader.ReadAll<ErrorMessage>(body, header.Version);
        session.OnEnded(this, WeirException.From(error, session.Topic, reader.Partition, OffsetOrNull));
    }

    public void OnLost(WeirException reason) => session.OnEnded(this, reason);

    public void OnDeliver(
        PooledFrame frame, ReadOnlyMemory<byte> batches, long highWatermark, DeferredCompletions later) =>
        session.OnDelivered(new DeliveredFrame(frame, batches, highWatermark, this), later);

    public void OnEnded(WeirException reason) => session.OnEnded(
        this,
        reason.Code == Protocol.Errors.ErrorCode.ConnectionLost
            ? reason
            : WeirException.At(reason.Code, reason.Message, session.Topic, reader.Partition, OffsetOrNull, reason));

    private long? OffsetOrNull => cursor.Position >= 0 ? cursor.Position : null;

    private sealed class IgnoredReply : IReplyHandler
    {
        public static IgnoredReply Instance { get; } = new();

        public void OnReply(in FrameHeader header, ReadOnlyMemory<byte> body, DeferredCompletions later)
        {
        }

        public void OnLost(WeirException reason)
        {
        }
    }
}
