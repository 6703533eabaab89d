using Weir.Storage.Files;
using Weir.Testing.Support;

namespace Weir.Storage.Crash;

/// <summary>Which image broke a promise, and how.</summary>
/// <param name="Seed">The workload's seed.</param>
/// <param name="Image">The image's number in it, from 0.</param>
/// <param name="Text">What is wrong.</param>
public sealed record CrashFailure(ulong Seed, int Image, string Text);

/// <summary>What a campaign covered and found.</summary>
public sealed class CrashReport
{
    /// <summary>Images that were checked.</summary>
    public long Images { get; set; }

    /// <summary>Write steps of the workloads.</summary>
    public long Steps { get; set; }

    /// <summary>Images by the disk operation before which the power was cut.</summary>
    public SortedDictionary<string, long> ImagesByStep { get; } = new(StringComparer.Ordinal);

    /// <summary>Images by what the workload was doing.</summary>
    public SortedDictionary<string, long> ImagesByDoing { get; } = new(StringComparer.Ordinal);

    /// <summary>The first failure; null if there is none.</summary>
    public CrashFailure? Failure { get; set; }
}

/// <summary>
/// Seeded power losses: a workload over several logs of one simulated disk, of which crash images are taken before random
/// write steps, in every mode, and held against what the logs promised by then.
/// </summary>
public sealed class CrashCampaign(Mutation mutation = Mutation.None)
{
    private const int LogCount = 5;
    private const int OperationsPerSeed = 150;
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
        var setting = CrashSetting.Choose(random, mutation);
        var disk = new SimulatedDisk { CanSyncAll = random.Chance(2, 3) };
        disk.CreateDirectory("partitions");
        disk.SyncDirectory("");
        var models = Enumerable.Range(0, LogCount)
            .Select(index => new LogModel(new LogIdentity(new Guid((int)seed, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), index)))
            .ToArray();
        var workload = new Workload(disk, models, new SeededRandom(seed, stream: 1), setting);
        var taken = 0;
        disk.BeforeStep = step =>
        {
            if (IsChosen(step, random))
            {
                foreach (var mode in Modes)
                {
                    Check(disk, step, mode, taken++);
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

        void Check(SimulatedDisk live, DiskStep step, CrashMode mode, int image)
        {
            if (only is { } wanted && wanted != image)
            {
                return;
            }

            var imageSeed = (seed * 1_000_003) + (ulong)image;
            var violation = Violation(live.CrashImage(imageSeed, mode), new ImageCheck(models, setting, imageSeed));
            Count(report, step, workload.Doing);
            if (violation is not null)
            {
                report.Failure = new CrashFailure(
                    seed, image, $"{mode} before step {step.Number}, {step.Operation} of '{step.Path}': {violation}");
                live.CutPower();
            }
        }
    }

    // A mutated or broken log may also fail by an exception of its own: that is a finding like any other.
    private static string? Violation(SimulatedDisk image, ImageCheck check)
    {
        try
        {
            return check.FindViolation(image);
        }
        catch (Exception e) when (e is LogIoException or LogCorruptException or Protocol.Errors.ProtocolException)
        {
            return e.ToString();
        }
    }

    internal static void Count(CrashReport report, DiskStep step, string doing)
    {
        report.Images++;
        var operation = step.Operation.ToString();
        report.ImagesByStep[operation] = report.ImagesByStep.GetValueOrDefault(operation) + 1;
        report.ImagesByDoing[doing] = report.ImagesByDoing.GetValueOrDefault(doing) + 1;
    }

    // Plain writes and syncs are most of all steps; the rare ones are where order matters.
    private static bool IsChosen(DiskStep step, SeededRandom random) => step.Operation switch
    {
        DiskOperation.Write or DiskOperation.Sync => random.Chance(1, 40),
        _ => random.Chance(1, 20),
    };
}
