using Microsoft.Extensions.Logging;
using Weir.Protocol.Records;
using Weir.Storage.Files;
using Weir.Storage.Indexes;
using Weir.Storage.Producers;
using Weir.Storage.Segments;

namespace Weir.Storage;

/// <summary>
/// Follows the batches that are written and saves, now and then, what recovery would otherwise read the log for: the active
/// segment's index and the producers. Called by the flush, and by the closing thread after it.
/// </summary>
internal sealed class LogSnapshots(
    ILogFiles files, string directory, LogIdentity identity, SegmentSet segments, ProducerStateTable producers,
    EpochHistory epochs, ILogger logger)
{
    private long _savedOffset = -1;
    private long _bytesSinceSaved;

    /// <summary>Starts from what recovery read.</summary>
    public void Start(long logEndOffset, long scannedBytes)
    {
        _savedOffset = logEndOffset;
        _bytesSinceSaved = scannedBytes;
    }

    /// <summary>Counts a batch that was written.</summary>
    public void OnBatchWritten(in RecordBatchHeader batch, int maxProducers)
    {
        producers.Apply(batch, maxProducers);
        epochs.Note(batch.LeaderEpoch, batch.BaseOffset);
        _bytesSinceSaved += batch.Length;
    }

    /// <summary>
    /// Before a new segment: what comes before it is durable, and retention may delete it once this is. The producers that
    /// wrote it must not be forgotten with it.
    /// </summary>
    /// <exception cref="LogIoException">The device refused.</exception>
    public void OnRoll(long baseOffset)
    {
        ProducerSnapshot.Save(files, directory, baseOffset, producers, epochs);
        Start(baseOffset, scannedBytes: 0);
    }

    /// <summary>Saves if enough was written since the last time.</summary>
    public void SaveIfDue(long durableOffset, LogOptions options)
    {
        if (_bytesSinceSaved >= options.SnapshotIntervalBytes)
        {
            Save(durableOffset, options);
        }
    }

    /// <summary>Saves unless nothing was written since the last time; everything written must be durable.</summary>
    public void Save(long durableOffset, LogOptions options)
    {
        if (_savedOffset == durableOffset && _bytesSinceSaved == 0)
        {
            return;
        }

        try
        {
            if (segments.Active.DataBytes > 0)
            {
                producers.Expire(segments.Active.LastAppendTimeMs - (long)options.ProducerExpiry.TotalMilliseconds);
            }

            IndexFile.Save(files, directory, segments.Active);
            ProducerSnapshot.Save(files, directory, durableOffset, producers, epochs);
            Start(durableOffset, scannedBytes: 0);
        }
        catch (LogIoException e)
        {
            // Recovery reads more of the log without it.
            StorageLog.SnapshotFailed(logger, identity, e.Message);
        }
    }
}
