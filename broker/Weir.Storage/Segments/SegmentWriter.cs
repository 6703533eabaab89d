using Weir.Protocol.Records;
using Weir.Storage.Files;
using Weir.Storage.Indexes;
using Weir.Storage.Tail;

namespace Weir.Storage.Segments;

/// <summary>
/// The file side of a log's end: allocates, writes, closes and opens segments. Called by the flush alone. Every step may fail
/// for lack of space and be tried again; nothing is written twice to different places.
/// </summary>
internal sealed class SegmentWriter(
    ILogFiles files, string directory, SegmentSet segments, LogOptions options, Action<long> onRoll)
{
    private const int MinAllocationBytes = 256 * 1024;
    private const int MaxAllocationStepBytes = 64 * 1024 * 1024;

    /// <summary>Writes a chunk's bytes from what is written up to <paramref name="length"/>.</summary>
    /// <param name="chunk">The next chunk in order.</param>
    /// <param name="length">Published bytes of it.</param>
    /// <param name="segmentBytes">Bound of a segment, for the allocation.</param>
    /// <param name="onBatch">Shown every batch that is written.</param>
    public void Write(TailChunk chunk, int length, int segmentBytes, Action<RecordBatchHeader> onBatch)
    {
        if (segments.All.IsEmpty || segments.Active.BaseOffset != chunk.SegmentBase)
        {
            Roll(chunk.SegmentBase);
        }

        var segment = segments.Active;
        var bytes = chunk.Slice(chunk.WrittenLength, length - chunk.WrittenLength).Span;
        var position = chunk.StartPosition + chunk.WrittenLength;
        Allocate(segment, position + bytes.Length + SegmentFooter.Size, segmentBytes);
        segment.File.Write(bytes, position);
        chunk.WrittenLength = length;
        while (!bytes.IsEmpty)
        {
            RecordBatchHeader.TryRead(bytes, out var header, out _);
            segment.Extend(header, options.IndexIntervalBytes);
            onBatch(header);
            bytes = bytes[header.Length..];
        }

        segment.Publish();
    }

    /// <summary>Closes the active segment, durably, and opens the next one, durably.</summary>
    public void Roll(long baseOffset)
    {
        if (!segments.All.IsEmpty && !segments.Active.IsSealed)
        {
            Seal(segments.Active);
        }

        onRoll(baseOffset);
        var path = $"{directory}/{Segment.FileName(baseOffset)}";
        var file = files.Open(path, files.FileExists(path) ? OpenKind.Write : OpenKind.Create);
        try
        {
            // It stays empty until the first write, so that a roll needs no space, and recovery can tell a new segment.
            file.Sync();
            files.SyncDirectory(directory);
        }
        catch (LogIoException)
        {
            file.Dispose();
            throw;
        }

        segments.Add(new Segment(file, baseOffset));
    }

    private void Seal(Segment segment)
    {
        if (!options.Omits.HasFlag(OmittedRules.SyncBeforeFooter))
        {
            // The footer vouches for the data before it, so it must not reach the disk first.
            segment.File.Sync();
        }

        Span<byte> footer = stackalloc byte[SegmentFooter.Size];
        new SegmentFooter(
            segment.BaseOffset, segment.NextOffset, segment.DataBytes, segment.MaxTimestampMs, segment.LastAppendTimeMs)
            .Write(footer);
        segment.File.Write(footer, segment.DataBytes);
        segment.File.Truncate(segment.DataBytes + SegmentFooter.Size);
        segment.File.Sync();
        segment.Seal();
        IndexFile.Save(files, directory, segment);
    }

    private static void Allocate(Segment segment, int needed, int segmentBytes)
    {
        var allocated = segment.File.Length;
        if (needed <= allocated)
        {
            return;
        }

        var step = Math.Clamp(allocated, MinAllocationBytes, MaxAllocationStepBytes);
        segment.File.Allocate(Math.Max(needed, Math.Min(allocated + step, segmentBytes)));
    }
}
