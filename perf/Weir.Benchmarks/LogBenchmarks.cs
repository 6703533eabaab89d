using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;

namespace Weir.Benchmarks;

/// <summary>The broker's side of publishing and delivering: a batch of 1,000 records of 100 bytes, on a real directory.</summary>
[MemoryDiagnoser]
public class LogBenchmarks
{
    private const int Records = 1000;
    private static readonly LogIdentity Identity = new(Guid.NewGuid(), 0);
    private DirectoryInfo _directory = null!;
    private PhysicalLogFiles _files = null!;
    private PartitionLog _log = null!;
    private TailMemory _memory = null!;
    private byte[] _batch = null!;
    private RecordBatchHeader _header;
    private LogCursor _start;

    [GlobalSetup]
    public void Open()
    {
        _directory = Directory.CreateTempSubdirectory("weir-benchmark-");
        _files = new PhysicalLogFiles(_directory.FullName);
        _files.CreateDirectory("partitions");
        _memory = new TailMemory(8 * 1024 * 1024);
        _log = PartitionLog.Open(
            _files, "partitions", Identity, new LogOptions { Durability = Durability.Leader, RetentionBytes = 0 }, _memory,
            NullLogger.Instance);
        using var builder = new RecordBatchBuilder(1024 * 1024);
        for (var i = 0; i < Records; i++)
        {
            builder.TryAdd(0, default, hasKey: false, new byte[100], hasValue: true, []);
        }

        _batch = builder.Seal(Identity.TopicId, 0, BatchProducer.None).ToArray();
        _header = RecordBatchHeader.Verify(_batch);
        Append();
        _start = _log.Locate(0);
        _log.WritePending();
    }

    [GlobalCleanup]
    public void Close()
    {
        _log.Dispose();
        _files.Dispose();
        _directory.Delete(recursive: true);
    }

    /// <summary>Verify, append and write one batch: what publishing costs the broker besides the socket and the sync.</summary>
    [Benchmark(OperationsPerInvoke = Records)]
    public long Append()
    {
        var header = RecordBatchHeader.Verify(_batch);
        RecordReader.CheckFraming(_batch.AsSpan(RecordBatchHeader.Size), header.RecordCount);
        var outcome = _log.Append(_batch, header, 0, _log.WrittenOffset, nowMs: 0);
        _log.WritePending();
        _memory.Trim(nowMs: 0);
        if (outcome.NextOffset % (Records * 1000) == 0)
        {
            _log.Sync();
            _log.MarkDurable();
            _log.ApplyRetention(nowMs: 0);
        }

        return outcome.NextOffset;
    }

    /// <summary>Take one batch for a subscription: what delivering costs the broker besides the socket.</summary>
    [Benchmark(OperationsPerInvoke = Records)]
    public int Deliver()
    {
        var cursor = _start;
        using var slice = _log.Read(ref cursor, Records, _header.Length);
        return slice.Length;
    }
}
