using System.Net.Sockets;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Wire;
using Weir.Server.Diagnostics;
using Weir.Storage;
using Weir.Storage.Files;

namespace Weir.Server.Transport;

/// <summary>
/// The send side of a connection: one loop at a time takes frames and ready subscriptions from the outbox in turn, so that
/// replies and deliveries share the socket and none waits for another's client.
/// </summary>
internal sealed class ConnectionSender(Socket socket, Connection connection, BrokerContext broker) : IDisposable
{
    private const int MaxDeliverBytes = 1024 * 1024;
    private const int CoalesceBytes = 64 * 1024;
    private readonly Outbox _outbox = new();
    private readonly DeliverPush _deliver = new();
    private long _sendingSince;

    /// <summary>When the send that is in progress began; 0 if none is.</summary>
    public long SendingSince => Volatile.Read(ref _sendingSince);

    public int PendingBytes => _outbox.PendingBytes;

    public void Append<TState>(TState state, Action<WireBuffer, TState> encode) => _outbox.Append(state, encode);

    public void AddReady(Subscription subscription) => _outbox.AddReady(subscription);

    public Task WaitUntilTakenAsync() => _outbox.WaitUntilTakenAsync();

    /// <summary>Starts the loop if there is work and it does not run.</summary>
    /// <param name="inline">On this thread as far as it goes without waiting; otherwise on the pool.</param>
    public void Start(bool inline)
    {
        if (!_outbox.TryStartSending())
        {
            return;
        }

        if (inline)
        {
            _ = RunAsync();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static sender => _ = sender.RunAsync(), this, preferLocal: false);
        }
    }

    /// <summary>Sends what is queued and waits for it, for a bounded time.</summary>
    public async Task DrainAsync(TimeSpan timeout)
    {
        var deadline = broker.Time.GetTimestamp() + (long)(timeout.TotalSeconds * broker.Time.TimestampFrequency);
        while (_outbox.PendingBytes > 0 && broker.Time.GetTimestamp() < deadline && !connection.IsClosed)
        {
            Start(inline: true);
            await Task.WhenAny(_outbox.WaitUntilTakenAsync(), Task.Delay(timeout, broker.Time)).ConfigureAwait(false);
        }
    }

    public void Dispose() => _outbox.Dispose();

    private async Task RunAsync()
    {
        try
        {
            while (_outbox.TryTake(out var frames, out var subscription))
            {
                var buffer = frames ?? new WireBuffer(CoalesceBytes / 16);
                try
                {
                    await SendTurnAsync(buffer, subscription).ConfigureAwait(false);
                }
                finally
                {
                    _outbox.Recycle(buffer);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException or IOException)
        {
            ServerLog.ConnectionLost(broker.Logger, connection.Remote, e.Message);
            connection.Abort();
        }
        catch (Exception e)
        {
            ServerLog.ConnectionFailed(broker.Logger, e, connection.Remote);
            connection.Abort();
        }
    }

    /// <summary>Sends a buffer of frames, and deliveries with it: small ones in the same call, large ones after it.</summary>
    private async ValueTask SendTurnAsync(WireBuffer buffer, Subscription? subscription)
    {
        while (subscription is not null || _outbox.TryTakeReady(out subscription))
        {
            var slice = TakeSlice(subscription!);
            subscription = null;
            if (slice.Slice.Length == 0)
            {
                continue;
            }

            using (slice.Slice)
            {
                Frames.AppendPush(buffer, _deliver, 1, slice.Slice.Length);
                if (slice.Slice.IsInMemory && buffer.Length + slice.Slice.Length <= CoalesceBytes)
                {
                    slice.Slice.Memory.Span.CopyTo(buffer.Append(slice.Slice.Length));
                    continue;
                }

                await SendAsync(buffer.Memory).ConfigureAwait(false);
                buffer.Clear();
                if (slice.Slice.IsInMemory)
                {
                    await SendAsync(slice.Slice.Memory).ConfigureAwait(false);
                }
                else
                {
                    await SendFileAsync(slice.Slice).ConfigureAwait(false);
                }
            }

            // Replies that were queued meanwhile go before the next delivery.
            break;
        }

        if (buffer.Length > 0)
        {
            await SendAsync(buffer.Memory).ConfigureAwait(false);
        }
    }

    private (LogSlice Slice, Subscription Subscription) TakeSlice(Subscription subscription)
    {
        subscription.TakenFromQueue();
        if (subscription.IsEnded || subscription.CreditBytes <= 0)
        {
            return default;
        }

        var partition = subscription.Partition;
        var highWatermark = partition.HighWatermark;
        LogSlice slice;
        try
        {
            slice = partition.Log.Read(ref subscription.Cursor, highWatermark, MaxDeliverBytes);
        }
        catch (LogCorruptException e)
        {
            // Where there are other replicas, this gives up the leadership, which ends the subscription with that.
            broker.OnDamage(partition.Replica, e.Offset);
            connection.EndSubscription(subscription, ErrorCode.CorruptLog, e.Message);
            return default;
        }
        catch (Exception e) when (e is LogIoException or ObjectDisposedException)
        {
            connection.EndSubscription(subscription, ErrorCode.CorruptLog, e.Message);
            return default;
        }

        if (slice.Length > 0)
        {
            subscription.AddCredit(-slice.Length);
            _deliver.SubscriptionId = subscription.Id;
            _deliver.HighWatermark = highWatermark;
            broker.Metrics.CountDelivered(slice.Length);
            connection.MarkReady(subscription);
            return (slice, subscription);
        }

        if (subscription.Cursor.Offset < partition.Log.LogStartOffset)
        {
            connection.EndSubscription(
                subscription, ErrorCode.OffsetOutOfRange,
                $"offset {subscription.Cursor.Offset} was deleted: the log starts at {partition.Log.LogStartOffset}");
        }
        else if (!partition.TryWaitForRecords(subscription))
        {
            connection.MarkReady(subscription);
        }

        return default;
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        broker.Metrics.CountSent(bytes.Length);
        while (!bytes.IsEmpty)
        {
            var send = socket.SendAsync(bytes, SocketFlags.None);
            if (!send.IsCompletedSuccessfully)
            {
                Volatile.Write(ref _sendingSince, broker.Time.GetTimestamp());
            }

            bytes = bytes[await send.ConfigureAwait(false)..];
        }

        Volatile.Write(ref _sendingSince, 0);
    }

    private async ValueTask SendFileAsync(LogSlice slice)
    {
        broker.Metrics.CountSent(slice.Length);
        Volatile.Write(ref _sendingSince, broker.Time.GetTimestamp());
        await FileSender.SendAsync(socket, slice).ConfigureAwait(false);
        Volatile.Write(ref _sendingSince, 0);
    }
}
