using System.Collections.Concurrent;
using Weir.Protocol.Messages;
using Weir.Storage.Files;
using Weir.Storage.Tail;

namespace Weir.Storage;

/// <summary>
/// Group commit for one data directory: a thread that takes all logs with something to write, writes it, syncs them
/// together and tells their listeners. What is appended meanwhile is the next round.
/// </summary>
/// <remarks>
/// The rounds themselves (<see cref="RunRound"/>) are synchronous and can be run without the thread. Logs whose topic does
/// not promise fsync are synced in the background, once a <see cref="BackgroundSyncInterval"/>.
/// </remarks>
public sealed class FlushLoop : IDisposable
{
    /// <summary>With more dirty files than this, one sync of the file system is cheaper than one of each.</summary>
    public const int SyncEachAtMost = 3;

    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(500);
    private readonly ILogFiles _files;
    private readonly TailMemory _memory;
    private readonly TimeProvider _time;
    private readonly Action<TimeSpan, int>? _onFlush;
    private readonly ConcurrentQueue<PartitionLog> _dirty = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly List<PartitionLog> _round = [];
    private readonly List<PartitionLog> _toSync = [];
    private readonly HashSet<PartitionLog> _syncLater = [];
    private readonly HashSet<PartitionLog> _retry = [];
    private readonly Thread _thread;
    private long _lastBackgroundSync;
    private long _lastRetry;
    private volatile bool _stopping;

    /// <summary>Creates the loop; <see cref="Start"/> starts its thread.</summary>
    /// <param name="files">The data directory.</param>
    /// <param name="memory">Trimmed after each round.</param>
    /// <param name="time">Clock for chunk ages and background syncs.</param>
    /// <param name="onFlush">Told how long each sync took and how many logs it covered.</param>
    public FlushLoop(ILogFiles files, TailMemory memory, TimeProvider time, Action<TimeSpan, int>? onFlush = null)
    {
        _files = files;
        _memory = memory;
        _time = time;
        _onFlush = onFlush;
        _lastBackgroundSync = _lastRetry = time.GetTimestamp();
        _thread = new Thread(Run) { Name = "weir-flush", IsBackground = true };
    }

    /// <summary>How often logs without the fsync contract are synced.</summary>
    public static TimeSpan BackgroundSyncInterval => TimeSpan.FromSeconds(1);

    /// <summary>Starts the thread.</summary>
    public void Start() => _thread.Start();

    /// <summary>Says that a log has something to flush. Any thread.</summary>
    public void Signal(PartitionLog log)
    {
        if (log.TryQueueForFlush())
        {
            _dirty.Enqueue(log);
            Wake();
        }
    }

    /// <summary>Flushes what is queued, once; for tests and for the last round of a graceful stop.</summary>
    public void RunRound()
    {
        TakeUp();
        foreach (var log in _round)
        {
            if (!log.WritePending())
            {
                continue;
            }

            if (log.Options.Durability == Durability.Fsync)
            {
                _toSync.Add(log);
            }
            else
            {
                _syncLater.Add(log);
            }
        }

        NotifyRound();
        if (_toSync.Count > 0)
        {
            SyncTogether(_toSync);
            NotifyRound();
        }

        foreach (var log in _round)
        {
            if (log.State == LogState.StorageFull)
            {
                _retry.Add(log);
            }
        }

        _round.Clear();
        _toSync.Clear();
        _memory.Trim(_time.GetUtcNow().ToUnixTimeMilliseconds());
    }

    /// <summary>Syncs what the background owes; part of a graceful stop.</summary>
    public void SyncBackground()
    {
        _lastBackgroundSync = _time.GetTimestamp();
        if (_syncLater.Count > 0)
        {
            var logs = _syncLater.ToList();
            _syncLater.Clear();
            SyncTogether(logs);
        }
    }

    /// <summary>Stops the thread after a last round; blocks until it has ended.</summary>
    public void Dispose()
    {
        _stopping = true;
        Wake();
        if (_thread.IsAlive)
        {
            _thread.Join();
        }

        RunRound();
        SyncBackground();
        _wake.Dispose();
    }

    private void Wake()
    {
        try
        {
            if (_wake.CurrentCount == 0)
            {
                _wake.Release();
            }
        }
        catch (SemaphoreFullException)
        {
            // Somebody else woke it: one is enough.
        }
        catch (ObjectDisposedException)
        {
            // An append after the stop is refused by its log; nothing is left to wake.
        }
    }

    private void Run()
    {
        while (!_stopping)
        {
            _wake.Wait(RetryInterval);
            RunRound();
            if (_time.GetElapsedTime(_lastBackgroundSync) >= BackgroundSyncInterval)
            {
                SyncBackground();
            }
        }
    }

    private void TakeUp()
    {
        if (_time.GetElapsedTime(_lastRetry) >= RetryInterval)
        {
            // By the clock and not when the loop is idle: other logs may keep it busy for ever.
            _lastRetry = _time.GetTimestamp();
            foreach (var log in _retry)
            {
                Signal(log);
            }

            _retry.Clear();
        }

        while (_dirty.TryDequeue(out var log))
        {
            log.TakenUpByFlush();
            _round.Add(log);
        }
    }

    private void SyncTogether(List<PartitionLog> logs)
    {
        var started = _time.GetTimestamp();
        if (logs.Count > SyncEachAtMost && _files.CanSyncAll)
        {
            SyncAll(logs);
        }
        else
        {
            foreach (var log in logs)
            {
                log.Sync();
                log.MarkDurable();
            }
        }

        _onFlush?.Invoke(_time.GetElapsedTime(started), logs.Count);
    }

    private void SyncAll(List<PartitionLog> logs)
    {
        try
        {
            _files.SyncAll();
        }
        catch (LogIoException e)
        {
            // Which file it was cannot be told: none of them may be called durable, and those that wait for the background
            // neither, because their pages count as written now and a later sync of theirs would prove nothing.
            foreach (var log in logs.Concat(_syncLater))
            {
                log.Stop(e.Message);
                log.Listener?.OnLogProgress(log);
            }

            _syncLater.Clear();
            return;
        }

        foreach (var log in logs)
        {
            log.MarkDurable();
        }
    }

    private void NotifyRound()
    {
        foreach (var log in _round)
        {
            log.Listener?.OnLogProgress(log);
        }
    }
}
