using Weir.Testing.Support;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>Where leader epochs end: by this a follower finds the last batch that it has in common with its leader.</summary>
[Trait("Category", "Unit")]
public sealed class EpochTests : IDisposable
{
    private readonly ReplicaTestBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void Log_without_a_batch_knows_no_epoch()
    {
        Assert.Equal(-1, _bed.Log.LastLeaderEpoch);
        Assert.Equal(new EpochEnd(-1, 0), _bed.Log.FindEpochEnd(7));
        _bed.Log.ResetTo(40);
        Assert.Equal(new EpochEnd(-1, 40), _bed.Log.FindEpochEnd(7));
    }

    [Theory]
    [InlineData(0, -1, 0)]
    [InlineData(1, 1, 10)]
    [InlineData(2, 1, 10)] // no batch of it: the largest before it
    [InlineData(4, 4, 13)]
    [InlineData(5, 5, 25)]
    [InlineData(9, 5, 25)]
    public void Epoch_ends_where_the_next_one_starts(int asked, int found, long end)
    {
        Fill();
        Assert.Equal(new EpochEnd(found, end), _bed.Log.FindEpochEnd(asked));
        Assert.Equal(5, _bed.Log.LastLeaderEpoch);
    }

    [Fact]
    public void Epochs_are_known_before_the_flush()
    {
        _bed.Append(epoch: 3);
        _bed.Append(epoch: 6);
        Assert.Equal((6, new EpochEnd(3, 1)), (_bed.Log.LastLeaderEpoch, _bed.Log.FindEpochEnd(5)));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Epochs_are_the_same_after_opening_with_or_without_caches(bool close, bool deletes)
    {
        Fill();
        var expected = Answers(_bed.Log);
        if (close)
        {
            _bed.Log.Close();
        }

        if (deletes)
        {
            SegmentFiles.DeleteCaches(_bed.Disk);
        }

        _bed.Reopen(close);
        Assert.Equal(expected, Answers(_bed.Log));
        Assert.Equal(5, _bed.Log.LastLeaderEpoch);
    }

    [Theory]
    [InlineData(18, 5)]
    [InlineData(13, 4)]
    [InlineData(12, 4)]
    [InlineData(10, 1)]
    [InlineData(3, 1)]
    [InlineData(0, -1)]
    public void Truncation_forgets_the_epochs_that_it_cuts(long offset, int last)
    {
        Fill();
        _bed.Log.TruncateTo(offset);
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(last, _bed.Log.LastLeaderEpoch);
            Assert.Equal(new EpochEnd(last, offset), _bed.Log.FindEpochEnd(5));
            _bed.Reopen();
        }
    }

    [Fact]
    public void Retention_forgets_what_is_below_the_start_but_for_the_epoch_that_covers_it()
    {
        Fill();
        _bed.Log.DeleteRecords(11);
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(new EpochEnd(-1, 11), _bed.Log.FindEpochEnd(3));
            Assert.Equal(new EpochEnd(4, 13), _bed.Log.FindEpochEnd(4));
            _bed.Reopen();
        }

        _bed.Log.Options = _bed.Options with { RetentionBytes = 0 };
        _bed.Log.ApplyRetention(2000);
        Assert.True(_bed.Log.LogStartOffset > 13);
        Assert.Equal(new EpochEnd(-1, _bed.Log.LogStartOffset), _bed.Log.FindEpochEnd(4));
        Assert.Equal(new EpochEnd(5, 25), _bed.Log.FindEpochEnd(5));
    }

    [Fact]
    public void Epochs_are_found_without_reading_the_log()
    {
        Fill();
        _bed.Log.Close();
        var files = new CountingFiles(_bed.Disk);
        using var bed = new LogTestBed(_bed.Options, files);
        Assert.Equal(5, bed.Log.LastLeaderEpoch);
        Assert.True(files.BytesRead < 6000, $"{files.BytesRead} bytes were read");
    }

    /// <summary>Epoch 1 to offset 10, 4 to 13, 5 to 25, over several segments.</summary>
    private void Fill()
    {
        _bed.Fill(10, epoch: 1);
        _bed.Fill(3, epoch: 4);
        _bed.Fill(12, epoch: 5);
    }

    private static List<EpochEnd> Answers(PartitionLog log) => Enumerable.Range(0, 10).Select(log.FindEpochEnd).ToList();

    private static Dictionary<string, byte[]> Read(SimulatedDisk disk)
    {
        var contents = new Dictionary<string, byte[]>();
        foreach (var name in disk.ListFiles(LogTestBed.Directory).Where(name => !name.EndsWith(".log", StringComparison.Ordinal)))
        {
            using var file = disk.Open($"{LogTestBed.Directory}/{name}", Weir.Storage.Files.OpenKind.Read);
            var bytes = new byte[file.Length];
            file.Read(bytes, 0);
            contents[name] = bytes;
        }

        contents.Remove("checkpoint");
        return contents;
    }

    private static void Overwrite(SimulatedDisk disk, string name, byte[] bytes)
    {
        var path = $"{LogTestBed.Directory}/{name}";
        var kind = disk.FileExists(path) ? Weir.Storage.Files.OpenKind.Write : Weir.Storage.Files.OpenKind.Create;
        using var file = disk.Open(path, kind);
        file.Truncate(0);
        file.Write(bytes, 0);
    }
}
