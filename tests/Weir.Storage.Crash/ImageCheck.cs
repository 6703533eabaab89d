using Weir.Storage.Tail;
using Weir.Testing.Support;

namespace Weir.Storage.Crash;

/// <summary>
/// Holds one crash image against the models: recovers it, perhaps with a power loss on the way, loses the power again right
/// after, goes on using it, and lets a bit of acknowledged data rot. Changes neither the models nor the live disk.
/// </summary>
internal sealed class ImageCheck(LogModel[] models, CrashSetting setting, ulong seed)
{
    private readonly SeededRandom _random = new(seed, stream: 7);

    public string? FindViolation(SimulatedDisk image) => FindViolation(image, goesOn: true);

    private string? FindViolation(SimulatedDisk image, bool goesOn)
    {
        if (_random.Chance(1, 4))
        {
            image.Capacity = long.MaxValue;
        }

        if (_random.Chance(1, 3) && FindRotViolation(image) is { } rot)
        {
            return rot;
        }

        if (_random.Chance(1, 4))
        {
            image = CrashInRecovery(image);
        }

        var recovered = models.Select(model => model.Clone()).ToArray();
        if (Recover(image, recovered) is { } first)
        {
            return first;
        }

        var again = image.Crash(_random.NextUInt64(), _random.Chance(1, 2) ? CrashMode.AllLost : null);
        var ends = recovered.Select(model => model.Acknowledged).ToArray();
        if (Recover(again, recovered) is { } second)
        {
            return $"after a second power loss: {second}";
        }

        for (var i = 0; i < ends.Length; i++)
        {
            if (recovered[i].Acknowledged != ends[i])
            {
                return $"log {i} ended at {ends[i]}, and after a second power loss at {recovered[i].Acknowledged}";
            }
        }

        return goesOn && _random.Chance(1, 3) ? GoOn(again, recovered) : null;
    }

    private string? Recover(SimulatedDisk disk, LogModel[] recovered)
    {
        foreach (var model in recovered)
        {
            using var log = setting.Open(disk, model.Identity, new TailMemory());
            if (model.FindViolation(log) is { } violation)
            {
                return $"log {model.Identity.Partition}: {violation}";
            }

            model.Settle(log, afterPowerLoss: true);
        }

        return null;
    }

    private SimulatedDisk CrashInRecovery(SimulatedDisk image)
    {
        image.CutPowerAtStep(1 + _random.Next(40));
        try
        {
            foreach (var model in models)
            {
                setting.Open(image, model.Identity, new TailMemory()).Dispose();
            }
        }
        catch (PowerLossException)
        {
            // As planned; a recovery that ends before it is cut after it.
        }

        var capacity = image.Capacity;
        image = image.Crash(_random.NextUInt64());
        image.Capacity = capacity;
        return image;
    }

    private string? GoOn(SimulatedDisk disk, LogModel[] recovered)
    {
        disk.Capacity = long.MaxValue;
        disk.CutPowerAtStep(disk.StepCount + 1 + _random.Next(60));
        var workload = new Workload(disk, recovered, _random, setting);
        try
        {
            workload.Run(20);
        }
        catch (PowerLossException)
        {
            // As planned.
        }

        return workload.Failure is { } failure
            ? $"going on: {failure}"
            : new ImageCheck(recovered, setting, _random.NextUInt64())
                .FindViolation(disk.Crash(_random.NextUInt64()), goesOn: false) is { } violation
                ? $"going on: {violation}"
                : null;
    }

    /// <summary>
    /// Flips a bit of a batch that a later one proves to have been committed. The log may open and leave it to the reader's
    /// checksum, or open as damaged; it must not end there as if nothing had been.
    /// </summary>
    private string? FindRotViolation(SimulatedDisk image)
    {
        var model = models[_random.Next(models.Length)];
        var whole = Copy(image);
        long end;
        string path;
        long position;
        using (var log = setting.Open(whole, model.Identity, new TailMemory()))
        {
            end = log.LogEndOffset;
            if (log.State != LogState.Online || ChooseProven(model, log) is not { } batch)
            {
                return null;
            }

            var cursor = log.Locate(batch.BaseOffset);
            using var slice = log.Read(ref cursor, batch.NextOffset, 1);
            path = slice.File!.Path;
            position = slice.FilePosition + _random.Next(slice.Length);
        }

        var rotten = Copy(image);
        rotten.Rot(path, position, _random.Next(8));
        for (var time = 1; time <= 2; time++)
        {
            using var log = setting.Open(rotten, model.Identity, new TailMemory());
            if (log.State == LogState.Online && log.LogEndOffset != end)
            {
                return $"log {model.Identity.Partition}: opening {time} cut it from {end} to {log.LogEndOffset} for one "
                    + "bit of proven data";
            }
        }

        return null;
    }

    private static SimulatedDisk Copy(SimulatedDisk image) => image.CrashImage(0, CrashMode.AllKept);

    private ModelBatch? ChooseProven(LogModel model, PartitionLog log)
    {
        var kept = model.Batches
            .Where(batch => batch.BaseOffset >= log.LogStartOffset && batch.NextOffset <= log.LogEndOffset)
            .ToList();
        var proven = kept.Count == 0 ? 0 : kept.Max(static batch => batch.HighWatermark);
        var candidates = kept.Where(batch => batch.NextOffset <= Math.Min(proven, model.Acknowledged)).ToList();
        return candidates.Count == 0 ? null : candidates[^(1 + _random.Next(Math.Min(4, candidates.Count)))];
    }
}
