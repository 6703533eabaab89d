using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Segments;

namespace Weir.Storage.Compaction;

/// <summary>Reads the batches of a closed segment in order, whole and checked or their headers alone. Holds it open.</summary>
internal sealed class CompactionSource : IDisposable
{
    private readonly Segment _segment;
    private readonly BatchScanner _scanner;
    private readonly LogIdentity _identity;

    /// <exception cref="CompactionAbandonedException">The segment is gone.</exception>
    public CompactionSource(Segment segment, LogIdentity identity)
    {
        if (!segment.TryAcquire())
        {
            throw new CompactionAbandonedException();
        }

        _segment = segment;
        _identity = identity;
        NextOffset = segment.BaseOffset;
        _scanner = new BatchScanner(segment.File, identity, segment.DataBytes);
    }

    /// <summary>Where the next batch stands.</summary>
    public int Position { get; private set; }

    /// <summary>Base offset of the next batch.</summary>
    public long NextOffset { get; private set; }

    /// <summary>The header that was read last.</summary>
    public RecordBatchHeader Header { get; private set; }

    /// <summary>The batch that was read last, until the next call.</summary>
    public ReadOnlyMemory<byte> Batch => _scanner.BatchMemory;

    /// <summary>Reads a whole batch and checks it; returns its bytes.</summary>
    public int ReadBatch()
    {
        if (_scanner.Read(Position, NextOffset, out var header) != ScanResult.Batch)
        {
            throw new LogCorruptException(_segment.File.Path, Position, NextOffset, _scanner.Fault);
        }

        return Advance(header);
    }

    /// <summary>Reads a header only; returns the bytes that were read.</summary>
    public int ReadHeader()
    {
        Span<byte> bytes = stackalloc byte[RecordBatchHeader.Size];
        var read = _segment.File.Read(bytes, Position);
        if (!RecordBatchHeader.TryRead(bytes[..read], out var header, out var fault) || !RecordBatchHeader.HasValidStamp(bytes)
            || header.BaseOffset != NextOffset || header.TopicId != _identity.TopicId)
        {
            throw new LogCorruptException(_segment.File.Path, Position, NextOffset, $"no batch of this log stands here: {fault}");
        }

        Advance(header);
        return RecordBatchHeader.Size;
    }

    /// <summary>The records of the batch; the caller returns the pooled array.</summary>
    /// <exception cref="ProtocolException">They cannot be decompressed.</exception>
    public ReadOnlyMemory<byte> Decompress(out byte[]? pooled) =>
        BatchCompression.Decompress(Batch, Header, int.MaxValue, out pooled);

    public void Dispose()
    {
        _scanner.Dispose();
        _segment.Release();
    }

    private int Advance(in RecordBatchHeader header)
    {
        Header = header;
        Position += header.Length;
        NextOffset = header.NextOffset;
        return header.Length;
    }
}
