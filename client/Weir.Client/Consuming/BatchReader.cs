using System.Diagnostics.CodeAnalysis;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;

namespace Weir.Client.Consuming;

/// <summary>
/// Takes delivered frames apart into verified batches, in each partition's order, without gaps and without what was read
/// before. Used by the one reader of an enumeration.
/// </summary>
internal sealed class BatchReader(ConsumerSession session)
{
    private DeliveredFrame? _frame;
    private ReadOnlyMemory<byte> _batch;

    /// <summary>The header of the batch that was read last.</summary>
    public RecordBatchHeader Header { get; private set; }

    /// <summary>The batch that was read last, valid until the next call.</summary>
    public ReadOnlyMemory<byte> Batch => _batch;

    /// <summary>The cursor of its partition.</summary>
    public ReadCursor? Cursor => _frame?.Sink.Cursor;

    /// <summary>The partition's high watermark when it was delivered.</summary>
    public long HighWatermark => _frame!.HighWatermark;

    /// <summary>Goes to the next batch; false if none is here now.</summary>
    /// <exception cref="WeirException">The bytes are not what the broker should have sent, or the enumeration failed.</exception>
    public bool TryRead()
    {
        while (TryHaveFrame(out var frame))
        {
            if (frame.Rest.IsEmpty || frame.Sink.Cursor.IsAtEnd)
            {
                session.Finish(frame);
                _frame = null;
                continue;
            }

            Split(frame);
            if (Header.NextOffset > frame.Sink.Cursor.Position)
            {
                if (HasDamage(_batch.Span))
                {
                    Refetch(frame);
                    continue;
                }

                Verify(frame);
                return true;
            }
        }

        return false;
    }

    /// <summary>Asked when the cursor is interrupted: whether the present batch goes on. If not, it is to be left.</summary>
    public bool MayGoOn()
    {
        var frame = _frame!;
        var left = frame.Rest;
        frame.Rest = Join(frame);
        if (session.MayGoOn(frame))
        {
            frame.Rest = left;
            return true;
        }

        _frame = null;
        return false;
    }

    /// <summary>Drops what it holds.</summary>
    public void Release()
    {
        _frame?.Release();
        _frame = null;
    }

    private bool TryHaveFrame([NotNullWhen(true)] out DeliveredFrame? frame)
    {
        if (_frame is { } held && held.Sink.Cursor.IsInterrupted)
        {
            _batch = default;
            if (!session.MayGoOn(held))
            {
                _frame = null;
            }
        }

        if (_frame is null && session.TryTake(out var taken))
        {
            _frame = taken;
        }

        frame = _frame;
        return frame is not null;
    }

    /// <summary>The rest of the frame from the present batch on: the batch directly precedes the rest.</summary>
    private ReadOnlyMemory<byte> Join(DeliveredFrame frame) =>
        frame.Whole[(frame.Whole.Length - frame.Rest.Length - _batch.Length)..];

    private void Split(DeliveredFrame frame)
    {
        var rest = frame.Rest;
        if (!RecordBatchHeader.TryRead(rest.Span, out var header, out var fault))
        {
            throw Fault(ErrorCode.InvalidBatch, fault, frame);
        }

        if (header.Length > rest.Length)
        {
            throw Fault(ErrorCode.InvalidBatch, $"a batch of {header.Length} bytes is cut off after {rest.Length}", frame);
        }

        Header = header;
        _batch = rest[..header.Length];
        frame.Rest = rest[header.Length..];
    }

    private static bool HasDamage(ReadOnlySpan<byte> batch) =>
        !RecordBatchHeader.HasValidChecksum(batch) || !RecordBatchHeader.HasValidStamp(batch);

    /// <summary>Another replica may have it whole: the broker is asked to look at its own, and it comes again.</summary>
    private void Refetch(DeliveredFrame frame)
    {
        var fault = Fault(ErrorCode.CorruptBatch, "a checksum of the batch does not match its bytes", frame);
        _frame = null;
        if (!session.TryRefetch(frame, fault))
        {
            throw fault;
        }
    }

    private void Verify(DeliveredFrame frame)
    {
        if (Header.Partition != frame.Sink.Reader.Partition)
        {
            throw Fault(ErrorCode.CorruptBatch, $"the batch belongs to partition {Header.Partition}", frame);
        }

        if (Header.BaseOffset > frame.Sink.Cursor.Position)
        {
            throw Fault(
                ErrorCode.InvalidBatch, $"the next batch begins at {Header.BaseOffset}: records are missing", frame);
        }
    }

    private WeirException Fault(ErrorCode code, string text, DeliveredFrame frame) => WeirException.At(
        code, text, session.Topic, frame.Sink.Reader.Partition, frame.Sink.Cursor.Position);
}
