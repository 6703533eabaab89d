using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Protocol.Records;
using Weir.Storage.Compaction;
using Weir.Storage.Files;
using Weir.Storage.Tail;
using Weir.Testing.Support;

namespace Weir.Storage.Crash;

/// <summary>
/// Millions of updates of some keys on the real file system, compacted while they are written, then read back and held
/// against a dictionary that was made from the same input.
/// </summary>
public static class EntityLoad
{
    private const int RecordsPerBatch = 500;
    private const int ValueBytes = 40;

    /// <summary>Runs it in a directory of its own and says what came of it; null if all is as it should be.</summary>
    /// <param name="updates">How many records.</param>
    /// <param name="keys">How many keys.</param>
    /// <param name="say">Told the figures.</param>
    public static string? Run(long updates, int keys, Action<string> say)
    {
        var root = Path.Combine(Path.GetTempPath(), $"weir-entities-{Guid.NewGuid():N}");
        Directory.CreateDirectory(root);
        try
        {
            using var files = new PhysicalLogFiles(root);
            files.CreateDirectory("partitions");
            return Run(files, updates, keys, say);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static string? Run(ILogFiles files, long updates, int keys, Action<string> say)
    {
        var identity = new LogIdentity(new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), 0);
        var options = new LogOptions { IsCompacted = true, SegmentBytes = 64 * 1024 * 1024 };
        var memory = new TailMemory(maxBytes: 0);
        using var log = PartitionLog.Open(files, "partitions", identity, options, memory, NullLogger.Instance);
        var last = new Dictionary<int, (long Offset, ulong Value)>();
        var watch = Stopwatch.StartNew();
        Write(log, memory, updates, keys, last);
        say($"{updates} updates of {keys} keys written in {watch.Elapsed.TotalSeconds:F1} s: {log.SizeBytes} bytes");

        watch.Restart();
        long moved = 0;
        for (var run = Start(log, updates); run is not null; run = Start(log, updates))
        {
            while (run.Step())
            {
            }

            moved += run.BytesMoved;
            say($"run: {run.Outcome}");
        }

        var liveBytes = keys * (long)(ValueBytes + 8 + sizeof(int));
        say($"compacted in {watch.Elapsed.TotalSeconds:F1} s, {moved} bytes moved: {log.SizeBytes} bytes in {log.SegmentCount} "
            + $"segments; the live set has about {liveBytes}");
        return FindDifference(log, last) ?? FindByKey(log, last, say);
    }

    private static CompactionRun? Start(PartitionLog log, long updates) =>
        log.StartCompaction(new CompactionRequest(1_000, updates, updates));

    private static void Write(
        PartitionLog log, TailMemory memory, long updates, int keys, Dictionary<int, (long Offset, ulong Value)> last)
    {
        var random = new SeededRandom(4711);
        var value = new byte[ValueBytes];
        var key = new byte[sizeof(int)];
        using var builder = new RecordBatchBuilder(1024 * 1024);
        for (long offset = 0; offset < updates;)
        {
            builder.Reset();
            for (var i = 0; i < RecordsPerBatch && offset < updates; i++, offset++)
            {
                var id = random.Next(keys);
                var content = random.NextUInt64();
                BitConverter.TryWriteBytes(key, id);
                BitConverter.TryWriteBytes(value, content);
                builder.TryAdd(offset, key, hasKey: true, value, hasValue: true, []);
                last[id] = (offset, content);
            }

            var batch = builder.Seal(log.Identity.TopicId, log.Identity.Partition, BatchProducer.None);
            log.Append(batch.Span, RecordBatchHeader.Verify(batch.Span), 1, offset, 1000);
            log.WritePending();
            log.MarkDurable();
            memory.Trim(long.MaxValue);
        }

        log.Sync();

        // Closes the active segment, which is not compacted.
        log.WantRoll();
        log.WritePending();
    }

    private static string? FindDifference(PartitionLog log, Dictionary<int, (long Offset, ulong Value)> last)
    {
        var read = new Dictionary<int, (long Offset, ulong Value)>();
        long records = 0;
        foreach (var bytes in KeyedRecord.ReadBatches(log))
        {
            var header = RecordBatchHeader.Verify(bytes);
            var walk = new BatchRecords(bytes.AsSpan(header.RecordsPosition), header);
            while (walk.MoveNext())
            {
                var id = BitConverter.ToInt32(bytes, header.RecordsPosition + walk.Current.KeyStart);
                read[id] = (walk.Offset, BitConverter.ToUInt64(bytes, header.RecordsPosition + walk.Current.ValueStart));
                records++;
            }
        }

        return records != last.Count
            ? $"{records} records are left of {last.Count} keys"
            : last.FirstOrDefault(pair => !read.TryGetValue(pair.Key, out var found) || found != pair.Value) is { Value.Value: not 0 } wrong
                ? $"key {wrong.Key} should be {wrong.Value}"
                : null;
    }

    private static string? FindByKey(
        PartitionLog log, Dictionary<int, (long Offset, ulong Value)> last, Action<string> say)
    {
        while (log.BuildKeyIndex())
        {
        }

        var watch = Stopwatch.StartNew();
        var searches = 0;
        foreach (var (id, expected) in last.Take(20_000))
        {
            searches++;
            if (log.FindLatest(BitConverter.GetBytes(id), long.MaxValue)?.Offset != expected.Offset)
            {
                return $"key {id} was not found at offset {expected.Offset}";
            }
        }

        say($"{searches} keys found, {watch.Elapsed.TotalMilliseconds * 1000 / searches:F1} us each");
        return null;
    }
}
