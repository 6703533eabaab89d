using Weir.Storage.Files;
using Weir.Storage.Segments;

namespace Weir.Storage;

/// <summary>
/// Decides which closed segments may go and deletes them: rename, directory sync, unlink, so that a crash leaves a segment
/// whole or gone and works on a file system without a free byte.
/// </summary>
internal sealed class LogRetention(ILogFiles files, string directory, SegmentSet segments)
{
    public const string DeletedSuffix = ".deleted";
    private readonly Lock _gate = new();

    /// <summary>First offset that the settings keep.</summary>
    public long FindStart(LogOptions options, long nowMs, long durableOffset)
    {
        var all = segments.All;
        var bytes = all.Sum(static segment => (long)segment.End.DataBytes);
        var start = all.IsEmpty ? 0 : all[0].BaseOffset;
        foreach (var segment in all)
        {
            var isExpired = options.RetentionAge is { } age && segment.LastAppendTimeMs < nowMs - (long)age.TotalMilliseconds;
            var isOverSize = bytes > options.RetentionBytes;
            if (!segment.IsSealed || segment.NextOffset > durableOffset || !(isExpired || isOverSize))
            {
                break;
            }

            bytes -= segment.DataBytes;
            start = segment.NextOffset;
        }

        return start;
    }

    /// <summary>Whether the active segment holds nothing but expired records and should be closed, so that it can go.</summary>
    public bool IsActiveExpired(LogOptions options, long nowMs)
    {
        var active = segments.All.LastOrDefault();
        return options.RetentionAge is { } age
            && active is { IsSealed: false, DataBytes: > 0 }
            && active.LastAppendTimeMs < nowMs - (long)age.TotalMilliseconds;
    }

    /// <summary>Deletes closed segments whose every record is below an offset; returns the bytes freed.</summary>
    public long DeleteBelow(long offset)
    {
        lock (_gate)
        {
            var gone = segments.All.TakeWhile(segment => segment.IsSealed && segment.NextOffset <= offset).ToList();
            if (gone.Count == 0)
            {
                return 0;
            }

            foreach (var segment in gone)
            {
                // One at a time, oldest first: a crash between two unsynced renames could keep the older segment and lose the
                // newer one, which looks like damage.
                var path = $"{directory}/{Segment.FileName(segment.BaseOffset)}";
                files.Rename(path, path + DeletedSuffix);
                files.SyncDirectory(directory);
                segments.RemoveFirst(1);
            }

            foreach (var segment in gone)
            {
                segment.Release();
                files.Delete($"{directory}/{Segment.FileName(segment.BaseOffset)}{DeletedSuffix}");
                var index = $"{directory}/{Segment.IndexName(segment.BaseOffset)}";
                if (files.FileExists(index))
                {
                    files.Delete(index);
                }
            }

            return gone.Sum(static segment => (long)segment.DataBytes);
        }
    }
}
