using System.Runtime.CompilerServices;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;

namespace Weir.Client.Consuming;

/// <summary>
/// Walks the records of an enumeration. Inside a batch a move is a few instructions and never waits; everything else is in
/// <see cref="MoveSlowlyAsync"/>.
/// </summary>
internal sealed class RecordEnumerator : IAsyncEnumerator<ConsumedRecord>
{
    private readonly ConsumerSession _session;
    private readonly BatchReader _batches;
    private readonly EnumerationScope _scope;
    private readonly int _maxUncompressedBytes;
    private readonly bool _usesPooledMemory;
    private OpenBatch? _open;
    private ReadCursor? _cursor;
    private ReadOnlyMemory<byte> _records;
    private long _baseTimestampMs;
    private int _next;
    private long _nextOffset;
    private long _endOffset;
    private long _batchEnd;
    private long _batchBase;
    private bool _isCompacted;
    private RecordSlices _slices;

    public RecordEnumerator(
        ConsumerSession session, EnumerationScope scope, int maxUncompressedBytes, bool usesPooledMemory)
    {
        _session = session;
        _batches = new BatchReader(session);
        _scope = scope;
        _maxUncompressedBytes = maxUncompressedBytes;
        _usesPooledMemory = usesPooledMemory;
    }

    public ConsumedRecord Current => new(_open!, _slices, _nextOffset - 1);

    /// <summary>The offset that reading goes on at behind the present record.</summary>
    public long Position => _cursor!.Position;

    public ValueTask<bool> MoveNextAsync()
    {
        try
        {
            return TryMoveInBatch() ? new ValueTask<bool>(true) : MoveSlowlyAsync();
        }
        catch (WeirException e)
        {
            return ValueTask.FromException<bool>(e);
        }
    }

    /// <summary>Goes to the next record of the same batch; false at its end, or if the session must be asked first.</summary>
    /// <exception cref="WeirException">The batch is not what it should be.</exception>
    public bool TryMoveInBatch()
    {
        if (_nextOffset >= _endOffset || _cursor!.IsInterrupted)
        {
            return false;
        }

        try
        {
            Read();
            return true;
        }
        catch (ProtocolException e)
        {
            throw Fault(e);
        }
    }

    /// <summary>Waits until <see cref="TryMove"/> may find something; false once everything was read to its end.</summary>
    public ValueTask<bool> WaitAsync() => _session.WaitAsync();

    public async ValueTask DisposeAsync()
    {
        CloseBatch();
        _batches.Release();
        await _scope.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Goes to the next record that is here; false if none is.</summary>
    /// <exception cref="WeirException">A batch is not what it should be, or the enumeration failed.</exception>
    public bool TryMove()
    {
        try
        {
            if (_nextOffset < _endOffset && _batches.MayGoOn())
            {
                Read();
                return true;
            }

            do
            {
                CloseBatch();
                if (!_batches.TryRead())
                {
                    return false;
                }
            }
            while (!TryOpenBatch());

            Read();
            return true;
        }
        catch (ProtocolException e)
        {
            throw Fault(e);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> MoveSlowlyAsync()
    {
        while (!TryMove())
        {
            if (!await _session.WaitAsync().ConfigureAwait(false))
            {
                return false;
            }
        }

        return true;
    }

    private void Read()
    {
        if (_isCompacted)
        {
            ReadCompacted();
            return;
        }

        _slices = RecordReader.Read(_records.Span, _next, _baseTimestampMs);
        _next = _slices.End;
        _cursor!.Position = ++_nextOffset;
    }

    /// <summary>Behind the last record there may be offsets without one, which are passed with it.</summary>
    private void ReadCompacted()
    {
        _slices = RecordReader.ReadCompacted(_records.Span, _next, _baseTimestampMs, out var delta);
        _next = _slices.End;
        _nextOffset = _batchBase + delta + 1;
        _cursor!.Position = _nextOffset < _endOffset ? _nextOffset : _batchEnd;
    }

    /// <summary>Opens the batch that was read and goes to the first record that is wanted; false if it has none.</summary>
    private bool TryOpenBatch()
    {
        var header = _batches.Header;
        _cursor = _batches.Cursor!;
        _nextOffset = header.BaseOffset;
        var records = BatchCompression.Decompress(_batches.Batch, header, _maxUncompressedBytes, out var pooled);
        if (pooled is not null && !_usesPooledMemory)
        {
            records = records.ToArray();
            System.Buffers.ArrayPool<byte>.Shared.Return(pooled);
            pooled = null;
        }

        _open = new OpenBatch(_session.Topic, header, records, pooled);
        _records = records;
        _next = 0;
        _baseTimestampMs = header.BaseTimestampMs;
        _isCompacted = header.IsCompacted;
        _batchBase = header.BaseOffset;
        _batchEnd = Math.Min(header.NextOffset, _cursor.StopAt);
        if (_isCompacted)
        {
            return TryFindWanted(records.Span, header);
        }

        _endOffset = Math.Min(header.BaseOffset + header.RecordCount, _cursor.StopAt);
        var wanted = Math.Min(_cursor.Position, _endOffset);
        while (_nextOffset < wanted)
        {
            _next = RecordReader.Read(records.Span, _next, _baseTimestampMs).End;
            _nextOffset++;
        }

        return _nextOffset < _endOffset;
    }

    /// <summary>Walks a compacted batch once, to know its first and last record that are wanted; false if there is none.</summary>
    private bool TryFindWanted(ReadOnlySpan<byte> records, in RecordBatchHeader header)
    {
        _endOffset = 0;
        var from = _cursor!.Position;
        var first = -1;
        var walk = new BatchRecords(records, header);
        for (var start = 0; walk.MoveNext() && walk.Offset < _batchEnd; start = walk.NextPosition)
        {
            if (walk.Offset >= from)
            {
                first = first < 0 ? start : first;
                _endOffset = walk.Offset + 1;
            }
        }

        if (first < 0)
        {
            _cursor.Position = Math.Max(from, _batchEnd);
            return false;
        }

        _next = first;
        return true;
    }

    private void CloseBatch()
    {
        if (_open is { } open)
        {
            if (_usesPooledMemory)
            {
                open.Close();
            }

            _open = null;
            _records = default;
        }

        _nextOffset = _endOffset = 0;
    }

    private WeirException Fault(ProtocolException fault)
    {
        var at = Math.Max(_nextOffset, _batches.Header.BaseOffset);
        _nextOffset = _endOffset = 0;
        var error = WeirException.At(fault.Code, fault.Message, _session.Topic, _batches.Header.Partition, at, fault);
        _session.Fail(error);
        return error;
    }
}

/// <summary>Walks the stored batches of an enumeration.</summary>
internal sealed class BatchEnumerator(ConsumerSession session, EnumerationScope scope) : IAsyncEnumerator<ConsumedBatch>
{
    private readonly BatchReader _batches = new(session);

    public ConsumedBatch Current => new(session.Topic, _batches.Header, _batches.Batch, _batches.HighWatermark);

    public ValueTask<bool> MoveNextAsync() => TryMove() ? new ValueTask<bool>(true) : MoveSlowlyAsync();

    public async ValueTask DisposeAsync()
    {
        _batches.Release();
        await scope.DisposeAsync().ConfigureAwait(false);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> MoveSlowlyAsync()
    {
        while (!TryMove())
        {
            if (!await session.WaitAsync().ConfigureAwait(false))
            {
                return false;
            }
        }

        return true;
    }

    private bool TryMove()
    {
        if (!_batches.TryRead())
        {
            return false;
        }

        _batches.Cursor!.Position = _batches.Header.NextOffset;
        return true;
    }
}
