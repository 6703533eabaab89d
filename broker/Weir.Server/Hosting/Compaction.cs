using System.Security.Cryptography;
using Weir.Server.Diagnostics;
using Weir.Server.Partitions;
using Weir.Storage;
using Weir.Storage.Compaction;

namespace Weir.Server.Hosting;

/// <summary>
/// Compacts the logs of entity topics, one at a time and paced, and builds the indexes of keys of what was closed. A loop of
/// its own, so that a long run holds up nothing else; a fault in one partition is logged and does not stop the others.
/// </summary>
internal sealed class Compaction(BrokerContext broker, PartitionTable partitions) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;

    public void Start() => _loop = Task.Run(RunAsync);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(broker.Options.CompactionInterval, broker.Time, _stopping.Token).ConfigureAwait(false);
                foreach (var partition in partitions.All)
                {
                    if (partition.Log.Options.IsCompacted && partition.Replica.DamagedFrom is null)
                    {
                        await TryCompactAsync(partition).ConfigureAwait(false);
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The broker stops.
        }
    }

    private async Task TryCompactAsync(Partition partition)
    {
        try
        {
            await CompactAsync(partition).ConfigureAwait(false);
            while (partition.Log.BuildKeyIndex())
            {
                _stopping.Token.ThrowIfCancellationRequested();
            }
        }
        catch (LogCorruptException e)
        {
            broker.OnDamage(partition.Replica, e.Offset);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            ServerLog.CompactionFailed(broker.Logger, e, partition.Topic, partition.Index);
        }
    }

    private async Task CompactAsync(Partition partition)
    {
        var highWatermark = partition.Replica.HighWatermark;

        // A replica that is not in sync may hold what a tombstone hides, and must come to see the tombstone.
        var areAllInSync = partition.Replica.State is { } state && state.Isr.Length == state.Replicas.Length;
        using var run = partition.Log.StartCompaction(
            new CompactionRequest(broker.NowMs, highWatermark, areAllInSync ? highWatermark : 0)
            {
                HashSeed = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))),
            });
        if (run is null)
        {
            return;
        }

        var started = broker.Time.GetTimestamp();
        while (run.Step())
        {
            var due = TimeSpan.FromSeconds((double)run.BytesMoved / broker.Options.CompactionBytesPerSecond);
            var early = due - broker.Time.GetElapsedTime(started);
            if (early > TimeSpan.FromMilliseconds(1))
            {
                await Task.Delay(early, broker.Time, _stopping.Token).ConfigureAwait(false);
            }

            _stopping.Token.ThrowIfCancellationRequested();
        }

        ServerLog.Compacted(
            broker.Logger, partition.Topic, partition.Index, run.Outcome.BytesBefore, run.Outcome.BytesAfter,
            run.Outcome.RecordsRemoved, run.Outcome.CleanOffset, broker.Time.GetElapsedTime(started));
    }
}
