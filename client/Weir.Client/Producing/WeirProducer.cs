using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Weir.Client.Producing;
using Weir.Protocol;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;

namespace Weir.Client;

/// <summary>
/// Publishes records to one topic. Idempotent: a retry never makes a duplicate, and records of one partition are kept in
/// the order of the calls. Thread-safe; create one per topic and keep it.
/// </summary>
/// <remarks>
/// A record with a key goes to the partition that the topic's declared partitioner names; one without goes to one
/// partition until its batch is closed, then to the next. A batch that is refused for good fails with its records; the
/// records after it are sent under a new producer id, so one bad record never blocks a partition.
/// </remarks>
public sealed class WeirProducer : IAsyncDisposable
{
    private readonly ProducerCore _core;
    private readonly SendOperationPool _operations = new();
    private readonly SendLine _line;
    private readonly Action<WeirProducer> _onDisposed;

    internal WeirProducer(ProducerCore core, Action<WeirProducer> onDisposed)
    {
        _core = core;
        _onDisposed = onDisposed;
        _line = new SendLine(TryAppendWaiting);
        core.Gate.Released += _line.Wake;
        core.Changed += _line.Wake;

        // Begun early for TryPost; whoever needs the outcome awaits it there.
        _ = core.StartAsync().ContinueWith(
            static started => started.Exception, CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    /// <summary>
    /// Told of posted records that failed for good, on a pool thread. Handlers must be quick and thread-safe; what they
    /// throw is logged. Awaited records fail by their own task instead.
    /// </summary>
    public event Action<DeliveryFailure>? DeliveryFailed
    {
        add => _core.Deliveries.Failed += value;
        remove => _core.Deliveries.Failed -= value;
    }

    /// <summary>The topic.</summary>
    public string Topic => _core.TopicName;

    /// <summary>Records acknowledged so far; with <see cref="Protocol.Messages.Acks.None"/> those that were sent.</summary>
    public long RecordsAcknowledged => _core.Deliveries.Acknowledged;

    /// <summary>Records that failed for good so far.</summary>
    public long RecordsFailed => _core.Deliveries.FailedCount;

    /// <summary>Bytes of records without an outcome, at most <see cref="ProducerOptions.BufferBytes"/>.</summary>
    public long BufferedBytes => _core.Gate.UsedBytes;

    /// <summary>Publishes a record; completes when it is acknowledged. Waits while the buffer is full.</summary>
    /// <param name="record">The record; its memory may be used again once this call has returned a task that is buffered,
    /// that is, after the task completes, or at once if the call never has to wait: to be safe, after it completes.</param>
    /// <param name="ct">Before the record is buffered: it is not sent. After that: only the waiting ends.</param>
    /// <exception cref="WeirException">It failed for good.</exception>
    /// <exception cref="ObjectDisposedException">The producer was disposed.</exception>
    public ValueTask<SendResult> SendAsync(OutgoingRecord record, CancellationToken ct = default)
    {
        if (ct.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<SendResult>(ct);
        }

        if (!_core.IsReady || _line.HasWaiters)
        {
            return SendSlowlyAsync(record, ct);
        }

        var operation = _operations.Rent();
        try
        {
            if (TryAppend(record, operation))
            {
                return Await(operation, ct);
            }
        }
        catch (Exception e)
        {
            return ValueTask.FromException<SendResult>(e);
        }

        _operations.Return(operation);
        return SendSlowlyAsync(record, ct);
    }

    /// <summary>
    /// Publishes a record without waiting for its acknowledgement; completes when it is buffered. Failures come by
    /// <see cref="DeliveryFailed"/> and by the next <see cref="FlushAsync"/>.
    /// </summary>
    /// <param name="record">The record; its memory may be used again once the task has completed.</param>
    /// <param name="ct">Ends the waiting for buffer space; then the record is not sent.</param>
    /// <exception cref="WeirException">The record cannot be sent as it is, or the topic cannot be reached.</exception>
    /// <exception cref="ObjectDisposedException">The producer was disposed.</exception>
    public ValueTask PostAsync(OutgoingRecord record, CancellationToken ct = default)
    {
        if (ct.IsCancellationRequested)
        {
            return ValueTask.FromCanceled(ct);
        }

        try
        {
            return _core.IsReady && !_line.HasWaiters && TryAppend(record, operation: null)
                ? ValueTask.CompletedTask
                : AppendSlowlyAsync(record, operation: null, ct);
        }
        catch (Exception e)
        {
            return ValueTask.FromException(e);
        }
    }

    /// <summary>
    /// Publishes a record without waiting at all. False, and nothing done, while the buffer is full or the topic is not yet
    /// known: await <see cref="PostAsync"/> instead. Failures come as for that.
    /// </summary>
    /// <exception cref="WeirException">The record cannot be sent as it is.</exception>
    /// <exception cref="ObjectDisposedException">The producer was disposed.</exception>
    public bool TryPost(in OutgoingRecord record) =>
        _core.IsReady && !_line.HasWaiters && TryAppend(record, operation: null);

    /// <summary>Sends what is buffered at once and waits until every record so far has its outcome.</summary>
    /// <param name="ct">Ends the waiting only.</param>
    /// <exception cref="WeirException">
    /// Posted records failed since the last flush: the first failure, with their number in
    /// <see cref="WeirException.FailedRecords"/>.
    /// </exception>
    public async ValueTask FlushAsync(CancellationToken ct = default)
    {
        ObjectDisposedException.ThrowIf(_core.IsDisposed, this);
        await _core.FlushAsync().WaitAsync(ct).ConfigureAwait(false);
        if (_core.Deliveries.TakeFailures() is { } failure)
        {
            throw failure;
        }
    }

    /// <summary>
    /// Sends what is buffered, for at most 5 s, then fails the rest with <see cref="ErrorCode.ConnectionLost"/>. Never
    /// throws; call <see cref="FlushAsync"/> before to be sure.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await _core.DisposeAsync().ConfigureAwait(false);
        _line.Close(new ObjectDisposedException(nameof(WeirProducer)));
        _onDisposed(this);
    }

    private static ValueTask<SendResult> Await(SendOperation operation, CancellationToken ct)
    {
        if (ct.CanBeCanceled)
        {
            operation.StopWaitingOn(ct);
        }

        return operation.Task;
    }

    private static ReadOnlySpan<RecordHeader> AsSpan(IReadOnlyList<RecordHeader>? headers) => headers switch
    {
        null => default,
        RecordHeader[] array => array,
        List<RecordHeader> list => CollectionsMarshal.AsSpan(list),
        _ => headers.ToArray(),
    };

    private static int EstimateBytes(in OutgoingRecord record, ReadOnlySpan<RecordHeader> headers)
    {
        const int LengthsAndTime = 40;
        var bytes = (long)record.Key.GetValueOrDefault().Length + record.Value.GetValueOrDefault().Length + LengthsAndTime;
        foreach (var header in headers)
        {
            bytes += (header.Name.Length * 3L) + header.Value.GetValueOrDefault().Length + LengthsAndTime;
        }

        return (int)Math.Min(bytes, int.MaxValue / 2);
    }

    private bool TryAppend(in OutgoingRecord record, SendOperation? operation)
    {
        ObjectDisposedException.ThrowIf(_core.IsDisposed, this);
        if (record.Key is null && _core.Topic.Kind == TopicKind.Entity)
        {
            throw new WeirException(
                ErrorCode.UnkeyedRecord, $"{ErrorCode.UnkeyedRecord}: every record of entity topic {Topic} needs a key") { Topic = Topic };
        }

        var partitions = _core.Partitions;
        var partition = partitions[Choose(record, partitions.Length)];
        var headers = AsSpan(record.AllHeaders);
        if (headers.Length > RecordReader.MaxHeaders)
        {
            throw new WeirException(
                ErrorCode.InvalidRequest, $"a record has {headers.Length} headers; {RecordReader.MaxHeaders} are allowed");
        }

        var time = record.Timestamp ?? _core.Time.GetUtcNow();
        return partition.TryAppend(
            record, headers, EstimateBytes(record, headers), time.ToUnixTimeMilliseconds(), operation) switch
        {
            AppendOutcome.Added => true,
            AppendOutcome.BufferFull => false,
            AppendOutcome.TooLarge => throw WeirException.At(
                ErrorCode.BatchTooLarge, $"a record is larger than a batch of {_core.Topic.MaxBatchBytes} bytes",
                Topic, partition.Partition),
            _ => throw partition.Closed!,
        };
    }

    private int Choose(in OutgoingRecord record, int partitions)
    {
        if (record.Partition is { } chosen)
        {
            return (uint)chosen < (uint)partitions
                ? chosen
                : throw WeirException.At(
                    ErrorCode.UnknownPartition, $"the topic has partitions 0 to {partitions - 1}", Topic, chosen);
        }

        var topic = _core.Topic;
        return record.Key is { } key
            ? KeyPartitioner.Choose(key.Span, topic.Seed, Math.Min(topic.KeyPartitions, partitions))
            : _core.Sticky.Current;
    }

    private async ValueTask<SendResult> SendSlowlyAsync(OutgoingRecord record, CancellationToken ct)
    {
        var operation = _operations.Rent();
        await AppendSlowlyAsync(record, operation, ct).ConfigureAwait(false);
        return await Await(operation, ct).ConfigureAwait(false);
    }

    /// <summary>Waits in line for the topic and for buffer space, as long as the delivery timeout lasts.</summary>
    private async ValueTask AppendSlowlyAsync(OutgoingRecord record, SendOperation? operation, CancellationToken ct)
    {
        // In line before anything is awaited: its place is given by the order of the calls.
        var waiting = _line.Join(record, operation);
        var start = _core.Time.GetTimestamp();
        try
        {
            if (!_core.IsReady)
            {
                await _core.StartAsync().WaitAsync(_core.Options.DeliveryTimeout, _core.Time, ct).ConfigureAwait(false);
            }

            var left = _core.Options.DeliveryTimeout - _core.Time.GetElapsedTime(start);
            await waiting.Settled.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _core.Time, ct).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // If it is being appended just now, or was, the outcome of that counts.
            if (!_line.TryLeave(waiting) && await waiting.Settled.ConfigureAwait(false))
            {
                return;
            }

            Rethrow(e, record, ct);
        }
    }

    [DoesNotReturn]
    private void Rethrow(Exception e, in OutgoingRecord record, CancellationToken ct)
    {
        switch (e)
        {
            case TimeoutException:
                throw WeirException.At(
                    ErrorCode.RequestTimedOut,
                    $"no room in the buffer within {_core.Options.DeliveryTimeout}: the record was not sent",
                    Topic, record.Partition ?? -1, inner: e);
            case OperationCanceledException when !ct.IsCancellationRequested:
                throw new ObjectDisposedException(nameof(WeirProducer));
            default:
                ExceptionDispatchInfo.Throw(e);
                break;
        }
    }

    /// <summary>Called by the line's worker, which holds no lock.</summary>
    private bool TryAppendWaiting(WaitingRecord waiting)
    {
        if (_core.IsReady && TryAppend(waiting.Record, waiting.Operation))
        {
            return true;
        }

        _core.MakeRoom();
        return false;
    }
}
