using Weir.Storage.Files;
using Weir.Storage.Indexes;

namespace Weir.Storage.Segments;

/// <summary>
/// One file of a log: batches back to back from its first byte, then preallocated zeros while it is active, or a footer
/// once it is closed.
/// </summary>
/// <remarks>
/// Positions are advanced by the log's writer alone. Readers hold the segment with <see cref="TryAcquire"/> while they use
/// its file, so that retention can delete it under them: the file closes when the last one lets go.
/// </remarks>
internal sealed class Segment
{
    private int _holders = 1;
    private SegmentEnd _end;

    public Segment(ILogFile file, long baseOffset)
    {
        File = file;
        BaseOffset = baseOffset;
        NextOffset = baseOffset;
        _end = new SegmentEnd(0, baseOffset);
    }

    public ILogFile File { get; }

    public long BaseOffset { get; }

    /// <summary>First offset after the last batch that was written to the file; the writer's view.</summary>
    public long NextOffset { get; private set; }

    /// <summary>Bytes of batches that were written to the file; the writer's view.</summary>
    public int DataBytes { get; private set; }

    /// <summary>Where the batches end, as readers may use it: both parts belong together.</summary>
    public SegmentEnd End => Volatile.Read(ref _end);

    public bool IsSealed { get; private set; }

    /// <summary>Tells the files apart that had this name: positions in one mean nothing in another.</summary>
    public int Generation { get; private set; }

    public long MaxTimestampMs { get; private set; } = long.MinValue;

    public long FirstAppendTimeMs { get; private set; } = long.MaxValue;

    public long LastAppendTimeMs { get; private set; } = long.MinValue;

    public SparseIndex Index { get; private set; } = new();

    /// <summary>The file's name for a base offset: twenty digits, so that names sort as offsets do.</summary>
    public static string FileName(long baseOffset) => $"{baseOffset:D20}.log";

    /// <summary>Ends the name of a file that compaction writes and that is no segment yet.</summary>
    public const string CompactingSuffix = ".compacting";

    /// <summary>The name of the index beside it.</summary>
    public static string IndexName(long baseOffset) => $"{baseOffset:D20}.index";

    /// <summary>Counts a batch that stands in the file from <see cref="DataBytes"/> on.</summary>
    public void Extend(in Protocol.Records.RecordBatchHeader batch, int indexIntervalBytes)
    {
        Index.AddIfDue(new IndexEntry(batch.BaseOffset, DataBytes, MaxTimestampMs), indexIntervalBytes);
        MaxTimestampMs = Math.Max(MaxTimestampMs, batch.MaxTimestampMs);
        FirstAppendTimeMs = Math.Min(FirstAppendTimeMs, batch.AppendTimeMs);
        LastAppendTimeMs = batch.AppendTimeMs;
        DataBytes += batch.Length;
        NextOffset = batch.NextOffset;
    }

    /// <summary>Shows readers what <see cref="Extend"/> counted.</summary>
    public void Publish() => Volatile.Write(ref _end, new SegmentEnd(DataBytes, NextOffset));

    /// <summary>Takes up what recovery knows without walking the batches before a position.</summary>
    public void Restore(in SegmentSummary summary, SparseIndex index)
    {
        NextOffset = summary.NextOffset;
        DataBytes = summary.DataBytes;
        MaxTimestampMs = summary.MaxTimestampMs;
        FirstAppendTimeMs = summary.FirstAppendTimeMs;
        LastAppendTimeMs = summary.LastAppendTimeMs;
        Index = index;
        Publish();
    }

    public SegmentSummary Summarize() =>
        new(BaseOffset, NextOffset, DataBytes, MaxTimestampMs, FirstAppendTimeMs, LastAppendTimeMs, Generation);

    /// <summary>Marks the segment closed: its file has a footer and is not written again.</summary>
    public void Seal(int generation = 0)
    {
        Generation = generation;
        IsSealed = true;
    }

    /// <summary>The name of the index of keys beside it.</summary>
    public static string KeysName(long baseOffset) => $"{baseOffset:D20}.keys";

    /// <summary>Deletes what can be built again from a segment.</summary>
    public static void DeleteCaches(ILogFiles files, string directory, long baseOffset)
    {
        foreach (var name in new[] { IndexName(baseOffset), KeysName(baseOffset) })
        {
            if (files.FileExists($"{directory}/{name}"))
            {
                files.Delete($"{directory}/{name}");
            }
        }
    }

    /// <summary>Keeps the file open; false if it is closed already.</summary>
    public bool TryAcquire()
    {
        var holders = Volatile.Read(ref _holders);
        while (holders > 0)
        {
            var seen = Interlocked.CompareExchange(ref _holders, holders + 1, holders);
            if (seen == holders)
            {
                return true;
            }

            holders = seen;
        }

        return false;
    }

    /// <summary>Lets go of the file; the last holder closes it.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) == 0)
        {
            File.Dispose();
        }
    }
}

/// <summary>What a segment's walked batches add up to.</summary>
internal readonly record struct SegmentSummary(
    long BaseOffset, long NextOffset, int DataBytes, long MaxTimestampMs, long FirstAppendTimeMs, long LastAppendTimeMs,
    int Generation);

/// <summary>Bytes of a segment's batches and the first offset after them.</summary>
internal sealed record SegmentEnd(int DataBytes, long NextOffset);
