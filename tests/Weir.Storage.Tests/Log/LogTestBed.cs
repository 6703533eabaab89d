using Microsoft.Extensions.Logging;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Crash;
using Weir.Storage.Files;
using Weir.Storage.Tail;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>One log with its flush loop on a disk that can be crashed, and what was appended to it.</summary>
internal sealed class LogTestBed : IDisposable, ILogListener
{
    public static readonly LogIdentity Identity = new(new Guid("0f9a3c51-7d24-4c1b-9a58-3f6f4b2d7e10"), 3);
    private readonly List<byte[]> _appended = [];
    private readonly EventList _events = new();

    public LogTestBed(LogOptions? options = null, ILogFiles? files = null)
    {
        Options = options ?? new LogOptions();
        Files = files ?? new SimulatedDisk();
        if (Files.ListDirectories("").Count == 0)
        {
            Files.CreateDirectory("partitions");
            Files.SyncDirectory("");
        }

        Flush = new FlushLoop(Files, Memory, Time);
        Log = Open();
    }

    public static string Directory => $"partitions/{Identity.DirectoryName}";

    public LogOptions Options { get; set; }

    public ILogFiles Files { get; private set; }

    public SimulatedDisk Disk => (SimulatedDisk)Files;

    public TailMemory Memory { get; private set; } = new();

    public ManualTime Time { get; } = new();

    public FlushLoop Flush { get; private set; }

    public PartitionLog Log { get; private set; }

    /// <summary>Ids of the log events since the last opening.</summary>
    public IReadOnlyList<int> Events => _events;

    /// <summary>What the listener was told last.</summary>
    public long Acknowledged { get; private set; }

    public static string SegmentPath(long baseOffset) => $"{Directory}/{baseOffset:D20}.log";

    public static string IndexPath(long baseOffset) => $"{Directory}/{baseOffset:D20}.index";

    public void OnLogProgress(PartitionLog log) => Acknowledged = Math.Max(Acknowledged, log.DurableOffset);

    /// <summary>Appends records that differ from all others; the first bytes of each are its offset.</summary>
    public AppendOutcome Append(
        int records = 1, int bytes = 16, BatchProducer? producer = null, long? timestampMs = null,
        CompressionType compression = CompressionType.None)
    {
        var values = Enumerable.Range(0, records).Select(i => Value(Log.LogEndOffset + i, bytes)).ToArray();
        var (batch, header) = LogContent.Batch(Identity, values, producer, timestampMs ?? Time.NowMs, compression);
        var outcome = Log.Append(batch, header, 1, Log.DurableOffset, Time.NowMs);
        if (outcome is { Code: ErrorCode.None, IsDuplicate: false })
        {
            Forget((int)outcome.BaseOffset);
            _appended.AddRange(values);
        }

        return outcome;
    }

    public void RunFlush()
    {
        Flush.Signal(Log);
        Flush.RunRound();
    }

    public AppendOutcome AppendDurable(int records = 1, int bytes = 16, BatchProducer? producer = null)
    {
        var outcome = Append(records, bytes, producer);
        RunFlush();
        return outcome;
    }

    /// <summary>Lets go of everything that is held in memory, so that reads come from files.</summary>
    public void DropTail()
    {
        Time.Advance(TimeSpan.FromMinutes(1));
        Flush.RunRound();
    }

    public void Reopen(bool close = true)
    {
        if (close)
        {
            Log.Close();
        }

        Log.Dispose();
        Log = Open();
    }

    /// <summary>Loses the power and starts again on what is left.</summary>
    public void Crash(CrashMode mode = CrashMode.AllLost, ulong seed = 1)
    {
        StartOn(Disk.Crash(seed, mode));
    }

    public void StartOn(SimulatedDisk disk)
    {
        Files = disk;
        Memory = new TailMemory();
        Flush = new FlushLoop(Files, Memory, Time);
        Log = Open();
    }

    /// <summary>Takes back what was appended from an offset on, for another try from the same disk.</summary>
    public void Forget(int fromOffset)
    {
        while (_appended.Count < fromOffset)
        {
            _appended.Add([]);
        }

        _appended.RemoveRange(fromOffset, _appended.Count - fromOffset);
    }

    /// <summary>Insists that the log holds what was appended, from its start up to an offset.</summary>
    public void AssertHolds(long logEndOffset)
    {
        Assert.Equal(logEndOffset, Log.LogEndOffset);
        var expected = Log.LogStartOffset;
        foreach (var record in LogContent.Read(Log))
        {
            Assert.Equal(expected++, record.Offset);
            Assert.Equal(_appended[(int)record.Offset], record.Value);
        }

        Assert.Equal(logEndOffset, expected);
    }

    public void Dispose() => Log.Dispose();

    private static byte[] Value(long offset, int bytes)
    {
        var value = new byte[Math.Max(bytes, sizeof(long))];
        new SeededRandom((ulong)offset).NextBytes(value);
        BitConverter.TryWriteBytes(value, offset);
        return value;
    }

    private PartitionLog Open()
    {
        _events.Clear();
        var log = PartitionLog.Open(Files, "partitions", Identity, Options, Memory, _events);
        log.Listener = this;
        return log;
    }

    /// <summary>A logger that keeps event ids.</summary>
    private sealed class EventList : List<int>, ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Add(eventId.Id);
    }
}
