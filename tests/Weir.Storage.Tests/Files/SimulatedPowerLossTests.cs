using Weir.Storage.Files;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Files;

/// <summary>What the simulated disk keeps of files' content and length.</summary>
[Trait("Category", "Unit")]
public sealed class SimulatedPowerLossTests
{
    private const int Sector = 512;

    private readonly SimulatedDisk _disk = new();

    [Fact]
    public void Unsynced_write_is_lost_by_power_loss()
    {
        using var file = CreateDurable("a", [1, 2, 3]);
        file.Write([9, 9, 9], 1);

        Assert.Equal([1, 2, 3], Content(_disk.CrashImage(1, CrashMode.AllLost), "a"));
        Assert.Equal([1, 9, 9, 9], Content(_disk.CrashImage(1, CrashMode.AllKept), "a"));
    }

    [Fact]
    public void Synced_write_survives_every_power_loss()
    {
        using var file = CreateDurable("a", Bytes(5000, 1));
        file.Truncate(1000);
        file.Allocate(1 << 20);
        file.Write(Bytes(3000, 2), 2000);
        var before = Content(_disk, "a");
        file.Sync();

        ForEachSeed(200, seed => Assert.Equal(before, Content(_disk.CrashImage(seed), "a")));
    }

    [Fact]
    public void Sectors_of_an_unsynced_write_are_kept_and_lost_independently()
    {
        using var file = CreateDurable("a", new byte[4 * Sector]);
        file.Write(Bytes(4 * Sector, 1), 0);

        var seen = new HashSet<string>();
        ForEachSeed(2000, seed => seen.Add(SectorPattern(Content(_disk.CrashImage(seed), "a"))));
        Assert.Equal(16, seen.Count);
    }

    [Fact]
    public void Prefix_mode_tears_the_last_write_only_at_its_end()
    {
        using var file = CreateDurable("a", new byte[6 * Sector]);
        file.Write(Bytes(3 * Sector, 1), 0);
        file.Write(Bytes(3 * Sector, 1), 3 * Sector);

        var seen = new SortedSet<string>(StringComparer.Ordinal);
        ForEachSeed(500, seed => seen.Add(SectorPattern(Content(_disk.CrashImage(seed, CrashMode.Prefix), "a"))));
        Assert.Equal(["000000", "100000", "110000", "111000", "111100", "111110", "111111"], seen);
    }

    [Fact]
    public void Unsynced_length_is_kept_without_data_and_data_without_length()
    {
        using var file = CreateDurable("a", []);
        file.Write(Bytes(Sector, 1), 0);

        var seen = new HashSet<string>();
        ForEachSeed(500, seed => seen.Add(SectorPattern(Content(_disk.CrashImage(seed), "a"))));
        Assert.Equal(["", "0", "1"], seen.Order());
    }

    [Fact]
    public void Unsynced_truncation_is_kept_or_undone_and_never_shows_old_bytes_in_grown_space()
    {
        using var file = CreateDurable("a", Bytes(2 * Sector, 1));
        file.Truncate(Sector);
        file.Allocate(3 * Sector);

        var seen = new HashSet<string>();
        ForEachSeed(500, seed => seen.Add(SectorPattern(Content(_disk.CrashImage(seed), "a"))));
        Assert.Equal(["1", "100", "11"], seen.Order());
    }

    [Fact]
    public void Appends_within_one_sector_survive_as_a_state_that_existed()
    {
        using var file = CreateDurable("a", new byte[Sector]);
        for (var i = 0; i < 5; i++)
        {
            file.Write([(byte)(i + 1)], i);
        }

        var seen = new HashSet<int>();
        ForEachSeed(500, seed =>
        {
            var content = Content(_disk.CrashImage(seed), "a");
            var count = content.AsSpan().IndexOf((byte)0);
            Assert.True(content.AsSpan(count).IndexOfAnyExcept((byte)0) < 0);
            seen.Add(count);
        });
        Assert.Equal([0, 1, 2, 3, 4, 5], seen.Order());
    }

