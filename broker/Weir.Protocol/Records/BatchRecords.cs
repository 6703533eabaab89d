using Weir.Protocol.Errors;

namespace Weir.Protocol.Records;

/// <summary>
/// Walks the records of one batch of any format with their offsets. A borrowed view: it must not outlive the bytes.
/// </summary>
/// <remarks>Bytes that break the format throw <see cref="ProtocolException"/> with <see cref="ErrorCode.InvalidBatch"/>.</remarks>
public ref struct BatchRecords
{
    private readonly ReadOnlySpan<byte> _records;
    private readonly RecordBatchHeader _header;
    private int _next;
    private int _read;

    /// <summary>Starts before the first record.</summary>
    /// <param name="records">The records of the batch, uncompressed.</param>
    /// <param name="header">Its header.</param>
    public BatchRecords(ReadOnlySpan<byte> records, in RecordBatchHeader header)
    {
        _records = records;
        _header = header;
        Offset = header.BaseOffset - 1;
    }

    /// <summary>Offset of the record that was read last.</summary>
    public long Offset { get; private set; }

    /// <summary>Where its parts are.</summary>
    public RecordSlices Current { get; private set; }

    /// <summary>Where the next record starts.</summary>
    public readonly int NextPosition => _next;

    /// <summary>Reads the next record; false behind the last one.</summary>
    public bool MoveNext()
    {
        if (_read == _header.RecordCount)
        {
            return _next == _records.Length ? false : throw Invalid($"bytes follow the last of {_read} records");
        }

        if (!_header.IsCompacted)
        {
            Current = RecordReader.Read(_records, _next, _header.BaseTimestampMs);
            Offset++;
        }
        else
        {
            Current = RecordReader.ReadCompacted(_records, _next, _header.BaseTimestampMs, out var delta);
            var offset = _header.BaseOffset + delta;
            if (offset <= Offset || delta > (uint)_header.LastOffsetDelta)
            {
                throw Invalid($"record with offset {offset} follows one with {Offset}");
            }

            Offset = offset;
        }

        _next = Current.End;
        _read++;
        return true;
    }

    private static ProtocolException Invalid(string text) => new(ErrorCode.InvalidBatch, text);
}
