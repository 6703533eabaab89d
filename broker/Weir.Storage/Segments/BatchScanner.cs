using System.Buffers;
using Weir.Protocol.Records;
using Weir.Storage.Files;

namespace Weir.Storage.Segments;

/// <summary>What stands at a position of a segment's file.</summary>
internal enum ScanResult
{
    /// <summary>A whole batch of this log, with the offset that is expected next.</summary>
    Batch,

    /// <summary>Nothing but zeros, or the end of the file.</summary>
    Empty,

    /// <summary>Bytes that are no such batch.</summary>
    Damaged,
}

/// <summary>Walks the batches of one segment's file in order and checks all of each. Disposed by its user; one thread.</summary>
internal sealed class BatchScanner(ILogFile file, LogIdentity identity, long endPosition) : IDisposable
{
    private const int WindowBytes = 1024 * 1024;
    private byte[] _window = ArrayPool<byte>.Shared.Rent(WindowBytes);
    private long _windowStart;
    private int _windowLength;
    private int _batchStart;
    private int _batchLength;

    /// <summary>Why the last result was <see cref="ScanResult.Damaged"/>.</summary>
    public string Fault { get; private set; } = string.Empty;

    /// <summary>The bytes of the last batch; valid until the next call.</summary>
    public ReadOnlySpan<byte> Batch => _window.AsSpan(_batchStart, _batchLength);

    /// <summary>The same as memory.</summary>
    public ReadOnlyMemory<byte> BatchMemory => _window.AsMemory(_batchStart, _batchLength);

    /// <summary>Reads and checks the batch at a position.</summary>
    /// <param name="position">First byte.</param>
    /// <param name="expectedOffset">The base offset it must have; null for any.</param>
    /// <param name="header">Its header.</param>
    public ScanResult Read(long position, long? expectedOffset, out RecordBatchHeader header)
    {
        header = default;
        var start = View(position, RecordBatchHeader.Size);
        if (start.IsEmpty || !start.ContainsAnyExcept((byte)0))
        {
            return HasOnlyZeros(position) ? ScanResult.Empty : Damaged("zeros where a batch should start");
        }

        if (!RecordBatchHeader.TryRead(start, out header, out var fault))
        {
            return Damaged(fault);
        }

        if (header.TopicId != identity.TopicId || header.Partition != identity.Partition)
        {
            return Damaged($"a batch of {new LogIdentity(header.TopicId, header.Partition)} stands here");
        }

        var batch = View(position, header.Length);
        if (batch.Length < header.Length)
        {
            return Damaged($"a batch of {header.Length} bytes ends after {batch.Length}");
        }

        if (!RecordBatchHeader.HasValidChecksum(batch) || !RecordBatchHeader.HasValidStamp(batch))
        {
            return Damaged("the batch's checksum does not match its bytes");
        }

        if (expectedOffset is { } expected && header.BaseOffset != expected)
        {
            return Damaged($"a batch with offset {header.BaseOffset} stands here");
        }

        _batchStart = (int)(position - _windowStart);
        _batchLength = batch.Length;
        return ScanResult.Batch;
    }

    /// <summary>
    /// Searches behind damage for a whole batch which shows that <paramref name="offset"/> was committed before it was
    /// appended.
    /// </summary>
    public bool HasProofOfCommit(long position, long offset)
    {
        Span<byte> needle = stackalloc byte[16];
        identity.TopicId.TryWriteBytes(needle, bigEndian: true, out _);
        while (position < endPosition)
        {
            var view = View(position, (int)Math.Min(WindowBytes, endPosition - position));
            var found = view.IndexOf(needle);
            if (found < 0)
            {
                position += Math.Max(1, view.Length - needle.Length + 1);
                continue;
            }

            var candidate = position + found - RecordBatchHeader.TopicIdPosition;
            position += found + 1;
            if (candidate >= 0
                && Read(candidate, null, out var header) == ScanResult.Batch
                && header.HighWatermark > offset)
            {
                return true;
            }
        }

        return false;
    }

    public void Dispose()
    {
        var window = _window;
        _window = [];
        if (window.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(window);
        }
    }

    private ScanResult Damaged(string fault)
    {
        Fault = fault;
        return ScanResult.Damaged;
    }

    private bool HasOnlyZeros(long position)
    {
        while (position < endPosition)
        {
            var view = View(position, (int)Math.Min(WindowBytes, endPosition - position));
            if (view.IsEmpty || view.ContainsAnyExcept((byte)0))
            {
                return view.IsEmpty;
            }

            position += view.Length;
        }

        return true;
    }

    private ReadOnlySpan<byte> View(long position, int count)
    {
        count = (int)Math.Min(count, Math.Max(0, endPosition - position));
        if (position < _windowStart || position + count > _windowStart + _windowLength)
        {
            if (count > _window.Length)
            {
                ArrayPool<byte>.Shared.Return(_window);
                _window = ArrayPool<byte>.Shared.Rent(count);
            }

            var wanted = (int)Math.Min(_window.Length, Math.Max(0, endPosition - position));
            _windowStart = position;
            _windowLength = file.Read(_window.AsSpan(0, wanted), position);
        }

        var available = (int)Math.Min(count, Math.Max(0, _windowStart + _windowLength - position));
        return _window.AsSpan((int)(position - _windowStart), available);
    }
}
