using Weir.Storage.Files;
using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Files;

/// <summary>What the simulated disk keeps of names.</summary>
[Trait("Category", "Unit")]
public sealed class SimulatedNameLossTests
{
    private readonly SimulatedDisk _disk = new();

    [Fact]
    public void Synced_file_without_a_synced_name_is_lost()
    {
        Create("a", 1);

        Assert.Empty(_disk.CrashImage(1, CrashMode.AllLost).ListFiles(""));
        Assert.Equal(["", "a=1"], Outcomes());
    }

    [Fact]
    public void Synced_name_without_synced_content_leaves_an_empty_file()
    {
        _disk.Open("a", OpenKind.Create).Write([1], 0);
        _disk.SyncDirectory("");

        Assert.Equal(0, _disk.CrashImage(1, CrashMode.AllLost).Open("a", OpenKind.Read).Length);
    }

    [Fact]
    public void Unsynced_rename_leaves_the_old_state_or_the_new_and_nothing_else()
    {
        Create("old", 1);
        Create("tmp", 2);
        _disk.SyncDirectory("");
        _disk.Rename("tmp", "old");

        Assert.Equal(["old=1 tmp=2", "old=2"], Outcomes());
        _disk.SyncDirectory("");
        Assert.Equal(["old=2"], Outcomes());
    }

    [Fact]
    public void File_renamed_twice_never_has_two_names()
    {
        Create("a", 1);
        _disk.SyncDirectory("");
        _disk.Rename("a", "b");
        _disk.Rename("b", "c");

        Assert.Equal(["a=1", "b=1", "c=1"], Outcomes());
    }

    [Fact]
    public void Unsynced_delete_may_bring_the_file_back_with_its_content()
    {
        Create("a", 1);
        _disk.SyncDirectory("");
        _disk.Delete("a");

        Assert.Equal(["", "a=1"], Outcomes());
    }

    [Fact]
    public void File_recreated_under_the_same_name_is_another_file()
    {
        Create("a", 1);
        _disk.SyncDirectory("");
        _disk.Delete("a");
        Create("a", 2);

        Assert.Equal(["", "a=1", "a=2"], Outcomes());
    }

    [Fact]
    public void Names_are_lost_independently_of_each_other()
    {
        Create("a", 1);
        Create("b", 2);

        Assert.Equal(["", "a=1", "a=1 b=2", "b=2"], Outcomes());
    }

    [Fact]
    public void Directory_needs_the_sync_of_its_parent()
    {
        _disk.CreateDirectory("d");
        Create("d/a", 1);
        _disk.SyncDirectory("d");
        Assert.Empty(_disk.CrashImage(1, CrashMode.AllLost).ListDirectories(""));

        _disk.SyncDirectory("");
        Assert.Equal(["a"], _disk.CrashImage(1, CrashMode.AllLost).ListFiles("d"));
    }

    [Fact]
    public void Rename_between_directories_is_durable_after_the_sync_of_either()
    {
        _disk.CreateDirectory("d");
        Create("a", 1);
        _disk.SyncAll();
        _disk.Rename("a", "d/a");
        _disk.SyncDirectory("d");

        var image = _disk.CrashImage(1, CrashMode.AllLost);
        Assert.False(image.FileExists("a"));
        Assert.True(image.FileExists("d/a"));
    }

    [Fact]
    public void Rename_over_a_synced_name_is_not_undone_by_older_changes_of_that_name()
    {
        _disk.CreateDirectory("d");
        Create("d/a", 1);
        _disk.SyncAll();
        Create("a", 2);
        _disk.Delete("a");
        _disk.Rename("d/a", "a");
        _disk.SyncDirectory("d");

        Assert.Equal(["a=1"], Outcomes());
    }

    private void Create(string path, byte content)
    {
        using var file = _disk.Open(path, OpenKind.Create);
        file.Write([content], 0);
        file.Sync();
    }

    private SortedSet<string> Outcomes()
    {
        var seen = new SortedSet<string>(StringComparer.Ordinal);
        SimulatedPowerLossTests.ForEachSeed(300, seed =>
        {
            var image = _disk.CrashImage(seed);
            seen.Add(string.Join(
                ' ', image.ListFiles("").Select(f => $"{f}={SimulatedPowerLossTests.Content(image, f)[0]}")));
        });
        return seen;
    }
}
