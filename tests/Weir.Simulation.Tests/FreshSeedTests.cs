using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Weir.Simulation.Tests;

/// <summary>Seeds that nobody has seen before: 20 s of them, or as many as WEIR_SIMULATION_SECONDS says.</summary>
[Trait("Category", "Simulation")]
public sealed class FreshSeedTests
{
    [Fact]
    public async Task Fresh_seeds_keep_every_promise()
    {
        var seconds = int.Parse(
            Environment.GetEnvironmentVariable("WEIR_SIMULATION_SECONDS") ?? "20", CultureInfo.InvariantCulture);
        var first = (ulong)Random.Shared.NextInt64(1_000_000, long.MaxValue / 2);
        var started = Stopwatch.StartNew();
        var index = -1;

        var failures = await Task.WhenAll(Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Task.Run(() =>
        {
            while (started.Elapsed.TotalSeconds < seconds)
            {
                var options = new RunOptions { Seed = first + (ulong)Interlocked.Increment(ref index) };
                if (new SimulationRun(options).Run().Violation is { } violation)
                {
                    return $"seed {options.Seed}: {violation}. Replay: {PinnedSeedTests.Replay(options)}";
                }
            }

            return null;
        })));

        Assert.DoesNotContain(failures, static failure => failure is not null);
        Assert.True(index > 0, "no seed was run to its end");
    }
}
