using Microsoft.Extensions.Logging;

namespace Weir.Storage;

/// <summary>Log events 2000 to 2999.</summary>
internal static partial class StorageLog
{
    [LoggerMessage(2000, LogLevel.Warning, "{Log} refuses appends until space returns: {Reason}")]
    public static partial void StorageFull(ILogger logger, LogIdentity log, string reason);

    [LoggerMessage(2001, LogLevel.Information, "{Log} takes appends again: space has returned")]
    public static partial void SpaceReturned(ILogger logger, LogIdentity log);

    [LoggerMessage(2002, LogLevel.Error, "{Log} is stopped until the broker restarts: {Reason}")]
    public static partial void LogStopped(ILogger logger, LogIdentity log, string reason);

    [LoggerMessage(2003, LogLevel.Warning, "{Log} could not save a snapshot; recovery will read more: {Reason}")]
    public static partial void SnapshotFailed(ILogger logger, LogIdentity log, string reason);

    [LoggerMessage(2004, LogLevel.Warning, "{Log} ended in a torn write: cut at offset {Offset}, byte {Position} of '{File}': {Fault}")]
    public static partial void TailCut(ILogger logger, LogIdentity log, long offset, long position, string file, string fault);

    [LoggerMessage(2005, LogLevel.Error, "{Log} is damaged and refuses appends: {Fault}")]
    public static partial void LogCorrupt(ILogger logger, LogIdentity log, string fault);

    [LoggerMessage(2006, LogLevel.Information, "{Log} recovered: offsets {Start} to {End}, {Scanned} bytes read")]
    public static partial void Recovered(ILogger logger, LogIdentity log, long start, long end, long scanned);

    [LoggerMessage(2007, LogLevel.Information, "{Log} rebuilds its index '{File}'")]
    public static partial void IndexRebuilt(ILogger logger, LogIdentity log, string file);
}
