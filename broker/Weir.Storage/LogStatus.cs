using Microsoft.Extensions.Logging;

namespace Weir.Storage;

/// <summary>
/// Whether a log is online, and why not. From <see cref="LogState.Stopped"/> and <see cref="LogState.Corrupt"/> nothing leads
/// back but opening the log again. Any thread may look; the flush and the closing thread change it.
/// </summary>
internal sealed class LogStatus
{
    private readonly LogIdentity _identity;
    private readonly ILogger _logger;
    private volatile LogState _state;

    /// <param name="identity">Which log, for events.</param>
    /// <param name="fault">What recovery found damaged; null if nothing.</param>
    /// <param name="logger">Told of every change.</param>
    public LogStatus(LogIdentity identity, string? fault, ILogger logger)
    {
        _identity = identity;
        _logger = logger;
        _state = fault is null ? LogState.Online : LogState.Corrupt;
        Reason = fault ?? string.Empty;
    }

    public LogState State => _state;

    public string Reason { get; private set; }

    /// <summary>Whether the files may be written.</summary>
    public bool IsSound => _state is LogState.Online or LogState.StorageFull;

    /// <summary>The file system is full: appends are refused until a write succeeds.</summary>
    public void StorageFull(string reason)
    {
        if (_state == LogState.Online)
        {
            Reason = reason;
            _state = LogState.StorageFull;
            StorageLog.StorageFull(_logger, _identity, reason);
        }
    }

    /// <summary>A write succeeded.</summary>
    public void SpaceReturned()
    {
        if (_state == LogState.StorageFull)
        {
            _state = LogState.Online;
            Reason = string.Empty;
            StorageLog.SpaceReturned(_logger, _identity);
        }
    }

    /// <summary>A write or sync failed; false if the log was stopped or damaged before.</summary>
    public bool TryStop(string reason)
    {
        if (!IsSound)
        {
            return false;
        }

        Reason = reason;
        _state = LogState.Stopped;
        StorageLog.LogStopped(_logger, _identity, reason);
        return true;
    }

    /// <summary>The files are closed: an end in order, which is no event.</summary>
    public void Close()
    {
        if (_state != LogState.Corrupt)
        {
            _state = LogState.Stopped;
        }
    }
}
