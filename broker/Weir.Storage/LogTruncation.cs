using Weir.Protocol.Records;
using Weir.Storage.Compaction;
using Weir.Storage.Files;
using Weir.Storage.Producers;
using Weir.Storage.Recovery;
using Weir.Storage.Segments;

namespace Weir.Storage;

/// <summary>
/// Cuts the files of a log that nobody writes. Every step is durable before the next one, last things first, so that a crash
/// leaves a log that ends somewhere between the new end and the old one.
/// </summary>
internal sealed class LogTruncation(ILogFiles files, string directory, SegmentSet segments, CheckpointFile checkpoint)
{
    /// <summary>Removes every batch that ends above an offset.</summary>
    /// <returns>The new end.</returns>
    public long CutTo(long offset, long logStartOffset)
    {
        var all = segments.All;
        var keep = segments.Find(offset);
        var (end, position) = keep is null ? (offset, 0) : FindEnd(keep, offset);

        ForgetAbove(end);

        // Everything that is written is synced by now. Recovery takes what is missing below the recovery offset for damage, and
        // must not take damage there for a torn write.
        checkpoint.Write(end, logStartOffset, isClean: false, sync: true);
        for (var i = all.Length - 1; i >= 0 && all[i].BaseOffset > (keep?.BaseOffset ?? -1); i--)
        {
            Delete(all[i]);
        }

        if (keep is not null)
        {
            Segment.DeleteCaches(files, directory, keep.BaseOffset);
            files.SyncDirectory(directory);
            keep.File.Truncate(position);
            keep.File.Sync();
        }

        return end;
    }

    /// <summary>Removes everything and leaves one empty segment that starts at an offset.</summary>
    public void Restart(long offset)
    {
        // The new start first: with it, what is left of the old segments after a crash is below the log.
        checkpoint.Write(recoveryOffset: 0, logStartOffset: 0, isClean: false, sync: true);
        DeleteFilesFrom(0);
        ForgetAbove(-1);
        checkpoint.Write(recoveryOffset: 0, logStartOffset: offset, isClean: false, sync: true);
        using (var file = files.Open($"{directory}/{Segment.FileName(offset)}", OpenKind.Create))
        {
            file.Sync();
        }

        files.SyncDirectory(directory);
    }

    /// <summary>Removes damage at an offset and all that follows it; what is before it is whole.</summary>
    public void DiscardFrom(long offset, long logStartOffset)
    {
        ForgetAbove(offset);
        checkpoint.Write(Math.Min(checkpoint.Current.RecoveryOffset, offset), logStartOffset, isClean: false, sync: true);
        var last = segments.All.LastOrDefault(segment => segment.BaseOffset <= offset);
        DeleteFilesFrom((last?.BaseOffset ?? -1) + 1);
        if (last is not null)
        {
            Segment.DeleteCaches(files, directory, last.BaseOffset);
            files.SyncDirectory(directory);
            last.File.Truncate(last.DataBytes);
            last.File.Sync();
        }
    }

    private static (long End, int Position) FindEnd(Segment segment, long offset)
    {
        Span<byte> bytes = stackalloc byte[RecordBatchHeader.Size];
        var end = segment.BaseOffset;
        var position = 0;
        while (position < segment.DataBytes)
        {
            if (segment.File.Read(bytes, position) < bytes.Length || !RecordBatchHeader.TryRead(bytes, out var header, out _)
                || header.NextOffset > offset)
            {
                break;
            }

            end = header.NextOffset;
            position += header.Length;
        }

        return (end, position);
    }

    /// <summary>What was noted of what is cut off must not be taken for what comes in its place.</summary>
    private void ForgetAbove(long offset)
    {
        CompactionState.ForgetAbove(files, directory, offset);
        if (ProducerSnapshot.TryLoad(files, directory, new ProducerStateTable(), new EpochHistory(), out var saved)
            && saved <= offset)
        {
            return;
        }

        ProducerSnapshot.Delete(files, directory);
    }

    private void Delete(Segment segment)
    {
        Segment.DeleteCaches(files, directory, segment.BaseOffset);
        files.Delete(segment.File.Path);
        files.SyncDirectory(directory);
    }

    /// <summary>Deletes segment files by name, last first: recovery may not have got as far as them.</summary>
    private void DeleteFilesFrom(long baseOffset)
    {
        foreach (var name in files.ListFiles(directory).Reverse())
        {
            var dot = name.IndexOf('.', StringComparison.Ordinal);
            if (dot == 20 && long.TryParse(name.AsSpan(0, dot), out var start) && start >= baseOffset)
            {
                files.Delete($"{directory}/{name}");
                files.SyncDirectory(directory);
            }
        }
    }
}
