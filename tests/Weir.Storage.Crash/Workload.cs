using Microsoft.Extensions.Logging.Abstractions;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage.Files;
using Weir.Storage.Tail;
using Weir.Testing.Support;

namespace Weir.Storage.Crash;

/// <summary>What the logs of one seed are like.</summary>
/// <param name="Options">Settings of all of them.</param>
/// <param name="Mutation">What is broken on purpose.</param>
internal sealed record CrashSetting(LogOptions Options, Mutation Mutation)
{
    public static CrashSetting Choose(SeededRandom random, Mutation mutation) => new(
        new LogOptions
        {
            SegmentBytes = (2 + random.Next(5)) * 4096,
            SnapshotIntervalBytes = (1 + random.Next(4)) * 4096,
            IndexIntervalBytes = 512 << random.Next(3),
            RetentionBytes = 48 * 1024,
            RetentionAge = TimeSpan.FromHours(1),
            ProducerExpiry = TimeSpan.FromDays(10_000),
            Omits = mutation switch
            {
                Mutation.CutWithoutProof => OmittedRules.ProofBeforeCut,
                Mutation.FooterBeforeDataSync => OmittedRules.SyncBeforeFooter,
                Mutation.TrustPageCache => OmittedRules.RewriteAtRecovery,
                _ => OmittedRules.None,
            },
        },
        mutation);

    public PartitionLog Open(ILogFiles disk, LogIdentity identity, TailMemory memory) => PartitionLog.Open(
        Mutation == Mutation.SkipDirectorySync ? new NoDirectorySync(disk) : disk,
        "partitions",
        identity,
        // One of the logs is synced in the background, in between and in other company.
        Options with { Durability = identity.Partition == 0 ? Durability.Leader : Durability.Fsync },
        memory,
        NullLogger.Instance);
}

/// <summary>Random use of several logs through the rounds of one flush loop, noted in their models.</summary>
internal sealed class Workload : ILogListener
{
    private const int Producers = 4;
    private readonly SimulatedDisk _disk;
    private readonly LogModel[] _models;
    private readonly SeededRandom _random;
    private readonly CrashSetting _setting;
    private readonly ManualTime _time = new();
    private readonly TailMemory _memory = new(64 * 1024);
    private readonly FlushLoop _flush;
    private readonly PartitionLog[] _logs;

    public Workload(SimulatedDisk disk, LogModel[] models, SeededRandom random, CrashSetting setting)
    {
        _disk = disk;
        _models = models;
        _random = random;
        _setting = setting;
        _flush = new FlushLoop(disk, _memory, _time);
        _logs = new PartitionLog[models.Length];
    }

    /// <summary>What broke a promise while the power was on.</summary>
    public string? Failure { get; private set; }

    /// <summary>What is being done, for the report.</summary>
    public string Doing { get; private set; } = "open";

    public void OnLogProgress(PartitionLog log)
    {
        var model = _models[log.Identity.Partition];
        var reached = _setting.Mutation == Mutation.AcknowledgeBeforeSync ? log.WrittenOffset : log.DurableOffset;
        model.Acknowledged = Math.Max(model.Acknowledged, reached);
    }

    public void Run(int operations)
    {
        for (var i = 0; i < _logs.Length; i++)
        {
            Open(i);
        }

        for (var i = 0; i < operations && Failure is null; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            try
            {
                Step(_random.Next(_logs.Length));
            }
            catch (LogIoException e) when (e.IsDiskFull)
            {
                // Refused, so not promised; the next operation goes on.
            }
        }
    }

    private void Step(int index)
    {
        switch (_random.Next(100))
        {
            case < 52:
                Do("append", () => Append(index));
                break;
            case < 56:
                Do("retry", () => Retry(index));
                break;
            case < 78:
                Do("flush", _flush.RunRound);
                break;
            case < 81:
                Do("background sync", _flush.SyncBackground);
                break;
            case < 85:
                Do("checkpoint", _logs[index].SaveCheckpoint);
                break;
            case < 88:
                Do("delete records", () => DeleteRecords(index));
                break;
            case < 92:
                Do("retention", () => Retain(index, TimeSpan.Zero));
                break;
            case < 93:
                Do("idle roll", () => Retain(index, TimeSpan.FromHours(2)));
                break;
            case < 95:
                Do("close and open", () => CloseAndOpen(index));
                break;
            case < 98:
                _disk.Capacity = _disk.Capacity == long.MaxValue ? Used + _random.Next(40_000) : long.MaxValue;
                break;
            default:
                Do("failed sync", FailSync);
                break;
        }
    }

