using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Replication;
using Weir.Replication.Partitions;
using Weir.Server.Partitions;
using Weir.Server.Transport;
using Weir.Storage;

namespace Weir.Server.Handlers;

/// <summary>Starts a subscription; its response goes before the first delivery.</summary>
internal sealed class SubscribeHandler(PartitionTable partitions, BrokerReplicas replicas) : IOrderedHandler
{
    private const int MaxSubscriptions = 10_000;

    /// <summary>As much as one delivery has at most.</summary>
    private const int CheckedBytes = 1024 * 1024;

    public ApiKey Api => ApiKey.Subscribe;

    public ValueTask HandleAsync(Connection connection, FrameHeader header, ReadOnlyMemory<byte> body)
    {
        var request = WireReader.ReadAll<SubscribeRequest>(body, header.Version);
        var partition = partitions.GetLed(request.TopicId, request.Partition);
        if (request.CreditBytes is < 0 or > ProtocolLimits.SubscriptionCreditBytes)
        {
            throw new ProtocolException(
                ErrorCode.CreditOverflow, $"credit must be from 0 to {ProtocolLimits.SubscriptionCreditBytes}");
        }

        if (connection.SubscriptionCount >= MaxSubscriptions)
        {
            throw new ProtocolException(
                ErrorCode.LimitReached, $"a connection has at most {MaxSubscriptions} subscriptions: open another one");
        }

        var highWatermark = partition.HighWatermark;
        var start = OffsetLookup.Resolve(partition, request.Start, request.StartValue, highWatermark);
        if (request.CheckFirst == 1)
        {
            Check(request, partition, start, highWatermark);
        }

        var cursor = partition.Log.Locate(start);
        var subscription = new Subscription(request.SubscriptionId, connection, partition, cursor, request.CreditBytes);
        if (!connection.TryAddSubscription(subscription))
        {
            throw new ProtocolException(
                ErrorCode.InvalidSubscription, $"subscription {request.SubscriptionId} exists on this connection");
        }

        if (partition.Replica.Role != ReplicaRole.Leader)
        {
            // The end of the leadership, which ends subscriptions, may have come before this one was there to be ended.
            connection.TryRemoveSubscription(request.SubscriptionId);
            throw new ProtocolException(
                ErrorCode.NotLeader, $"{partition.Topic}-{partition.Index}: its leadership here has just ended");
        }

        connection.Reply(header, new SubscribeResponse
        {
            StartOffset = start,
            LogStartOffset = partition.Log.LogStartOffset,
            HighWatermark = highWatermark,
        });
        connection.MarkReady(subscription);
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Records go from the disk to the socket without being looked at, and the client checks them. If they are damaged here,
    /// another replica is to lead.
    /// </summary>
    private void Check(SubscribeRequest request, Partition partition, long start, long highWatermark)
    {
        try
        {
            replicas.ReadChecked(partition.Replica, start, highWatermark, CheckedBytes);
        }
        catch (LogCorruptException e)
        {
            // Where another replica may lead, it leads no more; then this says who does.
            partitions.GetLed(request.TopicId, request.Partition);
            throw new ProtocolException(ErrorCode.CorruptLog, e.Message);
        }
    }
}

/// <summary>Adds credit to a subscription.</summary>
internal sealed class CreditHandler : IOrderedHandler
{
    public ApiKey Api => ApiKey.Credit;

    public ValueTask HandleAsync(Connection connection, FrameHeader header, ReadOnlyMemory<byte> body)
    {
        var credit = WireReader.ReadAll<CreditPush>(body, header.Version);
        if (!connection.TryGetSubscription(credit.SubscriptionId, out var subscription))
        {
            return ValueTask.CompletedTask;
        }

        if (credit.CreditBytes is < 0 or > ProtocolLimits.SubscriptionCreditBytes
            || subscription!.AddCredit(credit.CreditBytes) > ProtocolLimits.SubscriptionCreditBytes)
        {
            connection.EndSubscription(
                subscription!, ErrorCode.CreditOverflow,
                $"more than {ProtocolLimits.SubscriptionCreditBytes} bytes of credit were granted");
            return ValueTask.CompletedTask;
        }

        connection.MarkReady(subscription);
        return ValueTask.CompletedTask;
    }
}

/// <summary>Ends a subscription.</summary>
internal sealed class UnsubscribeHandler : RequestHandler<UnsubscribeRequest, EmptyMessage>, IOrderedHandler
{
    protected override ValueTask<EmptyMessage> HandleAsync(Connection connection, UnsubscribeRequest request) =>
        connection.TryRemoveSubscription(request.SubscriptionId)
            ? ValueTask.FromResult(new EmptyMessage())
            : throw new ProtocolException(
                ErrorCode.InvalidSubscription, $"there is no subscription {request.SubscriptionId}");
}

/// <summary>Finds offsets.</summary>
internal sealed class ListOffsetsHandler(PartitionTable partitions) : RequestHandler<ListOffsetsRequest, ListOffsetsResponse>
{
    protected override ValueTask<ListOffsetsResponse> HandleAsync(Connection connection, ListOffsetsRequest request)
    {
        if (request.Position == StartPosition.Offset)
        {
            throw new ProtocolException(ErrorCode.InvalidRequest, "position must be earliest, latest or timestamp");
        }

        var partition = partitions.GetLed(request.TopicId, request.Partition);
        return ValueTask.FromResult(new ListOffsetsResponse
        {
            Offset = OffsetLookup.Resolve(partition, request.Position, request.TimestampMs, partition.HighWatermark),
            LeaderEpoch = partition.LeaderEpoch,
        });
    }
}

/// <summary>Turns a start position into an offset.</summary>
internal static class OffsetLookup
{
    /// <exception cref="ProtocolException">The offset is out of range or the position unknown.</exception>
    public static long Resolve(Partition partition, StartPosition position, long value, long highWatermark)
    {
        var logStart = partition.Log.LogStartOffset;
        if (position != StartPosition.Earliest && !partition.Replica.IsHighWatermarkCurrent)
        {
            throw new ProtocolException(
                ErrorCode.OffsetNotAvailable, $"{partition.Topic}-{partition.Index}: the new leader does not know yet what is committed");
        }

        // After the check: what was read before it may be from before the leader knew.
        highWatermark = Math.Max(highWatermark, partition.HighWatermark);
        switch (position)
        {
            case StartPosition.Earliest:
                return logStart;
            case StartPosition.Latest:
                return highWatermark;
            case StartPosition.Timestamp:
                return partition.Log.FindOffset(value, highWatermark);
            case StartPosition.Offset when value >= logStart && value <= highWatermark:
                return value;
            case StartPosition.Offset:
                throw new ProtocolException(
                    ErrorCode.OffsetOutOfRange, $"offset {value} is not in {logStart} to {highWatermark}");
            default:
                throw new ProtocolException(ErrorCode.InvalidRequest, $"start position {(byte)position} is not known");
        }
    }
}
