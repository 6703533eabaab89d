using Weir.Storage.Files;
using Weir.Storage.Indexes;
using Weir.Storage.Segments;

namespace Weir.Storage.Compaction;

/// <summary>
/// What a log lends to a run of compaction: its files, and the one step in which compacted segments take the place of what
/// they were made of. One run at a time.
/// </summary>
/// <remarks>
/// The order of a swap makes every crash harmless: the new file is durable under a name that is no segment, takes the name of
/// the first that it replaces, that is synced, and only then the others go. Recovery removes those that a crash left.
/// </remarks>
internal sealed class LogCompactor(
    ILogFiles files, string directory, LogIdentity identity, SegmentSet segments, Lock filesGate, LogStatus status,
    Action<string> stop)
{
    private CompactionState _state = CompactionState.Load(files, directory);
    private object? _running;
    private bool _isRetired;

    private bool IsSound => !_isRetired && status.IsSound;

    public LogIdentity Identity => identity;

    /// <summary>The settings of the present run.</summary>
    public LogOptions Options { get; private set; } = new();

    /// <summary>Starts a run; null if one is under way, the log is not sound, or it is not worth it.</summary>
    public CompactionRun? Start(LogOptions options, in CompactionRequest request, long logStartOffset, long durableOffset)
    {
        lock (filesGate)
        {
            var limit = options.Omits.HasFlag(OmittedRules.CompactBelowHighWatermark)
                ? durableOffset
                : Math.Min(request.HighWatermark, durableOffset);
            if (_running is not null || !IsSound
                || CompactionPlan.Make(segments.All, _state, options, request, limit) is not { } plan)
            {
                return null;
            }

            Options = options;
            var run = new CompactionRun(this, plan, request, logStartOffset);
            _running = run;
            return run;
        }
    }

    /// <summary>The files are another object's from here on: a run that is under way ends. Under the gate.</summary>
    public void Retire() => _isRetired = true;

    public void Finished(CompactionRun run)
    {
        lock (filesGate)
        {
            _running = ReferenceEquals(_running, run) ? null : _running;
        }
    }

    public CompactedSegmentWriter CreateWriter(Segment first)
    {
        lock (filesGate)
        {
            RequireUnchanged([first]);
            return new CompactedSegmentWriter(files, directory, Options, first.BaseOffset, first.Generation + 1);
        }
    }

    /// <summary>Puts a complete segment in the place of its sources, durably.</summary>
    /// <exception cref="CompactionAbandonedException">One of them is not there any more.</exception>
    public void Swap(CompactedSegmentWriter writer, Segment[] replaced)
    {
        lock (filesGate)
        {
            RequireUnchanged(replaced);
            writer.Dispose();
            var path = $"{directory}/{Segment.FileName(replaced[0].BaseOffset)}";
            Segment.DeleteCaches(files, directory, replaced[0].BaseOffset);
            files.Rename(writer.Path, path);
            if (!Options.Omits.HasFlag(OmittedRules.SwapBeforeDelete))
            {
                files.SyncDirectory(directory);
            }

            var swapped = new Segment(files.Open(path, OpenKind.Write), replaced[0].BaseOffset);
            swapped.Restore(writer.Segment.Summarize(), writer.Segment.Index);
            swapped.Seal(replaced[0].Generation + 1);
            segments.TryReplace(replaced, swapped);
            SaveIndex(swapped);
            foreach (var segment in replaced)
            {
                segment.Release();
                if (segment.BaseOffset != swapped.BaseOffset)
                {
                    Segment.DeleteCaches(files, directory, segment.BaseOffset);
                    files.Delete($"{directory}/{Segment.FileName(segment.BaseOffset)}");
                }
            }

            files.SyncDirectory(directory);
        }
    }

    /// <summary>Removes what was written, if the directory still is this log's.</summary>
    public void GiveUp(CompactedSegmentWriter writer)
    {
        lock (filesGate)
        {
            if (IsSound)
            {
                try
                {
                    writer.Delete();
                    return;
                }
                catch (LogIoException)
                {
                    // The next run or opening removes it.
                }
            }

            writer.Dispose();
        }
    }

    public void Save(in CompactionState state)
    {
        lock (filesGate)
        {
            if (!IsSound)
            {
                throw new CompactionAbandonedException();
            }

            _state = state;
            state.Save(files, directory);
        }
    }

    /// <summary>A full disk only ends the run: nothing was changed yet. After anything else the files are not to be trusted.</summary>
    public void OnFailure(LogIoException e)
    {
        if (!e.IsDiskFull)
        {
            stop(e.Message);
        }
    }

    private void RequireUnchanged(ReadOnlySpan<Segment> used)
    {
        if (!IsSound || !segments.Contains(used))
        {
            throw new CompactionAbandonedException();
        }
    }

    private void SaveIndex(Segment segment)
    {
        try
        {
            IndexFile.Save(files, directory, segment);
        }
        catch (LogIoException e) when (e.IsDiskFull)
        {
            // It is built again at the next opening.
        }
    }
}
