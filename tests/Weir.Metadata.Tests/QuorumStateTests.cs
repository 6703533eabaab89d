using Weir.Metadata.Quorum;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Epoch and vote: a vote that was given is never forgotten, and a lost one is never taken for none.</summary>
[Trait("Category", "Unit")]
public sealed class QuorumStateTests
{
    private const string Path = "metadata/quorum-state";
    private readonly SimulatedDisk _disk = new();

    public QuorumStateTests()
    {
        _disk.CreateDirectory("metadata");
        _disk.SyncDirectory("");
    }

    [Fact]
    public void Vote_is_kept_over_power_loss()
    {
        var file = QuorumStateFile.Open(_disk, "metadata");
        for (var epoch = 1; epoch < 10; epoch++)
        {
            file.Write(State(epoch), sync: true);
            foreach (var mode in Enum.GetValues<CrashMode>())
            {
                using var found = QuorumStateFile.Open(_disk.CrashImage((ulong)epoch, mode), "metadata");
                Assert.Equal((State(epoch), false), (found.Current, found.IsDamaged));
            }
        }
    }

    [Fact]
    public void Torn_write_leaves_the_vote_before_it()
    {
        for (var epoch = 2; epoch < 6; epoch++)
        {
            var disk = new SimulatedDisk();
            disk.CreateDirectory("metadata");
            var file = QuorumStateFile.Open(disk, "metadata");
            for (var before = 1; before < epoch; before++)
            {
                file.Write(State(before), sync: true);
            }

            file.Write(State(epoch), sync: false);
            var slot = (epoch + 1) % 2 * 4096;
            var torn = disk.CrashImage(1, CrashMode.AllKept);
            torn.Rot(Path, slot + 30, bit: 1);
            using var found = QuorumStateFile.Open(torn, "metadata");
            Assert.Equal((State(epoch - 1), false), (found.Current, found.IsDamaged));
            found.Write(State(epoch + 1), sync: true);
            using var again = QuorumStateFile.Open(torn, "metadata");
            Assert.Equal(State(epoch + 1), again.Current);
        }
    }

    [Fact]
    public void File_without_a_whole_slot_is_damaged_and_not_a_new_one()
    {
        using (var file = QuorumStateFile.Open(_disk, "metadata"))
        {
            file.Write(State(1), sync: true);
        }

        _disk.Rot(Path, 3, bit: 1);
        _disk.Rot(Path, 4096 + 3, bit: 1);
        using var found = QuorumStateFile.Open(_disk, "metadata");
        Assert.True(found.IsDamaged);
    }

    [Fact]
    public void File_of_which_power_loss_left_nothing_but_its_name_is_no_vote_lost()
    {
        for (var step = 1L; ; step++)
        {
            var disk = new SimulatedDisk();
            disk.CreateDirectory("metadata");
            disk.SyncDirectory("");
            var first = disk.StepCount;
            disk.CutPowerAtStep(first + step);
            if (Record.Exception(() => QuorumStateFile.Open(disk, "metadata")) is null)
            {
                break;
            }

            for (var seed = 0UL; seed < 20; seed++)
            {
                using var found = QuorumStateFile.Open(disk.CrashImage(seed), "metadata");
                Assert.Equal((QuorumState.Initial, false), (found.Current, found.IsDamaged));
            }
        }
    }

    private static QuorumState State(int epoch) => new(epoch, epoch % 3 - 1, Directory(epoch));
}