    private long Used => _disk.Capacity - _disk.FreeBytes;

    private void Do(string what, Action action)
    {
        Doing = what;
        action();
    }

    private void Open(int index)
    {
        _logs[index] = _setting.Open(_disk, _models[index].Identity, _memory);
        _logs[index].Listener = this;
        Failure ??= _models[index].FindViolation(_logs[index]) is { } violation ? $"log {index} reopened: {violation}" : null;
        _models[index].Settle(_logs[index], afterPowerLoss: false);
    }

    private void Append(int index)
    {
        var model = _models[index];
        var id = _random.Next(Producers + 1) - 1;
        var producer = id < 0 ? BatchProducer.None : model.Next(id, newEpoch: _random.Chance(1, 20));
        var values = new byte[1 + _random.Next(8)][];
        var largest = _random.Chance(1, 30) ? 4000 : 500;
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = new byte[1 + _random.Next(largest)];
            _random.NextBytes(values[i]);
        }

        var log = _logs[index];
        var highWatermark = log.DurableOffset;
        var (bytes, header) = LogContent.Batch(model.Identity, values, producer, _time.NowMs);
        var outcome = log.Append(bytes, header, 0, highWatermark, _time.NowMs);
        if (outcome is { Code: ErrorCode.None, IsDuplicate: false })
        {
            model.Appended(new ModelBatch(outcome.BaseOffset, values, producer, highWatermark));
            _flush.Signal(log);
        }
        else if (outcome.Code != ErrorCode.StorageFull || log.State != LogState.StorageFull)
        {
            Failure = $"append of {producer} to log {index} gave {outcome}";
        }
    }

    private void Retry(int index)
    {
        if (_logs[index].State != LogState.Online || _models[index].Last(_random.Next(Producers)) is not { } last)
        {
            return;
        }

        var (bytes, header) = LogContent.Batch(_models[index].Identity, last.Values, last.Producer);
        var outcome = _logs[index].Append(bytes, header, 0, 0, _time.NowMs);
        if (!outcome.IsDuplicate || outcome.BaseOffset != last.BaseOffset)
        {
            Failure = $"retry of {last.Producer} at offset {last.BaseOffset} of log {index} gave {outcome}";
        }
    }

    private void DeleteRecords(int index)
    {
        var offset = _random.Next((int)_logs[index].DurableOffset + 1);
        _models[index].DeletedBelow = Math.Max(_models[index].DeletedBelow, offset);
        _logs[index].DeleteRecords(offset);
        _models[index].AcknowledgedDeletedBelow = Math.Max(_models[index].AcknowledgedDeletedBelow, offset);
    }

    private void Retain(int index, TimeSpan after)
    {
        _time.Advance(after);
        var model = _models[index];
        var before = Math.Max(model.DeletedBelow, _logs[index].LogStartOffset);
        model.DeletedBelow = Math.Max(before, _logs[index].DurableOffset);
        _logs[index].ApplyRetention(_time.NowMs);
        model.DeletedBelow = Math.Max(before, _logs[index].LogStartOffset);
        _flush.Signal(_logs[index]);
    }

    private void CloseAndOpen(int index)
    {
        if (_random.Chance(2, 3))
        {
            _flush.RunRound();
            _flush.SyncBackground();
        }

        _logs[index].Close();
        Open(index);
    }

    /// <summary>One of the next syncs fails; whoever is stopped by it is opened again, on the same page cache.</summary>
    private void FailSync()
    {
        var left = 1 + _random.Next(6);
        _disk.FailSync(_ => --left == 0);
        _flush.RunRound();
        _flush.SyncBackground();
        _disk.HealSync();
        for (var i = 0; i < _logs.Length; i++)
        {
            if (_logs[i].State == LogState.Stopped)
            {
                _logs[i].Dispose();
                Open(i);
            }
        }
    }
}
