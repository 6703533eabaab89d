using System.Buffers;
using Weir.Protocol.Records;

namespace Weir.Client.Consuming;

/// <summary>
/// A verified batch whose records are being read. The memory of its records is empty once it is closed, so that a record
/// kept too long throws instead of showing other bytes.
/// </summary>
internal sealed class OpenBatch(string topic, RecordBatchHeader header, ReadOnlyMemory<byte> records, byte[]? pooled)
{
    private byte[]? _pooled = pooled;

    public string Topic => topic;

    public RecordBatchHeader Header => header;

    public ReadOnlyMemory<byte> Records { get; private set; } = records;

    /// <summary>Ends the use of its memory.</summary>
    public void Close()
    {
        Records = default;
        if (_pooled is { } array)
        {
            _pooled = null;
            ArrayPool<byte>.Shared.Return(array);
        }
    }
}
