using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Crash;
using Weir.Storage.Tail;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>
/// A replica's log on a disk that can be crashed, and the leader's batches: byte for byte what it must hold at each offset.
/// </summary>
internal sealed class ReplicaTestBed : IDisposable
{
    public static readonly LogIdentity Identity = LogTestBed.Identity;
    private readonly SortedDictionary<long, byte[]> _batches = [];

    public ReplicaTestBed(LogOptions? options = null, SimulatedDisk? disk = null)
    {
        Options = options ?? new LogOptions { SegmentBytes = 4 * 1024, IndexIntervalBytes = 512, SnapshotIntervalBytes = 2048 };
        Disk = disk ?? new SimulatedDisk();
        if (disk is null)
        {
            Disk.CreateDirectory("partitions");
            Disk.SyncDirectory("");
        }

        Log = Open();
    }

    public LogOptions Options { get; }

    public SimulatedDisk Disk { get; private set; }

    public TailMemory Memory { get; private set; } = new();

    public PartitionLog Log { get; private set; }

    public static BatchProducer Producer(int sequence, long id = 5) => new(id, 0, sequence);

    /// <summary>A batch as a leader stamps it; what it holds depends on its epoch, so that two histories differ.</summary>
    public static byte[] Stamped(
        long baseOffset, int epoch, int records = 1, int bytes = 500, BatchProducer? producer = null, long appendTimeMs = 1000)
    {
        var values = new byte[records][];
        for (var i = 0; i < records; i++)
        {
            values[i] = new byte[bytes];
            new SeededRandom((ulong)(((baseOffset + i) * 1000) + epoch)).NextBytes(values[i]);
        }

        var (batch, _) = LogContent.Batch(Identity, values, producer, timestampMs: appendTimeMs);
        RecordBatchHeader.Stamp(batch, baseOffset, appendTimeMs, Math.Max(0, baseOffset - 2), epoch);
        return batch;
    }

    public AppendOutcome Append(byte[] batch)
    {
        var header = RecordBatchHeader.Verify(batch);
        var outcome = Log.AppendReplica(batch, header);
        if (outcome.Code == ErrorCode.None)
        {
            Forget(header.BaseOffset);
            _batches[header.BaseOffset] = batch;
        }

        return outcome;
    }

    public AppendOutcome Append(int epoch = 1, int records = 1, BatchProducer? producer = null, int bytes = 500) =>
        Append(Stamped(Log.LogEndOffset, epoch, records, bytes, producer));

    public void Flush()
    {
        Log.WritePending();
        Log.Sync();
        Log.MarkDurable();
    }

    /// <summary>Appends single records, each durable on its own, with the sequence of their offset.</summary>
    public void Fill(int records, int epoch = 1)
    {
        for (var i = 0; i < records; i++)
        {
            Assert.Equal(ErrorCode.None, Append(epoch, producer: Producer((int)Log.LogEndOffset)).Code);
            Flush();
        }
    }

    public void Forget(long fromOffset)
    {
        foreach (var offset in _batches.Keys.Where(offset => offset >= fromOffset).ToList())
        {
            _batches.Remove(offset);
        }
    }

    public void Reopen(bool close = true)
    {
        if (close)
        {
            Log.Close();
        }

        Log.Dispose();
        Memory = new TailMemory();
        Log = Open();
    }

    /// <summary>The same replica on another disk, as after a crash.</summary>
    public ReplicaTestBed On(SimulatedDisk disk)
    {
        var other = new ReplicaTestBed(Options, disk);
        foreach (var (offset, batch) in _batches)
        {
            other._batches[offset] = batch;
        }

        return other;
    }

    public byte[] BytesOf(long from, long end) =>
        _batches.Where(pair => pair.Key >= from && pair.Key < end).SelectMany(static pair => pair.Value).ToArray();

    /// <summary>Insists that the log is online and holds the leader's batches, to the byte, from its start up to an offset.</summary>
    public void AssertHolds(long logEndOffset)
    {
        Assert.Equal((LogState.Online, string.Empty), (Log.State, Log.StateReason));
        Assert.Equal(logEndOffset, Log.LogEndOffset);
        var cursor = Log.Locate(Log.LogStartOffset);
        var expected = BytesOf(cursor.Offset, logEndOffset);
        var read = new MemoryStream();
        while (true)
        {
            using var slice = Log.Read(ref cursor, logEndOffset, 64 * 1024);
            if (slice.Length == 0)
            {
                break;
            }

            read.Write(LogContent.Copy(slice));
        }

        Assert.Equal(expected, read.ToArray());
        var position = expected.Length == 0 ? Log.LogEndOffset : cursor.Offset;
        Assert.Equal(logEndOffset, position);
    }

    /// <summary>What a leader would answer a producer's batch with one record.</summary>
    public AppendOutcome Lead(int sequence, int epoch = 9, long id = 5)
    {
        var (batch, header) = LogContent.Batch(Identity, [new byte[100]], Producer(sequence, id));
        return Log.Append(batch, header, epoch, Log.DurableOffset, 1000);
    }

    public void Dispose() => Log.Dispose();

    private PartitionLog Open() => PartitionLog.Open(
        Disk, "partitions", Identity, Options, Memory, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
}
