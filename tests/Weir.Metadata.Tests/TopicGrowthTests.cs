using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>Adding partitions leaves keys where they are, and the brokers' own topics are theirs.</summary>
[Trait("Category", "Unit")]
public sealed class TopicGrowthTests
{
    private readonly MetadataController _controller = new();
    private readonly MetadataImage _image = Apply([Cluster(), .. Broker(NodeId), Topic(TopicId(1), "a", 3), Topic(TopicId(2), "__groups", 8)]);

    [Fact]
    public void Keys_stay_on_the_partitions_that_a_topic_had_when_it_first_grew()
    {
        Assert.Equal(3, _image.Find("a")!.KeyPartitions);
        var grown = Alter(_image, TestMetadata.Alter("a", 5));
        Assert.Equal((5, 3), (grown.Find("a")!.Partitions.Length, grown.Find("a")!.KeyPartitions));

        var again = Alter(grown, TestMetadata.Alter("a", 8));
        Assert.Equal((8, 3), (again.Find("a")!.Partitions.Length, again.Find("a")!.KeyPartitions));
        Assert.Equal(3, MetadataImage.FromSnapshot(again.ToSnapshot(), again.NextOffset).Find("a")!.KeyPartitions);
    }

    [Theory]
    [InlineData("all", 5)]
    [InlineData("4", 4)]
    [InlineData(null, 5)]
    public void Operator_who_says_where_keys_go_is_obeyed(string? value, int expected)
    {
        var image = Alter(_image, TestMetadata.Alter("a", 5, Entry("key.partitions", value)));
        Assert.Equal(expected, image.Find("a")!.KeyPartitions);
        Assert.Equal(5, Alter(image, TestMetadata.Alter("a", 0, Entry("key.partitions", "all"))).Find("a")!.KeyPartitions);
    }

    [Fact]
    public void Topic_that_spreads_keys_over_all_partitions_by_its_settings_goes_on_to_do_so()
    {
        var image = Alter(_image, TestMetadata.Alter("a", 0, Entry("key.partitions", "all")));
        Assert.Equal(5, Alter(image, TestMetadata.Alter("a", 5)).Find("a")!.KeyPartitions);
    }

    [Fact]
    public void Keys_are_not_spread_over_partitions_that_there_are_not()
    {
        var request = TestMetadata.Alter("a", 5, Entry("key.partitions", "6"));
        Assert.Equal(ErrorCode.InvalidConfig, Assert.Throws<ProtocolException>(() => _controller.AlterTopic(_image, request)).Code);
    }

    [Fact]
    public void Internal_topic_neither_grows_nor_goes_and_its_settings_can_be_changed()
    {
        Assert.Equal(
            ErrorCode.NotAuthorized,
            Assert.Throws<ProtocolException>(() => _controller.AlterTopic(_image, TestMetadata.Alter("__groups", 9))).Code);
        Assert.Equal(
            ErrorCode.NotAuthorized,
            Assert.Throws<ProtocolException>(
                () => MetadataController.DeleteTopic(_image, new DeleteTopicRequest { Name = "__groups" })).Code);
        Assert.Single(_controller.AlterTopic(_image, TestMetadata.Alter("__groups", 8, Entry("segment.ms", "5000"))));
    }

    [Theory]
    [InlineData(0, "2")]
    [InlineData(5, "all")]
    [InlineData(5, "4")]
    [InlineData(5, null)]
    public void Entities_never_move_to_other_partitions(int partitions, string? value)
    {
        var entities = Topic(TopicId(3), "e", 3);
        entities.TopicKind = TopicKind.Entity;
        var image = _image.Apply(entities);
        var grown = Alter(image, TestMetadata.Alter("e", 5));
        Assert.Equal((5, 3), (grown.Find("e")!.Partitions.Length, grown.Find("e")!.KeyPartitions));

        var request = TestMetadata.Alter("e", partitions, Entry("key.partitions", value));
        Assert.Equal(ErrorCode.InvalidConfig, Assert.Throws<ProtocolException>(() => _controller.AlterTopic(image, request)).Code);
        Assert.Equal(ErrorCode.InvalidConfig, Assert.Throws<ProtocolException>(() => _controller.AlterTopic(grown, request)).Code);
        Assert.Equal(3, Alter(image, TestMetadata.Alter("e", 0, Entry("key.partitions", "3"))).Find("e")!.KeyPartitions);
    }

    [Fact]
    public void Entity_topic_keeps_its_kind_and_writer()
    {
        var request = Create("e", 2, Entry("writer", "payroll"));
        request.Kind = TopicKind.Entity;
        var image = _image.Apply(_controller.CreateTopic(_image, request, TopicId(9), 1, NowMs));
        image = MetadataImage.FromSnapshot(image.ToSnapshot(), image.NextOffset);
        Assert.Equal((TopicKind.Entity, "payroll"), (image.Find("e")!.Kind, image.Find("e")!.Settings.Writer));
        Assert.Null(Alter(image, TestMetadata.Alter("e", 0, Entry("writer", ""))).Find("e")!.Settings.Writer);
    }

    private MetadataImage Alter(MetadataImage image, AlterTopicRequest request) =>
        _controller.AlterTopic(image, request).Aggregate(image, static (next, record) => next.Apply(record));
}
