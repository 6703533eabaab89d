using Microsoft.Extensions.Logging;
using Weir.Client.Connections;

namespace Weir.Client.Producing;

/// <summary>Counts what became of records and tells the application of posted ones that failed. Thread-safe.</summary>
internal sealed class DeliveryLedger(string topic, ILogger logger)
{
    private readonly Lock _lock = new();
    private WeirException? _firstFailure;
    private long _failuresSinceFlush;
    private long _acknowledged;
    private long _failed;

    /// <summary>Told, on a pool thread, of posted records that failed.</summary>
    public event Action<DeliveryFailure>? Failed;

    public long Acknowledged => Interlocked.Read(ref _acknowledged);

    public long FailedCount => Interlocked.Read(ref _failed);

    public void Succeed(int records) => Interlocked.Add(ref _acknowledged, records);

    public void Fail(FailedRecords records, int partition, WeirException error)
    {
        Interlocked.Add(ref _failed, records.Count);
        ClientLog.BatchFailed(logger, records.Count, topic, partition, error.Message);
        if (records.PostedCount > 0)
        {
            Report(new DeliveryFailure(topic, partition, records.PostedCount, error));
        }
    }

    /// <summary>The first failure of posted records since the last call, with their number, or null.</summary>
    public WeirException? TakeFailures()
    {
        lock (_lock)
        {
            if (_firstFailure is not { } first)
            {
                return null;
            }

            var count = _failuresSinceFlush;
            _firstFailure = null;
            _failuresSinceFlush = 0;
            return new WeirException(first.Code, $"{count} posted records failed, the first with {first.Message}", first)
            {
                Topic = topic,
                Partition = first.Partition,
                FailedRecords = count,
            };
        }
    }

    private void Report(DeliveryFailure failure)
    {
        lock (_lock)
        {
            _firstFailure ??= failure.Error;
            _failuresSinceFlush += failure.RecordCount;
        }

        if (Failed is { } handlers)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static state => state.Ledger.Call(state.Handlers, state.Failure),
                (Ledger: this, Handlers: handlers, Failure: failure),
                preferLocal: false);
        }
    }

    private void Call(Action<DeliveryFailure> handlers, DeliveryFailure failure)
    {
        try
        {
            handlers(failure);
        }
        catch (Exception e)
        {
            ClientLog.HandlerThrew(logger, e);
        }
    }
}

/// <summary>The partition that records without a key go to until its batch is closed, then the next. Thread-safe.</summary>
internal sealed class StickyPartition
{
    private int _current;

    /// <summary>Number of partitions.</summary>
    public int Count { get; set; }

    /// <summary>The partition for the next record without a key.</summary>
    public int Current => Volatile.Read(ref _current);

    /// <summary>Goes on to the next partition if records stick to this one.</summary>
    public void Leave(int partition) =>
        Interlocked.CompareExchange(ref _current, partition + 1 < Count ? partition + 1 : 0, partition);
}
