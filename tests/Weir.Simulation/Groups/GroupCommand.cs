using System.Diagnostics;
using System.Globalization;
using Weir.Groups;
using Weir.Protocol.Messages;

namespace Weir.Simulation.Groups;

/// <summary>Runs many seeds of groups: of one mode, or of all in turn.</summary>
internal static class GroupCommand
{
    private static readonly GroupMode[] Modes = [GroupMode.Stream, GroupMode.Queue, GroupMode.Keyed];

    public static int Run(ulong first, long seeds, GroupMode? mode, OmittedGroupRules omits, int threads)
    {
        var stopwatch = Stopwatch.StartNew();
        long next = 0;
        var failures = new List<string>();
        var workers = Enumerable.Range(0, threads).Select(_ => new Thread(Work)).ToList();
        workers.ForEach(static worker => worker.Start());
        workers.ForEach(static worker => worker.Join());
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{Math.Min(next, seeds)} seeds of groups from {first} in {stopwatch.Elapsed.TotalSeconds:F1} s"));
        failures.ForEach(Console.WriteLine);
        Console.WriteLine(failures.Count == 0 ? "no violation" : $"{failures.Count} seeds with violations");
        return failures.Count == 0 ? 0 : 1;

        void Work()
        {
            while (failures.Count < 10)
            {
                var index = Interlocked.Increment(ref next) - 1;
                if (index >= seeds)
                {
                    return;
                }

                var options = new GroupRunOptions
                {
                    Seed = first + (ulong)index, Mode = mode ?? Modes[index % Modes.Length], Omits = omits,
                };
                if (GroupWorld.Run(options) is { } violation)
                {
                    lock (failures)
                    {
                        failures.Add($"--groups --mode {options.Mode} --seed {options.Seed} --seeds 1: {violation}");
                    }
                }
            }
        }
    }
}
