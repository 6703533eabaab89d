using Weir.Server.Diagnostics;
using Weir.Server.Partitions;
using Weir.Storage;
using Weir.Storage.Files;

namespace Weir.Server.Hosting;

/// <summary>
/// What a broker does by the clock: notes recovery points each second, looks after free space, applies retention. One loop;
/// a fault in one partition is logged and does not stop the others.
/// </summary>
internal sealed class Maintenance(
    BrokerContext broker, PartitionTable partitions, PhysicalLogFiles files, FlushLoop flush) : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;
    private long _lastRetention = broker.Time.GetTimestamp();
    private bool _isLowOnSpace;

    public void Start() => _loop = Task.Run(RunAsync);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(Interval, broker.Time);
        while (await TickAsync(timer).ConfigureAwait(false))
        {
            try
            {
                WatchSpace();
                foreach (var partition in partitions.All)
                {
                    partition.Log.SaveCheckpoint();
                }

                if (broker.Time.GetElapsedTime(_lastRetention) >= broker.Options.RetentionInterval)
                {
                    _lastRetention = broker.Time.GetTimestamp();
                    ApplyRetention();
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                ServerLog.MaintenanceFailed(broker.Logger, e);
            }
        }
    }

    private async ValueTask<bool> TickAsync(PeriodicTimer timer)
    {
        try
        {
            return await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void WatchSpace()
    {
        var free = files.FreeBytes;
        var isLow = free < broker.Options.MinFreeBytes;
        if (isLow && !_isLowOnSpace)
        {
            ServerLog.LowOnSpace(broker.Logger, free, broker.Options.MinFreeBytes);
            _lastRetention = 0;
        }

        _isLowOnSpace = isLow;
        foreach (var partition in partitions.All)
        {
            partition.Log.SetLowOnSpace(isLow);
        }
    }

    private void ApplyRetention()
    {
        foreach (var partition in partitions.All)
        {
            try
            {
                var freed = partition.Log.ApplyRetention(broker.NowMs);
                if (freed > 0)
                {
                    ServerLog.RetentionFreed(broker.Logger, partition.Topic, partition.Index, freed);
                }

                if (partition.Log.HasPending)
                {
                    flush.Signal(partition.Log);
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                ServerLog.RetentionFailed(broker.Logger, e, partition.Topic, partition.Index);
            }
        }
    }
}
