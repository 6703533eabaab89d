using Weir.Storage.Files;
using Xunit;

namespace Weir.Storage.Tests.Files;

/// <summary>What every <see cref="ILogFiles"/> does, on an empty data directory.</summary>
public abstract class LogFilesConformance
{
    protected abstract ILogFiles Files { get; }

    [Fact]
    public void Created_file_is_empty_and_listed()
    {
        using var file = Files.Open("b", OpenKind.Create);
        Files.Open("a", OpenKind.Create).Dispose();

        Assert.Equal(0, file.Length);
        Assert.Equal("b", file.Path);
        Assert.True(Files.FileExists("b"));
        Assert.Equal(["a", "b"], Files.ListFiles(""));
    }

    [Fact]
    public void Create_fails_when_the_file_exists()
    {
        Files.Open("a", OpenKind.Create).Dispose();
        Assert.Throws<LogIoException>(() => Files.Open("a", OpenKind.Create));
    }

    [Theory]
    [InlineData(OpenKind.Read)]
    [InlineData(OpenKind.Write)]
    public void Open_fails_when_the_file_does_not_exist(OpenKind kind)
    {
        var failure = Assert.Throws<LogIoException>(() => Files.Open("a", kind));
        Assert.Equal("a", failure.Path);
        Assert.False(failure.IsDiskFull);
        Assert.Throws<LogIoException>(() => Files.Open("no/a", kind));
        Assert.Throws<LogIoException>(() => Files.Open("no/a", OpenKind.Create));
    }

    [Fact]
    public void Written_bytes_are_read_back_by_another_handle()
    {
        using var writer = Files.Open("a", OpenKind.Create);
        using var reader = Files.Open("a", OpenKind.Read);
        var bytes = Pattern(10_000);
        writer.Write(bytes, 700);

        Assert.Equal(10_700, reader.Length);
        Assert.Equal(new byte[700], Read(reader, 0, 700));
        Assert.Equal(bytes, Read(reader, 700, 10_000));
    }

    [Fact]
    public void Read_stops_at_the_end_of_the_file()
    {
        using var file = Files.Open("a", OpenKind.Create);
        file.Write(Pattern(100), 0);

        Assert.Equal(40, file.Read(new byte[500], 60));
        Assert.Equal(0, file.Read(new byte[500], 100));
        Assert.Equal(0, file.Read(new byte[500], 5000));
    }

    [Fact]
    public void Overwrite_changes_only_its_range()
    {
        using var file = Files.Open("a", OpenKind.Create);
        var expected = Pattern(9000);
        file.Write(expected, 0);
        file.Write(new byte[1000], 4000);
        expected.AsSpan(4000, 1000).Clear();

        Assert.Equal(expected, Read(file, 0, 9000));
    }

    [Fact]
    public void Allocated_space_reads_zeros_and_keeps_what_was_written()
    {
        using var file = Files.Open("a", OpenKind.Create);
        file.Write(Pattern(100), 0);
        file.Allocate(1 << 20);
        file.Allocate(10);

        Assert.Equal(1 << 20, file.Length);
        Assert.Equal(Pattern(100), Read(file, 0, 100));
        Assert.Equal(new byte[5000], Read(file, (1 << 20) - 5000, 5000));
    }

    [Fact]
    public void Truncated_bytes_do_not_come_back_when_the_file_grows()
    {
        using var file = Files.Open("a", OpenKind.Create);
        file.Write(Pattern(9000), 0);
        file.Truncate(100);
        Assert.Equal(100, file.Length);
        file.Allocate(9000);

        Assert.Equal(Pattern(100), Read(file, 0, 100));
        Assert.Equal(new byte[8900], Read(file, 100, 8900));
    }