    [Fact]
    public void Same_seed_gives_the_same_image()
    {
        BuildBusyDisk(_disk, writes: 60);
        var other = new SimulatedDisk();
        BuildBusyDisk(other, writes: 60);

        var images = new HashSet<string>();
        ForEachSeed(100, seed =>
        {
            var image = Dump(_disk.CrashImage(seed));
            Assert.Equal(image, Dump(other.CrashImage(seed)));
            images.Add(image);
        });
        Assert.True(images.Count > 50, $"Only {images.Count} different images.");
    }

    [Fact]
    public void Image_and_original_do_not_change_each_other()
    {
        using var file = CreateDurable("a", Bytes(9000, 1));
        var image = _disk.CrashImage(1);
        file.Write(Bytes(100, 2), 0);
        file.Sync();
        using (var imaged = image.Open("a", OpenKind.Write))
        {
            imaged.Write(Bytes(100, 3), 8000);
        }

        Assert.Equal(1, Content(image, "a")[0]);
        Assert.Equal(3, Content(image, "a")[8000]);
        Assert.Equal(2, Content(_disk, "a")[0]);
        Assert.Equal(1, Content(_disk, "a")[8000]);
        Assert.Equal(1, Content(image.CrashImage(1, CrashMode.AllLost), "a")[8000]);
    }

    [Fact]
    public void Preallocated_space_costs_images_nothing()
    {
        using var file = CreateDurable("a", [1]);
        file.Allocate(1L << 40);
        file.Sync();

        var before = GC.GetAllocatedBytesForCurrentThread();
        var image = _disk.CrashImage(1);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 16 * 1024);
        Assert.Equal(1L << 40, image.Open("a", OpenKind.Read).Length);
    }

    [Fact]
    public void Sync_all_makes_names_and_content_of_everything_durable()
    {
        BuildBusyDisk(_disk, writes: 60);
        _disk.SyncAll();

        var before = Dump(_disk);
        ForEachSeed(50, seed => Assert.Equal(before, Dump(_disk.CrashImage(seed))));
    }

    private ILogFile CreateDurable(string path, byte[] content)
    {
        var file = _disk.Open(path, OpenKind.Create);
        file.Write(content, 0);
        file.Sync();
        _disk.SyncDirectory("");
        return file;
    }

    internal static byte[] Bytes(int count, byte value)
    {
        var bytes = new byte[count];
        bytes.AsSpan().Fill(value);
        return bytes;
    }

    internal static byte[] Content(ILogFiles disk, string path)
    {
        using var file = disk.Open(path, OpenKind.Read);
        var content = new byte[file.Length];
        file.Read(content, 0);
        return content;
    }

    internal static void ForEachSeed(ulong count, Action<ulong> test)
    {
        for (ulong seed = 0; seed < count; seed++)
        {
            test(seed);
        }
    }

    private static string SectorPattern(byte[] content) =>
        string.Concat(content.Chunk(Sector).Select(s => s[0].ToString(System.Globalization.CultureInfo.InvariantCulture)));

    private static void BuildBusyDisk(SimulatedDisk disk, int writes)
    {
        var random = new SeededRandom(7);
        disk.CreateDirectory("d");
        for (var i = 0; i < writes; i++)
        {
            var path = $"d/{random.Next(6)}";
            using var file = disk.Open(path, disk.FileExists(path) ? OpenKind.Write : OpenKind.Create);
            file.Write(Bytes(random.Next(3000), (byte)i), random.Next(6000));
            if (random.Chance(1, 5))
            {
                file.Sync();
                disk.SyncDirectory(random.Chance(1, 2) ? "d" : "");
            }

            if (random.Chance(1, 6))
            {
                disk.Rename(path, $"d/{random.Next(6)}");
            }
        }
    }

    private static string Dump(SimulatedDisk disk) => string.Join(
        '\n',
        disk.ListFiles("d").Select(f => f + ":" + Convert.ToHexString(Content(disk, "d/" + f))));
}
