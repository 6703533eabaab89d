using Weir.Metadata;
using Weir.Replication;
using Weir.Server.Diagnostics;
using Weir.Storage.Files;

namespace Weir.Server.Peers;

/// <summary>
/// Drives the replicas: one thread follows the metadata, which opens and deletes logs and so may block, one does what is due
/// by the clock, one looks for damage.
/// </summary>
internal sealed class ReplicaLoop(BrokerContext broker, BrokerReplicas replicas, Func<MetadataImage> image, Action<Exception> onFailed)
    : IDisposable
{
    private const int TickMs = 20;
    private const int ScrubMs = 250;
    private readonly SemaphoreSlim _news = new(0, 1);
    private readonly ManualResetEventSlim _stop = new();
    private readonly List<Thread> _threads = [];

    public void Start()
    {
        Run("weir-apply", Apply);
        Run("weir-replicas", () => Every(TickMs, replicas.Tick));
        Run("weir-scrub", () => Every(ScrubMs, replicas.Scrub));
    }

    /// <summary>There is newer metadata.</summary>
    public void Signal()
    {
        try
        {
            if (_news.CurrentCount == 0)
            {
                _news.Release();
            }
        }
        catch (SemaphoreFullException)
        {
            // Somebody else did.
        }
        catch (ObjectDisposedException)
        {
            // The end has begun.
        }
    }

    public void Dispose()
    {
        _stop.Set();
        Signal();
        foreach (var thread in _threads)
        {
            thread.Join();
        }

        _news.Dispose();
        _stop.Dispose();
    }

    private void Run(string name, Action work)
    {
        var thread = new Thread(() => Guarded(work)) { Name = name, IsBackground = true };
        _threads.Add(thread);
        thread.Start();
    }

    private void Guarded(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is LogIoException or MetadataException)
        {
            onFailed(e);
        }
        catch (Exception e)
        {
            ServerLog.MetadataLoopFailed(broker.Logger, e);
            onFailed(e);
        }
    }

    private void Apply()
    {
        while (!_stop.IsSet)
        {
            _news.Wait(TickMs);
            replicas.Apply(image());
        }
    }

    private void Every(int intervalMs, Action work)
    {
        while (!_stop.Wait(intervalMs))
        {
            work();
        }
    }
}
