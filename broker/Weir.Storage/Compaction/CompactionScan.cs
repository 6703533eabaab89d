using System.Buffers;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Producers;

namespace Weir.Storage.Compaction;

/// <summary>
/// The first half of a run: reads the part of the log that is not compacted yet and notes the last offset of each key, as far
/// as the memory goes, and of the whole which batches tell producers' retries. One thread.
/// </summary>
internal sealed class CompactionScan(
    CompactionPlan plan, LogIdentity identity, LogOptions options, in CompactionRequest request, long logStartOffset)
{
    private readonly long _nowMs = request.NowMs;

    /// <summary>The last offset of each key between the clean offset and <see cref="EndOffset"/>.</summary>
    public KeyOffsetMap Keys { get; } = new(
        Math.Min(options.CompactionMemoryBytes, Math.Max(64 * KeyOffsetMap.SlotBytes, plan.DirtyBytes * 4)),
        request.HashSeed);

    /// <summary>Producers as recovery finds them in the segments that are read.</summary>
    public ProducerStateTable Producers { get; } = new();

    /// <summary>Where <see cref="Keys"/> ends.</summary>
    public long EndOffset { get; private set; } = plan.CleanOffset;

    /// <summary>Segments that were read: those before <see cref="EndOffset"/>.</summary>
    public int SegmentCount { get; private set; }

    /// <summary>Reads in steps; each gives the bytes it read.</summary>
    /// <exception cref="LogCorruptException">A batch is damaged.</exception>
    public IEnumerable<int> Run()
    {
        var isFull = false;
        foreach (var segment in plan.Segments)
        {
            if (isFull)
            {
                break;
            }

            SegmentCount++;
            using var source = new CompactionSource(segment, identity);
            var pending = 0;
            while (source.Position < segment.DataBytes)
            {
                var isDirty = !isFull && segment.NextOffset > plan.CleanOffset;
                pending += isDirty ? source.ReadBatch() : source.ReadHeader();
                Producers.Apply(source.Header, options.MaxProducers);
                if (isDirty)
                {
                    isFull = !TryNoteKeys(source);
                }

                if (pending >= CompactionRun.StepBytes)
                {
                    yield return pending;
                    pending = 0;
                }
            }

            yield return pending;
        }

        Producers.Expire(_nowMs - (long)options.ProducerExpiry.TotalMilliseconds);
    }

    private bool TryNoteKeys(CompactionSource source)
    {
        byte[]? pooled = null;
        try
        {
            var records = source.Decompress(out pooled).Span;
            var walk = new BatchRecords(records, source.Header);
            while (walk.MoveNext())
            {
                if (walk.Offset < EndOffset || walk.Offset < logStartOffset || walk.Current.KeyLength < 0)
                {
                    continue;
                }

                if (!Keys.TryPut(records.Slice(walk.Current.KeyStart, walk.Current.KeyLength), walk.Offset))
                {
                    EndOffset = walk.Offset;
                    return false;
                }
            }

        }
        catch (ProtocolException)
        {
            // No reader can read it either; the batch stays as it is.
        }
        finally
        {
            if (pooled is not null)
            {
                ArrayPool<byte>.Shared.Return(pooled);
            }
        }

        EndOffset = Math.Max(EndOffset, source.Header.NextOffset);
        return true;
    }
}
