using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;
using Weir.Storage;
using Weir.Storage.Files;
using Weir.Storage.Tail;
using Weir.Testing.Support;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>The shell: opening, refusing to open, and changes as callers see them.</summary>
[Trait("Category", "Unit")]
public sealed class MetadataLogTests
{
    private static readonly MetadataLogOptions Roomy = Tight() with { RecordsPerSnapshot = 1000 };
    private static readonly string LogDirectory = $"{Quorum.QuorumStore.DirectoryName}/{Quorum.QuorumStore.Identity.DirectoryName}";
    private readonly SimulatedDisk _disk = new();

    [Fact]
    public void First_open_creates_a_cluster_and_later_ones_find_it()
    {
        string clusterId;
        using (var log = Open(_disk))
        {
            clusterId = log.Image.ClusterId;
            Assert.Equal((16, NowMs, 1), (clusterId.Length, log.Image.CreatedAtMs, log.Image.FeatureLevel));
        }

        using var again = Open(_disk, Tight(seed: 1));
        Assert.Equal(clusterId, again.Image.ClusterId);
    }

    [Fact]
    public void Created_topic_is_answered_and_kept()
    {
        using var log = Open(_disk);
        var response = log.CreateTopic(Create("a", 3));

        Assert.Equal((log.Image.Find("a")!.TopicId, 3, (short)1), (response.TopicId, response.Partitions, response.ReplicationFactor));
        Assert.Equal(4, response.TopicId.Version);
        using var again = Open(_disk.CrashImage(1, CrashMode.AllLost));
        Assert.Equal(response.TopicId, again.Image.Find("a")!.TopicId);
    }

    [Fact]
    public void Validate_only_changes_nothing_and_refuses_what_the_real_request_would()
    {
        using var log = Open(_disk);
        log.CreateTopic(Create("a"));
        var before = (Print(log.Image), _disk.StepCount);

        var response = log.CreateTopic(new CreateTopicRequest { Name = "b", Partitions = 2, ValidateOnly = true });
        Assert.Equal((Guid.Empty, 2, (short)1), (response.TopicId, response.Partitions, response.ReplicationFactor));
        log.AlterTopic(new AlterTopicRequest { Name = "a", Partitions = 2, ValidateOnly = true });
        Assert.Equal(
            ErrorCode.TopicExists,
            Assert.Throws<ProtocolException>(() => log.CreateTopic(new CreateTopicRequest { Name = "a", ValidateOnly = true })).Code);
        Assert.Equal(before, (Print(log.Image), _disk.StepCount));
    }

    [Fact]
    public void Alteration_that_changes_nothing_writes_nothing()
    {
        using var log = Open(_disk);
        log.CreateTopic(Create("a", 2, Entry("segment.ms", "2000")));
        var before = (Print(log.Image), _disk.StepCount);

        log.AlterTopic(Alter("a", 2, Entry("segment.ms", "2000"), Entry("retention.ms", null)));
        Assert.Equal(before, (Print(log.Image), _disk.StepCount));
    }

    [Fact]
    public void Producer_ids_are_never_given_out_twice()
    {
        var given = new HashSet<long>();
        for (var start = 0; start < 3; start++)
        {
            using var log = Open(_disk);
            for (var i = 0; i < 1500; i++)
            {
                Assert.True(given.Add(log.NextProducerId()));
            }
        }

        Assert.Equal(4500, given.Count);
    }




    [Fact]
    public void Start_is_refused_if_the_log_is_gone_and_a_snapshot_is_there()
    {
        Fill(_disk, 20);
        DeleteFiles(LogDirectory);
        AssertRefused("before its snapshot");

        foreach (var name in Snapshots(_disk))
        {
            Rot(_disk, $"metadata/{name}");
        }

        AssertRefused("before its snapshot");
    }

    [Fact]
    public void Start_is_refused_if_there_are_records_without_metadata()
    {
        _disk.CreateDirectory($"partitions/{new LogIdentity(new Guid("00000000-0000-0000-0000-00000000000a"), 0).DirectoryName}");
        AssertRefused("there is no metadata");
        AssertRefused("there is no metadata");
    }

    [Fact]
    public void Directory_that_is_no_partition_does_not_stop_a_first_start()
    {
        _disk.CreateDirectory("partitions/lost+found");
        using var log = Open(_disk);
        Assert.NotEmpty(log.Image.ClusterId);
    }

    [Fact]
    public void Start_is_refused_if_a_closed_segment_is_damaged()
    {
        using (var log = Open(_disk, Roomy))
        {
            for (var i = 0; i < 10; i++)
            {
                log.CreateTopic(Create($"t{i}"));
            }
        }

        var first = _disk.ListFiles(LogDirectory).First(static name => name.EndsWith(".log", StringComparison.Ordinal));
        _disk.Rot($"{LogDirectory}/{first}", 120, bit: 3);
        AssertRefused("damaged");
    }

    [Fact]
    public void Start_is_refused_if_a_segment_is_missing()
    {
        using (var log = Open(_disk, Roomy))
        {
            for (var i = 0; i < 10; i++)
            {
                log.CreateTopic(Create($"t{i}"));
            }
        }

        var segments = _disk.ListFiles(LogDirectory).Where(static name => name.EndsWith(".log", StringComparison.Ordinal)).ToList();
        _disk.Delete($"{LogDirectory}/{segments[1]}");
        AssertRefused("missing");
    }




    private static string Fill(SimulatedDisk disk, int topics)
    {
        using var log = Open(disk);
        for (var i = 0; i < topics; i++)
        {
            log.CreateTopic(Create($"t{i}"));
        }

        return Print(log.Image);
    }

    private static List<string> Snapshots(SimulatedDisk disk) => [.. disk.ListFiles("metadata")];

    private static void Rot(SimulatedDisk disk, string path) => disk.Rot(path, 40, bit: 1);

    private static PartitionLog OpenPartitionLog(ILogFiles files) => PartitionLog.Open(
        files, Quorum.QuorumStore.DirectoryName, Quorum.QuorumStore.Identity, new LogOptions(), new TailMemory(), new ListLogger());

    private static void AppendRaw(SimulatedDisk disk, params byte[][] records)
    {
        using var builder = new RecordBatchBuilder(1024);
        foreach (var record in records)
        {
            Assert.True(builder.TryAdd(NowMs, default, hasKey: false, record, hasValue: true, []));
        }

        disk.CreateDirectory(Quorum.QuorumStore.DirectoryName);
        using var log = OpenPartitionLog(disk);
        var batch = builder.Seal(Quorum.QuorumStore.Identity.TopicId, Quorum.QuorumStore.Identity.Partition, BatchProducer.None);
        Assert.Equal(ErrorCode.None, log.Append(batch.Span, RecordBatchHeader.Verify(batch.Span), 0, 0, NowMs).Code);
        Assert.True(log.WritePending());
        log.Sync();
        log.MarkDurable();
    }

    private void DeleteFiles(string directory)
    {
        foreach (var name in _disk.ListFiles(directory))
        {
            _disk.Delete($"{directory}/{name}");
        }
    }

    private void AssertRefused(string reason)
    {
        var e = Assert.Throws<MetadataException>(() => Open(_disk));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }
}
