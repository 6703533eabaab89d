using Weir.Metadata.Quorum;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage;
using Weir.Storage.Tail;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Snapshots that stand in for each other, and metadata that is refused because it is not all there.</summary>
[Trait("Category", "Unit")]
public sealed class QuorumStoreDamageTests
{
    private static readonly MetadataLogOptions Roomy = Tight() with { RecordsPerSnapshot = 1000 };
    private static readonly string LogDirectory = $"{QuorumStore.DirectoryName}/{QuorumStore.Identity.DirectoryName}";
    private readonly SimulatedDisk _disk = new();

    [Fact]
    public void Two_snapshots_are_kept_and_the_log_from_the_older_one_on()
    {
        Fill(_disk, 100);
        var kept = Snapshots();
        Assert.Equal(2, kept.Count);
        using var store = OpenStore(_disk);
        var older = Offset(kept[0]);
        Assert.InRange(store.StartOffset, older - 6, older);
        Assert.Equal((101L, Offset(kept[1])), (store.EndOffset, store.SnapshotOffset));
    }

    [Fact]
    public void Damaged_newest_snapshot_is_reported_and_the_older_one_used_with_the_log()
    {
        var expected = Fill(_disk, 100);
        var newest = Snapshots()[^1];
        Rot(newest);
        var logger = new ListLogger();
        using (var store = OpenStore(_disk, logger: logger))
        {
            Assert.Equal(expected, Print(store.Latest));
            Assert.Contains(newest, Assert.Single(logger.Warnings), StringComparison.Ordinal);
            store.Commit(store.EndOffset);
            for (var i = 200; i < 207; i++)
            {
                Write(store, Topic(TopicId(i), $"t{i}"));
            }

            expected = Print(store.Latest);
        }

        using var again = OpenStore(_disk);
        Assert.Equal(expected, Print(again.Latest));
    }

    [Fact]
    public void Snapshot_that_cannot_be_written_costs_nothing_but_a_warning()
    {
        var logger = new ListLogger();
        using (var store = OpenStore(_disk, logger: logger))
        {
            store.SaveState(new QuorumState(1, NodeId, Directory(NodeId)));
            _disk.FailSync(static step => step.Path.StartsWith("metadata/snapshot", StringComparison.Ordinal));
            Write(store, Cluster());
            for (var i = 0; i < 10; i++)
            {
                Write(store, Topic(TopicId(i), $"t{i}"));
            }

            Assert.NotEmpty(logger.Warnings);
            Assert.Empty(Snapshots());
            Assert.Equal(0, store.StartOffset);
            _disk.HealSync();
            Write(store, Topic(TopicId(10), "last"));
            Assert.Single(Snapshots());
        }

        using var again = OpenStore(_disk.CrashImage(1, CrashMode.AllLost));
        Assert.Equal(11, again.Latest.TopicCount);
    }

    [Fact]
    public void Start_is_refused_if_no_snapshot_is_whole_and_the_log_was_trimmed()
    {
        Fill(_disk, 20);
        Snapshots().ForEach(Rot);
        var before = Snapshots().Concat(_disk.ListFiles(LogDirectory)).ToList();
        AssertRefused("no whole snapshot");
        Assert.Equal(before, Snapshots().Concat(_disk.ListFiles(LogDirectory)));
    }

    [Fact]
    public void Start_is_refused_if_the_log_ends_before_a_snapshot_that_is_damaged()
    {
        Fill(_disk, 20);
        DeleteAll(LogDirectory);
        Rot(Snapshots()[^1]);
        AssertRefused("before its snapshot");
    }

    [Fact]
    public void Start_is_refused_if_a_closed_segment_is_damaged()
    {
        Fill(_disk, 10, Roomy);
        var first = _disk.ListFiles(LogDirectory).First(static name => name.EndsWith(".log", StringComparison.Ordinal));
        _disk.Rot($"{LogDirectory}/{first}", 120, bit: 3);
        AssertRefused("damaged");
    }

