using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Replication.Fetching;

/// <summary>
/// Collects record batches for a peer. What comes from a file is checked first: a leader must not hand on what its disk has
/// damaged.
/// </summary>
/// <param name="maxBytes">How much it takes, but for a first batch that is longer.</param>
/// <param name="fromFiles">Whether it reads the files also for what is still in memory, and so checks everything.</param>
internal sealed class RecordBuffer(int maxBytes, bool fromFiles = false)
{
    private byte[] _bytes = [];

    /// <summary>Bytes collected.</summary>
    public int Length { get; private set; }

    /// <summary>The bytes.</summary>
    public ReadOnlyMemory<byte> Content => _bytes.AsMemory(0, Length);

    /// <summary>Adds batches from a cursor on up to the log's end, at least one if there is room for the first.</summary>
    /// <exception cref="LogCorruptException">A batch on the disk is damaged; nothing of it was added.</exception>
    public void Append(PartitionLog log, ref LogCursor cursor, int maxPartitionBytes) =>
        Append(log, ref cursor, log.LogEndOffset, maxPartitionBytes);

    /// <summary>Adds batches from a cursor on that end at or below a limit.</summary>
    /// <exception cref="LogCorruptException">A batch on the disk is damaged; nothing of it was added.</exception>
    public void Append(PartitionLog log, ref LogCursor cursor, long limitOffset, int maxPartitionBytes)
    {
        var left = Math.Min(maxPartitionBytes, maxBytes - Length);
        while (left > 0)
        {
            var next = cursor;
            using var slice = fromFiles ? log.ReadFile(ref next, limitOffset, left) : log.Read(ref next, limitOffset, left);
            if (slice.Length == 0 || (slice.Length > left && Length > 0))
            {
                return;
            }

            var target = Reserve(slice.Length);
            if (slice.IsInMemory)
            {
                slice.Memory.Span.CopyTo(target);
            }
            else
            {
                ReadChecked(slice, target, cursor.Offset);
            }

            Length += slice.Length;
            left -= slice.Length;
            cursor = next;
        }
    }

    /// <summary>The batches one by one.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Split()
    {
        var batches = new List<ReadOnlyMemory<byte>>();
        for (var rest = Content; rest.Length > 0;)
        {
            var batch = rest[..(int)RecordBatchHeader.ReadLength(rest.Span)];
            batches.Add(batch);
            rest = rest[batch.Length..];
        }

        return batches;
    }

    private static void ReadChecked(in LogSlice slice, Span<byte> target, long offset)
    {
        var read = slice.File!.Read(target, slice.FilePosition);
        if (read != target.Length)
        {
            throw new LogCorruptException(offset, $"'{slice.File.Path}' ends in the middle of a batch");
        }

        for (var rest = target; rest.Length > 0;)
        {
            if (!RecordBatchHeader.TryRead(rest, out var header, out var fault) || header.Length > rest.Length
                || !RecordBatchHeader.HasValidChecksum(rest[..header.Length])
                || !RecordBatchHeader.HasValidStamp(rest[..header.Length]))
            {
                throw new LogCorruptException(offset, $"a batch in '{slice.File.Path}' is damaged: {fault}");
            }

            offset = header.NextOffset;
            rest = rest[header.Length..];
        }
    }

    private Span<byte> Reserve(int bytes)
    {
        if (_bytes.Length - Length < bytes)
        {
            Array.Resize(ref _bytes, Math.Max(Length + bytes, Math.Min(maxBytes, _bytes.Length * 2)));
        }

        return _bytes.AsSpan(Length, bytes);
    }
}
