using Weir.Client.Connections;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Protocol.Wire;

namespace Weir.Client.Producing;

/// <summary>
/// The records of one partition that travel together, from the first record until the outcome. Filled and handed on under
/// its partition's lock; a reply or the end of the connection comes to it directly.
/// </summary>
internal sealed class ProducerBatch(int maxBytes) : QueuedBatch, IReplyHandler, ISentHandler, IDisposable
{
    private readonly List<SendOperation> _operations = [];
    private readonly List<FlushBarrier> _barriers = [];
    private readonly RecordBatchBuilder _builder = new(maxBytes);
    private ReadOnlyMemory<byte> _sealed;
    private BatchProducer _sealedAs;
    private Guid _sealedFor;

    /// <summary>The partition it belongs to while in use.</summary>
    public PartitionProducer? Owner { get; set; }

    /// <summary>Bytes of the buffer gate that it holds.</summary>
    public int ReservedBytes { get; set; }

    /// <summary>Timestamp at which it is sent even if it is not full.</summary>
    public long ReadyAt { get; set; }

    /// <summary>The connection whose window it holds room of, while in flight.</summary>
    public BrokerConnection? SentOn { get; set; }

    /// <summary>Room of the window that it holds.</summary>
    public int WindowBytes { get; set; }

    /// <summary>Bytes of its records, header included, before compression.</summary>
    public int LengthBytes => _builder.LengthBytes;

    /// <summary>Largest size it may grow to.</summary>
    public int MaxBytes => maxBytes;

    /// <summary>Adds a record; false, and nothing changed, if it does not fit.</summary>
    public bool TryAdd(in OutgoingRecord record, ReadOnlySpan<RecordHeader> headers, long timestampMs, SendOperation? operation)
    {
        if (!_builder.TryAdd(
            timestampMs,
            record.Key.GetValueOrDefault().Span, record.Key.HasValue,
            record.Value.GetValueOrDefault().Span, record.Value.HasValue,
            headers))
        {
            return false;
        }

        if (operation is not null)
        {
            operation.Index = RecordCount;
            _operations.Add(operation);
        }

        RecordCount++;
        return true;
    }

    /// <summary>The batch's bytes under its present identity; stays the same until the batch is renumbered.</summary>
    public ReadOnlyMemory<byte> Seal(Guid topicId, int partition, CompressionType compression)
    {
        if (_sealed.IsEmpty || _sealedAs != Producer || _sealedFor != topicId)
        {
            _sealed = _builder.Seal(topicId, partition, Producer, compression);
            _sealedAs = Producer;
            _sealedFor = topicId;
        }

        return _sealed;
    }

    /// <summary>Has a barrier wait for it.</summary>
    public void AddBarrier(FlushBarrier barrier)
    {
        barrier.Add();
        _barriers.Add(barrier);
    }

    /// <summary>Gives each awaited record its outcome.</summary>
    public void Succeed(ProduceResponse? response, int partition, DeferredCompletions? later)
    {
        var appended = response is null ? default : DateTimeOffset.FromUnixTimeMilliseconds(response.AppendTimeMs);
        foreach (var operation in _operations)
        {
            var result = response is null
                ? new SendResult(partition, -1, default, default, Duplicate: false)
                : new SendResult(
                    partition, response.BaseOffset + operation.Index, appended, response.Durability, response.Duplicate);
            if (!operation.TrySettle(result))
            {
                continue;
            }

            if (later is null)
            {
                operation.Complete(inline: false);
            }
            else
            {
                later.Add(operation);
            }
        }

        _operations.Clear();
        _barriers.ForEach(static barrier => barrier.Arrive());
        _barriers.Clear();
    }

    /// <summary>
    /// Takes off who waits for its records, to fail them. Under the partition's lock if an answer may come meanwhile: the
    /// answer gives the batch to other records.
    /// </summary>
    public FailedRecords TakeFailed()
    {
        var failed = new FailedRecords(RecordCount, [.. _operations], [.. _barriers]);
        _operations.Clear();
        _barriers.Clear();
        return failed;
    }

    /// <summary>Makes it ready for other records of any partition.</summary>
    public void Reset()
    {
        ResetState();
        _builder.Reset();
        _sealed = default;
        Owner = null;
        SentOn = null;
        ReservedBytes = WindowBytes = 0;
    }

    /// <summary>Gives its buffer back.</summary>
    public void Dispose() => _builder.Dispose();

    public void OnReply(in FrameHeader header, ReadOnlyMemory<byte> body, DeferredCompletions later)
    {
        if ((header.Flags & FrameFlags.Error) == 0)
        {
            Owner!.OnAcknowledged(this, WireReader.ReadAll<ProduceResponse>(body, header.Version), later);
        }
        else
        {
            Owner!.OnRefused(this, WireReader.ReadAll<ErrorMessage>(body, header.Version));
        }
    }

    public void OnSent() => Owner!.OnAcknowledged(this, response: null, later: null);

    public void OnLost(WeirException reason) => Owner!.OnLost(this, reason);
}

/// <summary>Records that failed, and who waits for them.</summary>
internal sealed class FailedRecords(int count, SendOperation[] operations, FlushBarrier[] barriers)
{
    public int Count => count;

    /// <summary>Those that nobody awaits one by one.</summary>
    public int PostedCount => count - operations.Length;

    /// <summary>Tells all who wait.</summary>
    public void Tell(WeirException error)
    {
        foreach (var operation in operations)
        {
            if (operation.TrySettle(error))
            {
                operation.Complete(inline: false);
            }
        }

        foreach (var barrier in barriers)
        {
            barrier.Arrive();
        }
    }
}

/// <summary>Batches with their buffers, kept for reuse up to a bound. Thread-safe.</summary>
internal sealed class BatchPool(int maxKept)
{
    private readonly Lock _lock = new();
    private readonly Stack<ProducerBatch> _kept = [];
    private bool _isClosed;

    /// <summary>A batch of at most <paramref name="maxBytes"/> bytes.</summary>
    public ProducerBatch Rent(int maxBytes)
    {
        lock (_lock)
        {
            if (_kept.TryPeek(out var kept) && kept.MaxBytes == maxBytes)
            {
                return _kept.Pop();
            }
        }

        return new ProducerBatch(maxBytes);
    }

    /// <summary>Keeps it, or gives its buffer back.</summary>
    public void Return(ProducerBatch batch, int usualBytes)
    {
        batch.Reset();
        lock (_lock)
        {
            if (!_isClosed && _kept.Count < maxKept && batch.MaxBytes == usualBytes)
            {
                _kept.Push(batch);
                return;
            }
        }

        batch.Dispose();
    }

    /// <summary>Gives all buffers back; later ones are not kept.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            while (_kept.TryPop(out var batch))
            {
                batch.Dispose();
            }
        }
    }
}
