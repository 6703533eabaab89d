using Microsoft.Extensions.Logging.Abstractions;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage.Files;
using Weir.Storage.Tail;
using Weir.Testing.Support;

namespace Weir.Storage.Crash;

/// <summary>Ways to break the code under test on purpose: the campaign must find each.</summary>
public enum Mutation
{
    None,

    /// <summary>Acknowledge what was written and not synced.</summary>
    AcknowledgeBeforeSync,

    /// <summary>Cut at the first bad checksum, whatever proves that the data was committed.</summary>
    CutWithoutProof,

    /// <summary>Leave out the directory sync after a new segment.</summary>
    SkipDirectorySync,
}

/// <summary>What a campaign found.</summary>
public sealed record CrashReport(long Images, long Steps, string? Failure, ulong Seed);

/// <summary>
/// Seeded power losses: a workload over several logs of one simulated disk is cut before a random write step, the image
/// recovered, held against the model, used again and cut again.
/// </summary>
public sealed class CrashCampaign(Mutation mutation = Mutation.None)
{
    private const int LogCount = 5;
    private const int ImagesPerSeed = 4;
    private const int OperationsPerRun = 60;

    /// <summary>Runs seeds from a first one until enough images were checked or one failed.</summary>
    public CrashReport Run(ulong firstSeed, long images)
    {
        long checkedImages = 0;
        long steps = 0;
        for (var seed = firstSeed; checkedImages < images; seed++)
        {
            var failure = RunSeed(seed, ref steps);
            checkedImages += ImagesPerSeed;
            if (failure is not null)
            {
                return new CrashReport(checkedImages, steps, failure, seed);
            }
        }

        return new CrashReport(checkedImages, steps, null, firstSeed);
    }

    private string? RunSeed(ulong seed, ref long steps)
    {
        var random = new SeededRandom(seed);
        var disk = new SimulatedDisk { CanSyncAll = random.Chance(1, 2) };
        disk.CreateDirectory("partitions");
        disk.SyncDirectory("");
        var models = Enumerable.Range(0, LogCount)
            .Select(index => new LogModel(new LogIdentity(new Guid($"00000000-0000-0000-0000-{seed % 1_000_000:D12}"), index)))
            .ToArray();
        for (var image = 0; image < ImagesPerSeed; image++)
        {
            disk.CutPowerAtStep(disk.StepCount + 1 + random.Next(200));
            var run = new Workload(disk, models, random, mutation);
            try
            {
                run.Run(OperationsPerRun);
            }
            catch (PowerLossException)
            {
                // As planned; a run that ends before the cut is cut here.
            }

            steps += disk.StepCount;
            if (run.Failure is not null)
            {
                return run.Failure;
            }

            disk = disk.Crash(seed * 31 + (ulong)image);
            if (Check(disk, models) is { } failure)
            {
                return $"image {image}: {failure}";
            }
        }

        return null;
    }

    /// <summary>Recovers every log twice: the second time must find what the first left.</summary>
    private string? Check(SimulatedDisk disk, LogModel[] models)
    {
        foreach (var model in models)
        {
            long end;
            using (var log = Workload.Open(disk, model.Identity, mutation))
            {
                if (model.FindViolation(log) is { } violation)
                {
                    return $"log {model.Identity.Partition}: {violation}";
                }

                end = log.LogEndOffset;
            }

            model.Forget(end);
            using var again = Workload.Open(disk, model.Identity, mutation);
            if (again.LogEndOffset != end || model.FindViolation(again) is not null)
            {
                return $"log {model.Identity.Partition}: a second recovery ends at {again.LogEndOffset}, the first at {end}";
            }
        }

        return null;
    }
}

/// <summary>Random use of several logs through the flush loop's rounds.</summary>
internal sealed class Workload(SimulatedDisk disk, LogModel[] models, SeededRandom random, Mutation mutation)
{
    private readonly TailMemory _memory = new(256 * 1024);
    private readonly PartitionLog[] _logs = new PartitionLog[models.Length];
    private long _nowMs = 1_000_000;

    public string? Failure { get; private set; }

