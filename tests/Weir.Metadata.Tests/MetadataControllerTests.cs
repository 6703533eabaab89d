using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Decisions and typed refusals.</summary>
[Trait("Category", "Unit")]
public sealed class MetadataControllerTests
{
    private static readonly Guid A = new("00000000-0000-0000-0000-00000000000a");
    private static readonly Guid New = new("00000000-0000-0000-0000-00000000000f");
    private readonly MetadataController _controller = new(maxPartitions: 10);
    private readonly MetadataImage _image = Apply([Cluster(), .. Broker(NodeId), Topic(A, "a", 3)]);

    public static TheoryData<ErrorCode, CreateTopicRequest> RefusedCreations => new()
    {
        { ErrorCode.InvalidTopicName, Create("") },
        { ErrorCode.InvalidTopicName, Create("..") },
        { ErrorCode.InvalidTopicName, Create("a/b") },
        { ErrorCode.InvalidTopicName, Create(new string('a', 250)) },
        { ErrorCode.InvalidTopicName, Create("__mine") },
        { ErrorCode.InvalidConfig, Create("b", 2, Entry("key.partitions", "3")) },
        { ErrorCode.InvalidConfig, Create("b", 1, Entry("writer", new string('w', 256))) },
        { ErrorCode.TopicExists, Create("a") },
        { ErrorCode.InvalidRequest, Create("b", partitions: 0) },
        { ErrorCode.InvalidRequest, Create("b", partitions: -1) },
        { ErrorCode.InvalidRequest, Create("b", partitions: 10_001) },
        { ErrorCode.InvalidRequest, new CreateTopicRequest { Name = "b", Kind = (TopicKind)9 } },
        { ErrorCode.InvalidRequest, new CreateTopicRequest { Name = "b", ReplicationFactor = 0 } },
        { ErrorCode.InvalidRequest, new CreateTopicRequest { Name = "b", ReplicationFactor = 2 } },
        { ErrorCode.InvalidRequest, new CreateTopicRequest { Name = "b", ReplicationFactor = -2 } },
        { ErrorCode.LimitReached, Create("b", partitions: 8) },
        { ErrorCode.InvalidConfig, Create("b", 1, Entry("retention.ms", "soon")) },
        { ErrorCode.InvalidConfig, Create("b", 1, Entry("min.insync.replicas", "2")) },
    };

    public static TheoryData<ErrorCode, AlterTopicRequest> RefusedAlterations => new()
    {
        { ErrorCode.InvalidTopicName, Alter("?") },
        { ErrorCode.UnknownTopic, Alter("b") },
        { ErrorCode.UnknownTopic, Alter("A") },
        { ErrorCode.InvalidRequest, Alter("a", partitions: 2) },
        { ErrorCode.InvalidRequest, Alter("a", partitions: -1) },
        { ErrorCode.InvalidRequest, Alter("a", partitions: 10_001) },
        { ErrorCode.LimitReached, Alter("a", partitions: 11) },
        { ErrorCode.InvalidConfig, Alter("a", 0, Entry("no.such", null)) },
        { ErrorCode.InvalidConfig, Alter("a", 4, Entry("min.insync.replicas", "2")) },
    };

    [Theory]
    [MemberData(nameof(RefusedCreations), DisableDiscoveryEnumeration = true)]
    public void Creation_is_refused_with_a_code(ErrorCode code, CreateTopicRequest request)
    {
        var e = Assert.Throws<ProtocolException>(() => _controller.CreateTopic(_image, request, New, 1, NowMs));
        Assert.Equal(code, e.Code);
        Assert.NotEmpty(e.Message);
    }

    [Theory]
    [MemberData(nameof(RefusedAlterations), DisableDiscoveryEnumeration = true)]
    public void Alteration_is_refused_with_a_code(ErrorCode code, AlterTopicRequest request)
    {
        var e = Assert.Throws<ProtocolException>(() => _controller.AlterTopic(_image, request));
        Assert.Equal(code, e.Code);
    }

