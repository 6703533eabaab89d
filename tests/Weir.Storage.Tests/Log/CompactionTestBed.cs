using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Compaction;
using Weir.Storage.Crash;
using Weir.Storage.Tail;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>A compacted log on a disk that can be crashed, and every record that was appended to it.</summary>
internal sealed class CompactionTestBed : IDisposable
{
    public static readonly LogIdentity Identity = LogTestBed.Identity;

    public CompactionTestBed(LogOptions? options = null, SimulatedDisk? disk = null)
    {
        Options = options ?? Small;
        Disk = disk ?? new SimulatedDisk();
        if (disk is null)
        {
            Disk.CreateDirectory("partitions");
            Disk.SyncDirectory("");
        }

        Log = Open();
    }

    /// <summary>Segments of a few batches.</summary>
    public static LogOptions Small { get; } = new()
    {
        IsCompacted = true, SegmentBytes = 4 * 1024, IndexIntervalBytes = 512, SnapshotIntervalBytes = 64 * 1024,
        TombstoneRetention = TimeSpan.FromHours(24),
    };

    public static string Directory => LogTestBed.Directory;

    public LogOptions Options { get; }

    public SimulatedDisk Disk { get; private set; }

    public TailMemory Memory { get; } = new();

    public PartitionLog Log { get; private set; }

    public long NowMs { get; set; } = 1_000_000;

    /// <summary>Every record that was appended, by offset.</summary>
    public List<KeyedRecord> Appended { get; } = [];

    public IReadOnlyList<string> Files => Disk.ListFiles(Directory);

    /// <summary>Appends one batch of records, each a key and a value, null for a tombstone.</summary>
    public AppendOutcome Append(
        IReadOnlyList<(string? Key, string? Value)> records, BatchProducer? producer = null, int epoch = 1,
        CompressionType compression = CompressionType.None)
    {
        using var builder = new RecordBatchBuilder(4 * 1024 * 1024);
        foreach (var (key, value) in records)
        {
            builder.TryAdd(
                NowMs, Encoding.UTF8.GetBytes(key ?? string.Empty), key is not null,
                Encoding.UTF8.GetBytes(value ?? string.Empty), value is not null, []);
        }

        var batch = builder.Seal(Identity.TopicId, Identity.Partition, producer ?? BatchProducer.None, compression);
        var outcome = Log.Append(batch.Span, RecordBatchHeader.Verify(batch.Span), epoch, Log.DurableOffset, NowMs);
        if (outcome is { Code: ErrorCode.None, IsDuplicate: false })
        {
            foreach (var (key, value) in records)
            {
                Appended.Add(new KeyedRecord(Appended.Count, key, value));
            }
        }

        return outcome;
    }

    public void Put(string key, string? value, BatchProducer? producer = null, int epoch = 1)
    {
        Assert.Equal(ErrorCode.None, Append([(key, value)], producer, epoch).Code);
        Flush();
    }

    public void Flush()
    {
        Log.WritePending();
        Log.Sync();
        Log.MarkDurable();

        // Reads come from the files then, as they do from everything that is old enough to be compacted.
        Memory.Trim(NowMs + (long)TimeSpan.FromDays(1).TotalMilliseconds);
    }

    /// <summary>Fills the active segment with records of a key of their own, until it is closed.</summary>
    public void Roll(int epoch = 1)
    {
        var segments = Log.SegmentCount;
        while (Log.SegmentCount == segments)
        {
            Put("filler", new string('f', 300), epoch: epoch);
        }
    }

    public CompactionOutcome Compact(long? highWatermark = null, bool isForced = true, long? tombstoneLimit = null)
    {
        var limit = highWatermark ?? Log.DurableOffset;
        using var run = Log.StartCompaction(
            new CompactionRequest(NowMs, limit, tombstoneLimit ?? limit) { IsForced = isForced, HashSeed = 7 });
        if (run is null)
        {
            return default;
        }

        while (run.Step())
        {
        }

        return run.Outcome;
    }

    public void Reopen()
    {
        Log.Close();
        Log.Dispose();
        Log = Open();
    }

    public void Crash(CrashMode mode, ulong seed = 1)
    {
        Disk = Disk.Crash(seed, mode);
        Log = Open();
    }

    /// <summary>Every record that is kept, as a consumer reads it.</summary>
    public List<KeyedRecord> Read() => KeyedRecord.Read(Log);

    /// <summary>What is there below an offset when each key has its last record only, tombstones included.</summary>
    public List<KeyedRecord> LastPerKey(long below) =>
    [
        .. Appended.Where(record => record.Offset >= below || record.Key is null
            || !Appended.Any(later => later.Key == record.Key && later.Offset > record.Offset && later.Offset < below)),
    ];

    /// <summary>Base offset of the active segment: nothing from there on may be compacted.</summary>
    public long ActiveBase() => long.Parse(Files.Last(static name => name.EndsWith(".log", StringComparison.Ordinal))[..20]);

    public void Dispose() => Log.Dispose();

    private PartitionLog Open() =>
        PartitionLog.Open(Disk, "partitions", Identity, Options, Memory, NullLogger.Instance);
}