    public static PartitionLog Open(
        ILogFiles files, LogIdentity identity, Mutation mutation, TailMemory? memory = null) =>
        PartitionLog.Open(
            mutation == Mutation.SkipDirectorySync ? new NoDirectorySync(files) : files, "partitions", identity,
            new LogOptions
            {
                SegmentBytes = 16 * 1024,
                SnapshotIntervalBytes = 6 * 1024,
                IndexIntervalBytes = 1024,
                RetentionBytes = 64 * 1024,
                TrustsAnyDamageToBeTorn = mutation == Mutation.CutWithoutProof,
            },
            memory ?? new TailMemory(), NullLogger.Instance);

    public void Run(int operations)
    {
        for (var i = 0; i < models.Length; i++)
        {
            _logs[i] = Open(disk, models[i].Identity, mutation, _memory);
        }

        for (var i = 0; i < operations && Failure is null; i++)
        {
            _nowMs += 10;
            Step(random.Next(_logs.Length));
        }
    }

    private void Step(int index)
    {
        switch (random.Next(20))
        {
            case < 12:
                Append(index);
                break;
            case < 17:
                Flush();
                break;
            case 17:
                _logs[index].SaveCheckpoint();
                break;
            case 18:
                DeleteRecords(index);
                break;
            default:
                Retain(index);
                break;
        }
    }

    private void Append(int index)
    {
        var model = models[index];
        var producer = random.Next(3);
        var values = Enumerable.Range(0, 1 + random.Next(8)).Select(_ => Value()).ToArray();
        var sequence = model.NextSequence(producer);
        var (batch, header) = LogContent.Batch(model.Identity, values, new BatchProducer(producer, 0, sequence), _nowMs);
        var outcome = _logs[index].Append(batch, header, 0, _logs[index].DurableOffset, _nowMs);
        if (outcome.Code != ErrorCode.None || outcome.IsDuplicate)
        {
            Failure = $"append to log {index} with sequence {sequence} gave {outcome}";
            return;
        }

        model.Appended(outcome.BaseOffset, values, producer, sequence);
    }

    private byte[] Value()
    {
        var value = new byte[1 + random.Next(900)];
        random.NextBytes(value);
        return value;
    }

    /// <summary>One round as the flush loop does it; together where the disk can and many logs are dirty.</summary>
    private void Flush()
    {
        var dirty = new List<int>();
        for (var i = 0; i < _logs.Length; i++)
        {
            if (_logs[i].WritePending())
            {
                dirty.Add(i);
            }
        }

        if (mutation == Mutation.AcknowledgeBeforeSync)
        {
            dirty.ForEach(i => models[i].Acknowledged = _logs[i].WrittenOffset);
        }

        if (disk.CanSyncAll && dirty.Count > FlushLoop.SyncEachAtMost)
        {
            disk.SyncAll();
        }
        else
        {
            dirty.ForEach(i => _logs[i].Sync());
        }

        foreach (var i in dirty)
        {
            _logs[i].MarkDurable();
            models[i].Acknowledged = Math.Max(models[i].Acknowledged, _logs[i].DurableOffset);
        }
    }

    private void DeleteRecords(int index)
    {
        var durable = _logs[index].DurableOffset;
        var offset = durable == 0 ? 0 : random.Next((int)durable);
        models[index].DeletedBelow = Math.Max(models[index].DeletedBelow, offset);
        _logs[index].DeleteRecords(offset);
        models[index].AcknowledgedDeletedBelow = Math.Max(models[index].AcknowledgedDeletedBelow, offset);
    }

    private void Retain(int index)
    {
        models[index].DeletedBelow = Math.Max(models[index].DeletedBelow, _logs[index].DurableOffset);
        _logs[index].ApplyRetention(_nowMs);
    }
}

/// <summary>Forwards everything but directory syncs.</summary>
internal sealed class NoDirectorySync(ILogFiles inner) : ILogFiles
{
    public bool CanSyncAll => false;

    public long FreeBytes => inner.FreeBytes;

    public ILogFile Open(string path, OpenKind kind) => inner.Open(path, kind);

    public bool FileExists(string path) => inner.FileExists(path);

    public IReadOnlyList<string> ListFiles(string directory) => inner.ListFiles(directory);

    public IReadOnlyList<string> ListDirectories(string directory) => inner.ListDirectories(directory);

    public void CreateDirectory(string directory) => inner.CreateDirectory(directory);

    public void DeleteDirectory(string directory) => inner.DeleteDirectory(directory);

    public void Delete(string path) => inner.Delete(path);

    public void Rename(string from, string to) => inner.Rename(from, to);

    public void SyncDirectory(string directory)
    {
    }

    public void SyncAll() => inner.SyncAll();
}