    [Fact]
    public void All_config_faults_of_a_request_are_in_one_refusal()
    {
        var request = Create("b", 1, Entry("x", "1"), Entry("segment.ms", "0"), Entry("min.insync.replicas", "5"));
        var e = Assert.Throws<ProtocolException>(() => _controller.CreateTopic(_image, request, New, 1, NowMs));
        Assert.Equal(ErrorCode.InvalidConfig, e.Code);
        Assert.Contains("'x'", e.Message, StringComparison.Ordinal);
        Assert.Contains("segment.ms=0", e.Message, StringComparison.Ordinal);
        Assert.Contains("min.insync.replicas=5", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Creation_gives_the_node_every_partition_and_uses_only_what_it_was_given()
    {
        var request = Create("a_b", 3, Entry("durability", "LEADER"), Entry("retention.ms", null));
        var record = _controller.CreateTopic(_image, request, New, seed: 99, NowMs);

        Assert.Equal((New, "a_b", 99L, NowMs), (record.TopicId, record.Name, record.PartitionerSeed, record.CreatedAtMs));
        Assert.Equal(("durability", "leader"), (Assert.Single(record.Configs).Name, record.Configs[0].Value));
        Assert.Equal([0, 1, 2], record.Partitions.Select(static partition => partition.Index));
        Assert.All(record.Partitions, static partition =>
        {
            Assert.Equal((NodeId, 0), (partition.Leader, partition.LeaderEpoch));
            Assert.Equal([NodeId], partition.Replicas);
            Assert.Equal([NodeId], partition.Isr);
        });
        var again = _controller.CreateTopic(_image, request, New, seed: 99, NowMs);
        Assert.Equal(MetadataRecordCodec.Encode(record), MetadataRecordCodec.Encode(again));
        Assert.NotNull(_image.Apply(record).Find("a_b"));
    }

    [Fact]
    public void Names_differ_by_case_and_by_dot_and_underscore()
    {
        var image = _image;
        foreach (var (name, index) in ((string[])["A", "x.y", "x_y", "X_y"]).Select(static (name, index) => (name, index)))
        {
            image = image.Apply(_controller.CreateTopic(image, Create(name), new Guid(index + 1, 0, 0, new byte[8]), 1, NowMs));
        }

        Assert.Equal(5, image.TopicCount);
    }

    [Fact]
    public void Cluster_can_be_filled_to_its_limit_of_partitions()
    {
        var record = _controller.CreateTopic(_image, Create("b", partitions: 7), New, 1, NowMs);
        Assert.Equal(10, _image.Apply(record).PartitionCount);
    }

    [Fact]
    public void Alteration_holds_settings_and_partitions_that_change_and_nothing_else()
    {
        var records = _controller.AlterTopic(
            _image, Alter("a", 5, Entry("segment.ms", "2000"), Entry("retention.ms", null), Entry("retention.bytes", "-1")));

        var config = Assert.IsType<TopicConfigChanged>(records[0]);
        Assert.Equal(["key.partitions", "retention.bytes", "segment.ms"], config.Configs.Select(static setting => setting.Name));
        var added = Assert.IsType<PartitionsAdded>(records[1]);
        Assert.Equal([3, 4], added.Partitions.Select(static partition => partition.Index));
        Assert.Equal(2, records.Count);

        var after = records.Aggregate(_image, static (image, record) => image.Apply(record));
        Assert.Equal(5, after.PartitionCount);
        Assert.Empty(_controller.AlterTopic(after, Alter("a", 5, Entry("segment.ms", "2000"), Entry("retention.ms", null))));
    }

    [Fact]
    public void Deletion_of_no_topic_is_refused()
    {
        var unknown = new DeleteTopicRequest { Name = "b" };
        Assert.Equal(
            ErrorCode.UnknownTopic,
            Assert.Throws<ProtocolException>(() => MetadataController.DeleteTopic(_image, unknown)).Code);
        Assert.Equal(A, MetadataController.DeleteTopic(_image, new DeleteTopicRequest { Name = "a" }).TopicId);
    }

    [Theory]
    [InlineData(0, ErrorCode.InvalidRequest)]
    [InlineData(-5, ErrorCode.InvalidRequest)]
    [InlineData(MetadataController.MaxProducerIdBlock + 1, ErrorCode.InvalidRequest)]
    [InlineData(6, ErrorCode.LimitReached)]
    public void Producer_ids_that_are_not_there_are_not_reserved(int count, ErrorCode code)
    {
        var image = _image.Apply(new ProducerIdsReserved { NextProducerId = long.MaxValue - 5 });
        Assert.Equal(
            code, Assert.Throws<ProtocolException>(() => MetadataController.ReserveProducerIds(image, count)).Code);
        Assert.Equal(long.MaxValue, MetadataController.ReserveProducerIds(image, 5).NextProducerId);
    }

    [Fact]
    public void Lower_min_insync_replicas_makes_nobody_eligible_who_will_lack_records()
    {
        var topic = Topic(New, "lowered");
        topic.Partitions = [new() { Leader = NodeId, Replicas = [NodeId, 8, 9], Isr = [NodeId], Elr = [8] }];
        var image = _image.Apply(topic);

        foreach (var record in _controller.AlterTopic(image, Alter("lowered", 0, Entry("min.insync.replicas", "1"))))
        {
            image = image.Apply(record);
        }

        Assert.Empty(image.Find("lowered")!.Partitions[0].Elr);
    }
}