    [Fact]
    public void Truncate_cannot_extend()
    {
        using var file = Files.Open("a", OpenKind.Create);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Truncate(1));
    }

    [Fact]
    public void File_opened_for_reading_refuses_changes()
    {
        Files.Open("a", OpenKind.Create).Dispose();
        using var file = Files.Open("a", OpenKind.Read);

        Assert.Throws<InvalidOperationException>(() => file.Write([1], 0));
        Assert.Throws<InvalidOperationException>(() => file.Allocate(10));
        Assert.Throws<InvalidOperationException>(() => file.Truncate(0));
        Assert.Throws<InvalidOperationException>(file.Sync);
    }

    [Fact]
    public void Closed_file_refuses_every_call()
    {
        var file = Files.Open("a", OpenKind.Create);
        file.Dispose();
        file.Dispose();

        Assert.Throws<ObjectDisposedException>(file.Sync);
        Assert.Throws<ObjectDisposedException>(() => file.Write([1], 0));
        Assert.Throws<ObjectDisposedException>(() => file.Read(new byte[1], 0));
        Assert.Throws<ObjectDisposedException>(() => file.Length);
    }

    [Fact]
    public void Sync_of_files_directories_and_all_succeeds()
    {
        Files.CreateDirectory("d/e");
        using var file = Files.Open("d/e/a", OpenKind.Create);
        file.Write(Pattern(10), 0);

        file.Sync();
        Files.SyncDirectory("d/e");
        Files.SyncDirectory("d");
        Files.SyncDirectory("");
        if (Files.CanSyncAll)
        {
            Files.SyncAll();
        }
    }

    [Fact]
    public void Sync_of_a_missing_directory_fails() =>
        Assert.Throws<LogIoException>(() => Files.SyncDirectory("no"));

    [Fact]
    public void Directories_are_created_with_their_parents_listed_and_deleted()
    {
        Files.CreateDirectory("t/p-1");
        Files.CreateDirectory("t/p-0");
        Files.CreateDirectory("t/p-0");
        Files.Open("t/f", OpenKind.Create).Dispose();

        Assert.Equal(["p-0", "p-1"], Files.ListDirectories("t"));
        Assert.Equal(["f"], Files.ListFiles("t"));
        Assert.False(Files.FileExists("t/p-0"));
        Assert.Throws<LogIoException>(() => Files.DeleteDirectory("t"));
        Files.DeleteDirectory("t/p-0");
        Assert.Equal(["p-1"], Files.ListDirectories("t"));
    }

    [Fact]
    public void Listing_a_missing_directory_is_empty()
    {
        Assert.Empty(Files.ListFiles("no"));
        Assert.Empty(Files.ListDirectories("no/no"));
    }

    [Fact]
    public void Deleted_file_is_gone_but_readable_by_who_has_it_open()
    {
        using var file = Files.Open("a", OpenKind.Create);
        file.Write(Pattern(10), 0);
        Files.Delete("a");

        Assert.False(Files.FileExists("a"));
        Assert.Equal(Pattern(10), Read(file, 0, 10));
        Assert.Throws<LogIoException>(() => Files.Delete("a"));
    }

    [Fact]
    public void Rename_replaces_the_target()
    {
        Files.CreateDirectory("d");
        Write("a", 1);
        Write("d/b", 2);
        Files.Rename("a", "d/b");

        Assert.False(Files.FileExists("a"));
        using var file = Files.Open("d/b", OpenKind.Read);
        Assert.Equal([1], Read(file, 0, 1));
        Assert.Throws<LogIoException>(() => Files.Rename("a", "c"));
        Assert.Throws<LogIoException>(() => Files.Rename("d/b", "no/b"));
    }

    [Fact]
    public void Directory_is_renamed_with_its_files()
    {
        Files.CreateDirectory("d");
        Write("d/a", 1);
        Files.Rename("d", "e");

        Assert.True(Files.FileExists("e/a"));
        Assert.Equal(["e"], Files.ListDirectories(""));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("../a")]
    [InlineData("a/../b")]
    [InlineData("a//b")]
    [InlineData("./a")]
    [InlineData("a/")]
    [InlineData("C:a")]
    [InlineData("a\\b")]
    public void Path_outside_the_rules_is_refused(string path)
    {
        Assert.Throws<ArgumentException>(() => Files.Open(path, OpenKind.Create));
        Assert.Throws<ArgumentException>(() => Files.FileExists(path));
        Assert.Throws<ArgumentException>(() => Files.Delete(path));
        Assert.Throws<ArgumentException>(() => Files.Rename("a", path));
        Assert.Throws<ArgumentException>(() => Files.Rename(path, "a"));
        Assert.Throws<ArgumentException>(() => Files.DeleteDirectory(path));
        if (path.Length > 0)
        {
            Assert.Throws<ArgumentException>(() => Files.ListFiles(path));
            Assert.Throws<ArgumentException>(() => Files.CreateDirectory(path));
            Assert.Throws<ArgumentException>(() => Files.SyncDirectory(path));
        }
    }

    [Fact]
    public void Free_space_is_known() => Assert.True(Files.FreeBytes > 0);

    private protected static byte[] Pattern(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i++)
        {
            bytes[i] = (byte)(1 + (i % 251));
        }

        return bytes;
    }

    private protected static byte[] Read(ILogFile file, long position, int length)
    {
        var buffer = new byte[length];
        Assert.Equal(length, file.Read(buffer, position));
        return buffer;
    }

    private void Write(string path, byte value)
    {
        using var file = Files.Open(path, OpenKind.Create);
        file.Write([value], 0);
    }
}
