using Weir.Storage.Files;
using Weir.Testing.Support;

namespace Weir.Storage.Crash;

/// <summary>
/// As <see cref="CrashCampaign"/>, of logs that are compacted meanwhile: every key has its last record after every crash,
/// every tombstone its time, and what is not compacted is whole.
/// </summary>
public sealed class CompactionCampaign(Mutation mutation = Mutation.None)
{
    private const int LogCount = 2;
    private const int OperationsPerSeed = 300;
    private static readonly CrashMode[] Modes = Enum.GetValues<CrashMode>();

    /// <summary>Runs seeds from a first one until enough images were checked or one failed.</summary>
    public CrashReport Run(ulong firstSeed, long images)
    {
        var report = new CrashReport();
        for (var seed = firstSeed; report.Images < images && report.Failure is null; seed++)
        {
            RunSeed(seed, only: null, report);
        }

        return report;
    }

    /// <summary>Checks one image of a seed again.</summary>
    public CrashReport Replay(ulong seed, int image)
    {
        var report = new CrashReport();
        RunSeed(seed, image, report);
        return report;
    }

    private void RunSeed(ulong seed, int? only, CrashReport report)
    {
        var random = new SeededRandom(seed);
        var setting = CompactionSetting.Choose(random, mutation);
        var disk = new SimulatedDisk();
        disk.CreateDirectory("partitions");
        disk.SyncDirectory("");
        var models = Enumerable.Range(0, LogCount)
            .Select(index => new KeyedLogModel(
                new LogIdentity(new Guid((int)seed, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11), index), setting.Options.TombstoneRetention))
            .ToArray();
        var time = new ManualTime();
        var workload = new CompactionWorkload(disk, models, new SeededRandom(seed, stream: 1), setting, time);
        var taken = 0;
        disk.BeforeStep = step =>
        {
            if (IsChosen(step, workload.Doing, random))
            {
                foreach (var mode in Modes)
                {
                    Check(step, mode, taken++);
                }
            }
        };
        try
        {
            workload.Run(OperationsPerSeed);
        }
        catch (PowerLossException)
        {
            // An image failed: the rest of the workload does not matter.
        }

        report.Steps += disk.StepCount;
        report.Failure ??= workload.Failure is { } text ? new CrashFailure(seed, taken, text) : null;

        void Check(DiskStep step, CrashMode mode, int image)
        {
            if (only is { } wanted && wanted != image)
            {
                return;
            }

            var imageSeed = (seed * 1_000_003) + (ulong)image;
            CrashCampaign.Count(report, step, workload.Doing);
            if (Violation(disk.CrashImage(imageSeed, mode), models, setting, imageSeed, time.NowMs) is { } violation)
            {
                report.Failure = new CrashFailure(
                    seed, image, $"{mode} before step {step.Number}, {step.Operation} of '{step.Path}': {violation}");
                disk.CutPower();
            }
        }
    }

    private static string? Violation(SimulatedDisk image, KeyedLogModel[] models, CompactionSetting setting, ulong seed, long nowMs)
    {
        try
        {
            image.Capacity = long.MaxValue;
            return FindViolation(image, models, setting, new SeededRandom(seed, stream: 7), nowMs);
        }
        catch (Exception e) when (e is LogIoException or LogCorruptException or InvalidDataException
            or Protocol.Errors.ProtocolException)
        {
            return e.ToString();
        }
    }

    private static string? FindViolation(
        SimulatedDisk image, KeyedLogModel[] models, CompactionSetting setting, SeededRandom random, long nowMs)
    {
        if (random.Chance(1, 4))
        {
            image = CrashInRecovery(image, models, setting, random);
        }

        if (Recover(image.CrashImage(0, CrashMode.AllKept), models, setting, withoutCaches: true) is { } bare)
        {
            return $"without caches: {bare}";
        }

        var recovered = models.Select(static model => model.Clone()).ToArray();
        if (Recover(image, recovered, setting) is { } first)
        {
            return first;
        }

        var again = image.Crash(random.NextUInt64(), random.Chance(1, 2) ? CrashMode.AllLost : null);
        if (Recover(again, recovered, setting) is { } second)
        {
            return $"after a second power loss: {second}";
        }

        if (!random.Chance(1, 3))
        {
            return null;
        }

        again.CutPowerAtStep(again.StepCount + 1 + random.Next(80));
        var time = new ManualTime();
        time.Advance(TimeSpan.FromMilliseconds(nowMs - time.NowMs));
        var workload = new CompactionWorkload(again, recovered, random, setting, time);
        try
        {
            workload.Run(40);
        }
        catch (PowerLossException)
        {
            // As planned.
        }

        var failure = workload.Failure ?? Recover(again.Crash(random.NextUInt64()), recovered, setting);
        return failure is null ? null : $"going on: {failure}";
    }

    private static string? Recover(
        SimulatedDisk disk, KeyedLogModel[] models, CompactionSetting setting, bool withoutCaches = false)
    {
        foreach (var model in models)
        {
            var directory = $"partitions/{model.Identity.DirectoryName}";
            foreach (var name in disk.ListFiles(directory).Where(static name => IsCache(name)))
            {
                if (withoutCaches)
                {
                    disk.Delete($"{directory}/{name}");
                }
            }

            using var log = setting.Open(disk, model.Identity);
            if (model.FindViolation(log) is { } violation)
            {
                return $"log {model.Identity.Partition}: {violation}";
            }

            if (disk.ListFiles(directory).FirstOrDefault(static name => name.EndsWith(".compacting", StringComparison.Ordinal)) is { } left)
            {
                return $"log {model.Identity.Partition}: '{left}' is left";
            }

            if (!withoutCaches)
            {
                model.Settle(log);
            }
        }

        return null;
    }

    private static bool IsCache(string name) => name.EndsWith(".index", StringComparison.Ordinal)
        || name.EndsWith(".keys", StringComparison.Ordinal) || name is "producers.snapshot" or "compaction";

    private static SimulatedDisk CrashInRecovery(
        SimulatedDisk image, KeyedLogModel[] models, CompactionSetting setting, SeededRandom random)
    {
        image.CutPowerAtStep(1 + random.Next(30));
        try
        {
            foreach (var model in models)
            {
                setting.Open(image, model.Identity).Dispose();
            }
        }
        catch (PowerLossException)
        {
            // As planned; a recovery that ends before it is cut after it.
        }

        image = image.Crash(random.NextUInt64());
        image.Capacity = long.MaxValue;
        return image;
    }

    // The steps of a swap are few among the writes.
    private static bool IsChosen(DiskStep step, string doing, SeededRandom random) => (doing, step.Operation) switch
    {
        ("compact", DiskOperation.Write) => random.Chance(1, 20),
        ("compact", _) => random.Chance(1, 6),
        _ => random.Chance(1, 60),
    };
}
