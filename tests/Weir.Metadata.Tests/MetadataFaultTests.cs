using Weir.Protocol.Errors;
using Weir.Storage.Files;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Failing syncs and full disks.</summary>
[Trait("Category", "Unit")]
public sealed class MetadataFaultTests
{
    private readonly SimulatedDisk _disk = new();

    [Theory]
    [InlineData(CrashMode.AllLost, false)]
    [InlineData(CrashMode.AllKept, true)]
    public void Failed_sync_stops_the_log_and_the_change_is_not_shown(CrashMode mode, bool isKept)
    {
        using var log = Open(_disk, Tight() with { SegmentBytes = 1 << 20 });
        log.CreateTopic(Create("a"));
        var before = Print(log.Image);
        _disk.FailSync(static _ => true);

        Assert.Equal(ErrorCode.LogStopped, Refusal(() => log.CreateTopic(Create("b"))));
        Assert.Equal(before, Print(log.Image));
        _disk.HealSync();
        Assert.Equal(ErrorCode.LogStopped, Refusal(() => log.CreateTopic(Create("c"))));
        Assert.Equal(ErrorCode.LogStopped, Refusal(() => log.NextProducerId()));
        Assert.Equal(before, Print(log.Image));

        using var again = Open(_disk.CrashImage(1, mode));
        Assert.NotNull(again.Image.Find("a"));
        Assert.Equal(isKept, again.Image.Find("b") is not null);
        again.CreateTopic(Create("c"));
    }

    [Fact]
    public void Full_disk_refuses_a_change_which_is_settled_before_the_next_one()
    {
        using var log = Open(_disk, Tight() with { RecordsPerSnapshot = 1000 });
        log.CreateTopic(Create("a"));
        var before = Print(log.Image);
        FillDisk();

        Assert.Equal(ErrorCode.StorageFull, Refusal(() => log.CreateTopic(Create("b", 20))));
        Assert.Equal(ErrorCode.StorageFull, Refusal(() => log.CreateTopic(Create("b", 20))));
        Assert.Equal(ErrorCode.StorageFull, Refusal(() => log.AlterTopic(Alter("a", 2))));
        Assert.Equal(before, Print(log.Image));

        _disk.Capacity = long.MaxValue;
        Assert.Equal(ErrorCode.TopicExists, Refusal(() => log.CreateTopic(Create("b", 20))));
        log.AlterTopic(Alter("b", 21));
        Assert.Equal(21, log.Image.Find("b")!.Partitions.Length);

        using var again = Open(_disk.CrashImage(1, CrashMode.AllLost));
        Assert.Equal(Print(log.Image), Print(again.Image));
    }

    [Fact]
    public void Producer_ids_whose_reservation_failed_are_not_given_out_unreserved()
    {
        using var log = Open(_disk, Tight() with { RecordsPerSnapshot = 1000 });
        var last = -1L;
        for (var round = 0; round < 3; round++)
        {
            // The reservation is appended and cannot be written; what was appended is settled by the next change.
            _disk.BeforeStep = static step => throw new LogIoException("pwrite", step.Path, isDiskFull: true, "no space");
            while (Refusal(() => last = log.NextProducerId()) == ErrorCode.None)
            {
                Assert.InRange(last, 0, log.Image.NextProducerId - 1);
            }

            _disk.BeforeStep = null;
            log.CreateTopic(Create($"t{round}"));
        }

        var given = log.NextProducerId();
        Assert.InRange(given, last + 1, log.Image.NextProducerId - 1);
    }

    [Fact]
    public void Snapshot_that_cannot_be_written_costs_nothing_but_a_warning()
    {
        var logger = new ListLogger();
        using (var log = Open(_disk, logger: logger))
        {
            _disk.FailSync(static step => step.Path.StartsWith("metadata/snapshot", StringComparison.Ordinal));
            for (var i = 0; i < 10; i++)
            {
                log.CreateTopic(Create($"t{i}"));
            }

            Assert.NotEmpty(logger.Warnings);
            Assert.DoesNotContain(_disk.ListFiles("metadata"), static name => name.StartsWith("snapshot-", StringComparison.Ordinal));
            _disk.HealSync();
            log.CreateTopic(Create("last"));
            Assert.Contains(_disk.ListFiles("metadata"), static name => name.StartsWith("snapshot-", StringComparison.Ordinal));
        }

        using var again = Open(_disk.CrashImage(1, CrashMode.AllLost));
        Assert.Equal(11, again.Image.TopicCount);
    }

    private static ErrorCode Refusal(Action change)
    {
        try
        {
            change();
            return ErrorCode.None;
        }
        catch (ProtocolException e)
        {
            return e.Code;
        }
    }

    private void FillDisk() => _disk.Capacity -= _disk.FreeBytes;
}
