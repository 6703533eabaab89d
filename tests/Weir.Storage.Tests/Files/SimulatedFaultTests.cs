using Weir.Storage.Files;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Files;

/// <summary>The faults that the simulated disk injects.</summary>
[Trait("Category", "Unit")]
public sealed class SimulatedFaultTests
{
    private readonly SimulatedDisk _disk = new();

    [Fact]
    public void Write_of_a_failed_sync_is_lost_although_a_later_sync_succeeds()
    {
        using var file = CreateDurable("a", 2048);
        file.Write([1], 0);
        _disk.FailSyncOnce("a");
        Assert.False(Assert.Throws<LogIoException>(file.Sync).IsDiskFull);
        file.Write([2], 1024);
        file.Sync();

        Assert.Equal(1, Byte(_disk, 0));
        var lost = _disk.CrashImage(1, CrashMode.AllLost);
        Assert.Equal(0, Byte(lost, 0));
        Assert.Equal(2, Byte(lost, 1024));
        Assert.Equal(1, Byte(_disk.CrashImage(1, CrashMode.AllKept), 0));
    }

    [Fact]
    public void Write_of_a_failed_sync_becomes_durable_when_written_again()
    {
        using var file = CreateDurable("a", 2048);
        file.Write([1], 0);
        _disk.FailSyncOnce("a");
        Assert.Throws<LogIoException>(file.Sync);
        file.Write([3], 0);
        file.Sync();

        SimulatedPowerLossTests.ForEachSeed(50, seed => Assert.Equal(3, Byte(_disk.CrashImage(seed), 0)));
    }

    [Fact]
    public void Truncation_after_a_failed_sync_removes_its_writes_for_good()
    {
        using var file = CreateDurable("a", 2048);
        file.Write([1], 1024);
        _disk.FailSyncOnce("a");
        Assert.Throws<LogIoException>(file.Sync);
        file.Truncate(512);
        file.Allocate(2048);
        file.Sync();

        SimulatedPowerLossTests.ForEachSeed(50, seed => Assert.Equal(0, Byte(_disk.CrashImage(seed), 1024)));
    }

    [Fact]
    public void Failed_sync_of_all_leaves_content_and_names_in_doubt()
    {
        using var file = CreateDurable("a", 512);
        file.Write([1], 0);
        _disk.Open("b", OpenKind.Create).Dispose();
        _disk.FailSync(step => step.Operation == DiskOperation.SyncAll);
        Assert.Throws<LogIoException>(_disk.SyncAll);
        _disk.HealSync();
        _disk.SyncAll();

        var lost = _disk.CrashImage(1, CrashMode.AllLost);
        Assert.Equal(0, Byte(lost, 0));
        Assert.Equal(["a"], lost.ListFiles(""));
    }

    [Fact]
    public void Failed_directory_sync_leaves_names_in_doubt()
    {
        _disk.Open("a", OpenKind.Create).Dispose();
        _disk.FailSyncOnce("");
        Assert.Throws<LogIoException>(() => _disk.SyncDirectory(""));
        _disk.SyncDirectory("");

        Assert.Empty(_disk.CrashImage(1, CrashMode.AllLost).ListFiles(""));
        Assert.Equal(["a"], _disk.CrashImage(1, CrashMode.AllKept).ListFiles(""));
    }

    [Fact]
    public void Full_disk_refuses_growth_but_not_what_was_reserved()
    {
        _disk.Capacity = 10_000;
        using var file = _disk.Open("a", OpenKind.Create);
        file.Allocate(8000);
        Assert.Equal(2000, _disk.FreeBytes);

        Assert.True(Assert.Throws<LogIoException>(() => file.Allocate(10_001)).IsDiskFull);
        Assert.Equal(8000, file.Length);
        Assert.True(Assert.Throws<LogIoException>(() => file.Write(new byte[4000], 7000)).IsDiskFull);
        Assert.Equal(10_000, file.Length);
        file.Write(new byte[10_000], 0);
        Assert.Equal(0, _disk.FreeBytes);
    }

    [Fact]
    public void Space_returns_when_a_deleted_file_is_closed()
    {
        _disk.Capacity = 10_000;
        var file = _disk.Open("a", OpenKind.Create);
        file.Allocate(10_000);
        _disk.Delete("a");
        Assert.Equal(0, _disk.FreeBytes);
        file.Dispose();

        Assert.Equal(10_000, _disk.FreeBytes);
        Assert.Equal(10_000, _disk.CrashImage(1, CrashMode.AllLost).FreeBytes);
    }

    [Fact]
    public void Rot_flips_a_bit_that_stays_flipped()
    {
        using var file = CreateDurable("a", 5000);
        _disk.Rot("a", 4500, bit: 3);

        Assert.Equal(8, Byte(_disk, 4500));
        Assert.Equal(8, Byte(_disk.CrashImage(1), 4500));
    }

    [Fact]
    public void Power_can_be_cut_before_every_step()
    {
        CreateAndPublish(_disk);
        var steps = _disk.StepCount;
        Assert.Equal(7, steps);

        for (long step = 1; step <= steps; step++)
        {
            var disk = new SimulatedDisk();
            disk.CutPowerAtStep(step);
            Assert.Throws<PowerLossException>(() => CreateAndPublish(disk));
            Assert.True(disk.IsOff);
            Assert.Equal(step - 1, disk.StepCount);
            Assert.Throws<PowerLossException>(() => disk.ListFiles(""));
            Assert.False(disk.CrashImage((ulong)step, CrashMode.AllLost).FileExists("a"));
        }
    }

    [Fact]
    public void Every_call_on_a_file_throws_once_the_power_is_gone()
    {
        var file = CreateDurable("a", 10);
        var image = _disk.Crash(1);

        Assert.Throws<PowerLossException>(() => file.Length);
        Assert.Throws<PowerLossException>(() => file.Read(new byte[1], 0));
        Assert.Throws<PowerLossException>(() => file.Write([1], 0));
        Assert.Throws<PowerLossException>(file.Sync);
        file.Dispose();
        Assert.Equal(["a"], image.ListFiles(""));
        Assert.Equal(0, image.StepCount);
    }

    [Fact]
    public void Step_hook_sees_each_operation_and_can_replace_it()
    {
        var seen = new List<DiskOperation>();
        _disk.BeforeStep = step => seen.Add(step.Operation);
        CreateAndPublish(_disk);
        Assert.Equal(
            [
                DiskOperation.Create, DiskOperation.Allocate, DiskOperation.Write, DiskOperation.Truncate,
                DiskOperation.Sync, DiskOperation.Rename, DiskOperation.SyncDirectory,
            ],
            seen);

        _disk.BeforeStep = step => throw new LogIoException("unlink", step.Path, isDiskFull: false, "Injected.");
        Assert.Throws<LogIoException>(() => _disk.Delete("a"));
        Assert.True(_disk.FileExists("a"));
    }

    private static void CreateAndPublish(SimulatedDisk disk)
    {
        using var file = disk.Open("tmp", OpenKind.Create);
        file.Allocate(4096);
        file.Write([1], 0);
        file.Truncate(1);
        file.Sync();
        disk.Rename("tmp", "a");
        disk.SyncDirectory("");
    }

    private ILogFile CreateDurable(string path, int length)
    {
        var file = _disk.Open(path, OpenKind.Create);
        file.Allocate(length);
        file.Sync();
        _disk.SyncDirectory("");
        return file;
    }

    private static byte Byte(ILogFiles disk, int position) => SimulatedPowerLossTests.Content(disk, "a")[position];
}
