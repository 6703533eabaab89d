using Weir.Protocol.Messages;
using Weir.Storage.Files;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Power cut before every step of the disk: what was acknowledged is there, and nothing is half there.</summary>
[Trait("Category", "Simulation")]
public sealed class MetadataCrashTests
{
    private static readonly Action<MetadataLog>[] Changes =
    [
        static log => log.CreateTopic(Create("a", 2)),
        static log => log.CreateTopic(Create("b", 1, Entry("retention.ms", "1000"))),
        static log => log.AlterTopic(Alter("a", 4, Entry("segment.ms", "2000"))),
        static log => log.NextProducerId(),
        static log => log.DeleteTopic(new DeleteTopicRequest { Name = "b" }),
        static log => log.CreateTopic(Create("b", 3)),
        static log => log.AlterTopic(Alter("b", 5, Entry("durability", "leader"))),
        static log => log.DeleteTopic(new DeleteTopicRequest { Name = "a" }),
        static log => log.CreateTopic(Create("c")),
        static log => log.AlterTopic(Alter("c", 0, Entry("retention.bytes", "5"))),
    ];

    [Fact]
    public void No_acknowledged_change_is_lost_and_none_is_half_applied()
    {
        var (expected, steps) = RunUncut();
        for (var step = 1L; step <= steps; step++)
        {
            var disk = new SimulatedDisk();
            disk.CutPowerAtStep(step);
            var acknowledged = RunChanges(disk);

            for (var seed = 0UL; seed < 12; seed++)
            {
                Verify($"step {step}, seed {seed}", () =>
                    AssertKept(disk.CrashImage(seed, ModeOf(seed)), expected, acknowledged));
            }
        }
    }

    [Fact]
    public void Power_loss_while_opening_loses_nothing_more()
    {
        var (expected, steps) = RunUncut();
        for (var step = 1L; step <= steps; step++)
        {
            var disk = new SimulatedDisk();
            disk.CutPowerAtStep(step);
            var acknowledged = RunChanges(disk);
            var opening = disk.CrashImage((ulong)step);

            for (var second = 1L; ; second++)
            {
                var cut = disk.CrashImage((ulong)step);
                cut.CutPowerAtStep(second);
                var survived = TryOpen(cut);
                var seed = (ulong)(step * 1000 + second);
                Verify($"step {step}, then {second}", () =>
                    AssertKept(cut.CrashImage(seed, ModeOf(seed)), expected, acknowledged));
                if (survived)
                {
                    break;
                }
            }
        }
    }

    private static CrashMode? ModeOf(ulong seed) => (seed % 5) switch
    {
        0 => CrashMode.AllLost,
        1 => CrashMode.AllKept,
        2 => CrashMode.Prefix,
        3 => CrashMode.Mixed,
        _ => null,
    };

    /// <summary>The image after the first open and after each change; ids and times are the same in every run.</summary>
    private static (List<string> Expected, long Steps) RunUncut()
    {
        var disk = new SimulatedDisk();
        using var log = Open(disk);
        var expected = new List<string> { Print(log.Image) };
        foreach (var change in Changes)
        {
            change(log);
            expected.Add(Print(log.Image));
        }

        Assert.Equal(Changes.Length + 1, expected.Distinct().Count());
        return (expected, disk.StepCount);
    }

    /// <summary>Runs until the power goes; returns how many of the open and the changes were acknowledged.</summary>
    private static int RunChanges(SimulatedDisk disk)
    {
        var acknowledged = 0;
        try
        {
            var log = Open(disk);
            acknowledged++;
            foreach (var change in Changes)
            {
                change(log);
                acknowledged++;
            }
        }
        catch (PowerLossException)
        {
            return acknowledged;
        }

        Assert.Fail("the power did not go");
        return acknowledged;
    }

    private static bool TryOpen(ILogFiles files)
    {
        try
        {
            Open(files);
            return true;
        }
        catch (PowerLossException)
        {
            return false;
        }
    }

    private static void AssertKept(SimulatedDisk disk, List<string> expected, int acknowledged)
    {
        string found;
        using (var log = Open(disk, Tight(seed: 77)))
        {
            found = Print(log.Image);
            if (acknowledged == 0 && found != expected[0])
            {
                // Nobody saw the first cluster: another one takes its place.
                Assert.Equal((1, 0), (log.Image.NextOffset, log.Image.TopicCount));
            }
            else
            {
                Assert.Contains(found, expected.Skip(Math.Max(0, acknowledged - 1)).Take(acknowledged == 0 ? 1 : 2));
            }

            log.CreateTopic(Create("after"));
            found = Print(log.Image);
        }

        using var again = Open(disk);
        Assert.Equal(found, Print(again.Image));
    }

    private static void Verify(string where, Action check)
    {
        var e = Record.Exception(check);
        Assert.True(e is null, $"{where}: {e}");
    }
}
