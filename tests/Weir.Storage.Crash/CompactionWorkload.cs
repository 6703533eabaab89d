using Microsoft.Extensions.Logging.Abstractions;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Compaction;
using Weir.Storage.Files;
using Weir.Storage.Tail;
using Weir.Testing.Support;

namespace Weir.Storage.Crash;

/// <summary>What the compacted logs of one seed are like.</summary>
/// <param name="Options">Settings of all of them.</param>
/// <param name="Mutation">What is broken on purpose.</param>
internal sealed record CompactionSetting(LogOptions Options, Mutation Mutation)
{
    public static CompactionSetting Choose(SeededRandom random, Mutation mutation) => new(
        new LogOptions
        {
            IsCompacted = true,
            SegmentBytes = (1 + random.Next(4)) * 2048,
            SnapshotIntervalBytes = (1 + random.Next(4)) * 4096,
            IndexIntervalBytes = 512 << random.Next(3),
            ProducerExpiry = TimeSpan.FromDays(10_000),
            TombstoneRetention = TimeSpan.FromHours(1),
            CompactionMemoryBytes = random.Chance(1, 3) ? 24 * (4 + random.Next(16)) : 32 * 1024 * 1024,
            Omits = mutation switch
            {
                Mutation.SwapUnsynced => OmittedRules.SyncBeforeSwap,
                Mutation.DeleteBeforeSwap => OmittedRules.SwapBeforeDelete,
                Mutation.CompactUncommitted => OmittedRules.CompactBelowHighWatermark,
                Mutation.DropTombstones => OmittedRules.TombstoneRetention,
                Mutation.ForgetProducers => OmittedRules.KeepProducers,
                _ => OmittedRules.None,
            },
        },
        mutation);

    public PartitionLog Open(ILogFiles disk, LogIdentity identity) =>
        PartitionLog.Open(disk, "partitions", identity, Options, new TailMemory(maxBytes: 0), NullLogger.Instance);
}

/// <summary>Random use of compacted logs, noted in their models.</summary>
internal sealed class CompactionWorkload(
    SimulatedDisk disk, KeyedLogModel[] models, SeededRandom random, CompactionSetting setting, ManualTime time)
{
    private const int Keys = 25;
    private const int Producers = 3;
    private readonly PartitionLog[] _logs = new PartitionLog[models.Length];
    private readonly CompactionRun?[] _runs = new CompactionRun?[models.Length];

    /// <summary>What broke a promise while the power was on.</summary>
    public string? Failure { get; private set; }

    /// <summary>What is being done, for the report.</summary>
    public string Doing { get; private set; } = "open";

    public void Run(int operations)
    {
        for (var i = 0; i < _logs.Length; i++)
        {
            Open(i);
        }

        for (var i = 0; i < operations && Failure is null; i++)
        {
            time.Advance(random.Chance(1, 20) ? TimeSpan.FromMinutes(40) : TimeSpan.FromMilliseconds(50));
            try
            {
                Step(random.Next(_logs.Length));
            }
            catch (LogIoException e) when (e.IsDiskFull)
            {
                // Refused, so not promised; the next operation goes on.
            }
        }
    }

    private void Step(int index)
    {
        switch (random.Next(100))
        {
            case < 55:
                Do("append", () => Append(index));
                break;
            case < 70:
                Do("flush", () => Flush(index));
                break;
            case < 90:
                Do("compact", () => Compact(index));
                break;
            case < 93:
                Do("close and open", () => CloseAndOpen(index));
                break;
            case < 95:
                Do("cut", () => Cut(index));
                break;
            case < 97:
                Do("checkpoint", _logs[index].SaveCheckpoint);
                break;
            default:
                disk.Capacity = disk.Capacity == long.MaxValue
                    ? disk.Capacity - disk.FreeBytes + random.Next(20_000)
                    : long.MaxValue;
                break;
        }
    }

    private void Do(string what, Action action)
    {
        Doing = what;
        action();
    }

    private void Open(int index)
    {
        _logs[index] = setting.Open(disk, models[index].Identity);
        Failure ??= models[index].FindViolation(_logs[index]) is { } violation ? $"log {index} reopened: {violation}" : null;
        models[index].Settle(_logs[index]);
    }

    private void Append(int index)
    {
        var model = models[index];
        var id = random.Next(Producers + 1) - 1;
        var producer = id < 0 ? BatchProducer.None : model.Next(id);
        var epoch = Math.Max(1, _logs[index].LastLeaderEpoch) + (random.Chance(1, 40) ? 1 : 0);
        var records = new (string Key, string? Value)[1 + random.Next(6)];
        for (var i = 0; i < records.Length; i++)
        {
            var key = $"key-{random.Next(Keys)}";
            records[i] = (key, random.Chance(1, 5) ? null : $"{random.NextUInt64()}{new string('v', random.Next(200))}");
        }

        var (bytes, header) = KeyedLogModel.Encode(model.Identity, records, producer, time.NowMs);
        var outcome = _logs[index].Append(bytes, header, epoch, model.HighWatermark, time.NowMs);
        if (outcome is { Code: ErrorCode.None, IsDuplicate: false })
        {
            model.Appended(new KeyedBatch(outcome.BaseOffset, records, producer, epoch));
        }
        else if (outcome.Code != ErrorCode.StorageFull)
        {
            Failure = $"append of {producer} to log {index} gave {outcome}";
        }
    }

    private void Flush(int index)
    {
        var log = _logs[index];
        log.WritePending();
        log.Sync();
        log.MarkDurable();
        models[index].Acknowledged = Math.Max(models[index].Acknowledged, log.DurableOffset);
    }

    /// <summary>Some steps of a run, which goes on later, or is given up.</summary>
    private void Compact(int index)
    {
        if (_runs[index] is not { } run)
        {
            var model = models[index];
            var wanted = model.Acknowledged - random.Next(30);
            var limit = Math.Max(model.HighWatermark, EndOfBatchBelow(model, wanted));
            model.Compacts(time.NowMs, limit);
            run = _logs[index].StartCompaction(new CompactionRequest(time.NowMs, limit, limit)
            {
                IsForced = random.Chance(1, 2), HashSeed = (long)random.NextUInt64(),
            })!;
            _runs[index] = run;
        }

        try
        {
            for (var steps = random.Next(12); steps >= 0 && run is not null; steps--)
            {
                if (!run.Step())
                {
                    _runs[index] = run = null;
                }
            }
        }
        catch (LogIoException)
        {
            _runs[index] = null;
            throw;
        }

        if (run is not null && random.Chance(1, 10))
        {
            GiveUp(index);
        }
    }

    private void CloseAndOpen(int index)
    {
        GiveUp(index);
        Flush(index);
        _logs[index].Close();
        Open(index);
    }

    /// <summary>As a follower whose leader has another history: above the high watermark only.</summary>
    private void Cut(int index)
    {
        var (log, model) = (_logs[index], models[index]);
        disk.Capacity = long.MaxValue;
        Flush(index);
        if (log.State != LogState.Online || log.HasPending)
        {
            return;
        }

        var offset = model.HighWatermark + random.Next((int)(log.LogEndOffset - model.HighWatermark) + 1);
        model.Acknowledged = EndOfBatchBelow(model, offset);
        log.TruncateTo(offset);
        model.Settle(log);
    }

    private static long EndOfBatchBelow(KeyedLogModel model, long offset) => model.Batches
        .Select(static batch => batch.NextOffset).Where(end => end <= offset).DefaultIfEmpty(0).Max();

    private void GiveUp(int index)
    {
        _runs[index]?.Dispose();
        _runs[index] = null;
    }
}