    [Fact]
    public void Start_is_refused_if_a_segment_is_missing()
    {
        Fill(_disk, 10, Roomy);
        var segments = _disk.ListFiles(LogDirectory).Where(static name => name.EndsWith(".log", StringComparison.Ordinal)).ToList();
        _disk.Delete($"{LogDirectory}/{segments[1]}");
        AssertRefused("missing");
    }

    [Fact]
    public void Start_is_refused_if_epoch_and_vote_are_lost()
    {
        Fill(_disk, 3, Roomy);
        var deleted = _disk.CrashImage(1, CrashMode.AllKept);
        deleted.Delete("metadata/quorum-state");
        Assert.Throws<MetadataException>(() => OpenStore(deleted));
        Assert.Throws<MetadataException>(() => OpenStore(deleted));

        _disk.Rot("metadata/quorum-state", 20, bit: 1);
        _disk.Rot("metadata/quorum-state", 4096 + 20, bit: 1);
        AssertRefused("epoch and vote");
    }

    [Theory]
    [InlineData("1101")]
    [InlineData("0602e803000000000000")]
    [InlineData("0101" + "0100" + "63" + "0000000000000000" + "0200")]
    public void Start_is_refused_if_a_newer_version_wrote_a_record(string record)
    {
        AppendRaw(Convert.FromHexString(record));
        Assert.Throws<UnsupportedMetadataException>(() => OpenStore(_disk));
    }

    [Fact]
    public void Start_is_refused_if_a_newer_version_wrote_the_snapshot()
    {
        Fill(_disk, 3, Roomy);
        var content = MetadataSnapshot.Encode(Apply(Cluster()), epoch: 1);
        content[16]++;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(
            content, System.IO.Hashing.XxHash3.HashToUInt64(content.AsSpan(8)));
        MetadataSnapshot.Write(_disk, QuorumStore.DirectoryName, content, nextOffset: 1, previousOffset: 0);
        Assert.Throws<UnsupportedMetadataException>(() => OpenStore(_disk));
    }

    [Fact]
    public void Start_is_refused_if_records_contradict_each_other()
    {
        AppendRaw(MetadataRecordCodec.Encode(Cluster()), MetadataRecordCodec.Encode(Cluster()));
        AssertRefused("created twice");
    }

    private static long Offset(string snapshot) =>
        long.Parse(snapshot.AsSpan("snapshot-".Length), System.Globalization.CultureInfo.InvariantCulture);

    private List<string> Snapshots() =>
        [.. _disk.ListFiles("metadata").Where(static name => name.StartsWith("snapshot-", StringComparison.Ordinal)).Order()];

    private void Rot(string snapshot) => _disk.Rot($"metadata/{snapshot}", 40, bit: 1);

    private void DeleteAll(string directory)
    {
        foreach (var name in _disk.ListFiles(directory))
        {
            _disk.Delete($"{directory}/{name}");
        }
    }

    private void AppendRaw(params byte[][] records)
    {
        using (var store = OpenStore(_disk))
        {
            store.SaveState(new QuorumState(1, NodeId, Directory(NodeId)));
        }

        using var builder = new RecordBatchBuilder(1024);
        foreach (var record in records)
        {
            Assert.True(builder.TryAdd(NowMs, default, hasKey: false, record, hasValue: true, []));
        }

        using var log = PartitionLog.Open(
            _disk, QuorumStore.DirectoryName, QuorumStore.Identity, new LogOptions(), new TailMemory(), new ListLogger());
        var batch = builder.Seal(QuorumStore.Identity.TopicId, QuorumStore.Identity.Partition, BatchProducer.None);
        Assert.Equal(ErrorCode.None, log.Append(batch.Span, RecordBatchHeader.Verify(batch.Span), 1, 0, NowMs).Code);
        Assert.True(log.WritePending());
        log.Sync();
        log.MarkDurable();
    }

    private void AssertRefused(string reason)
    {
        var e = Assert.Throws<MetadataException>(() => OpenStore(_disk));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }
}
