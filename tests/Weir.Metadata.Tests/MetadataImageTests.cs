using Weir.Metadata.Records;
using Xunit;
using static Weir.Metadata.Tests.TestMetadata;

namespace Weir.Metadata.Tests;

/// <summary>The state machine: what a record changes, and that a contradiction is never passed over.</summary>
[Trait("Category", "Unit")]
public sealed class MetadataImageTests
{
    private static readonly Guid A = new("00000000-0000-0000-0000-00000000000a");
    private static readonly Guid B = new("00000000-0000-0000-0000-00000000000b");

    public static TheoryData<string, IMetadataRecord> Contradictions => new()
    {
        { "the cluster twice", Cluster() },
        { "a name twice", Topic(B, "a") },
        { "an id twice", Topic(A, "b") },
        { "an id of a deleted topic", Topic(new Guid("00000000-0000-0000-0000-00000000000d"), "d") },
        { "a name that is none", Topic(B, "no name") },
        { "no partition", Topic(B, "b", partitions: 0) },
        { "an unknown kind", With(Topic(B, "b"), static topic => topic.TopicKind = 0) },
        { "a gap in the partitions", With(Topic(B, "b"), static topic => topic.Partitions[0].Index = 1) },
        { "no replica", With(Topic(B, "b"), static topic => topic.Partitions[0].Replicas = []) },
        { "a replica twice", With(Topic(B, "b"), static topic => topic.Partitions[0].Replicas = [NodeId, NodeId]) },
        { "an ISR beside the replicas", With(Topic(B, "b"), static topic => topic.Partitions[0].Isr = [NodeId, 8]) },
        { "a leader that is not in sync", With(Topic(B, "b"), static topic => topic.Partitions[0].Isr = []) },
        { "a negative epoch", With(Topic(B, "b"), static topic => topic.Partitions[0].LeaderEpoch = -1) },
        { "an unknown setting", With(Topic(B, "b"), static topic => topic.Configs = [Setting("x", "1")]) },
        { "more in-sync replicas than there are", new TopicConfigChanged { TopicId = A, Configs = [Setting("min.insync.replicas", "2")] } },
        { "a setting out of range", new TopicConfigChanged { TopicId = A, Configs = [Setting("segment.bytes", "1")] } },
        { "settings of no topic", new TopicConfigChanged { TopicId = B, Configs = [Setting("retention.ms", "1")] } },
        { "partitions of no topic", new PartitionsAdded { TopicId = B, Partitions = [Partition(1)] } },
        { "partitions that are there", new PartitionsAdded { TopicId = A, Partitions = [Partition(0)] } },
        { "partitions after a gap", new PartitionsAdded { TopicId = A, Partitions = [Partition(2)] } },
        { "no partitions added", new PartitionsAdded { TopicId = A } },
        { "the end of no topic", new TopicDeleted { TopicId = B } },
        { "producer ids again", new ProducerIdsReserved { NextProducerId = 1000 } },
        { "producer ids going back", new ProducerIdsReserved { NextProducerId = 999 } },
    };

    [Theory]
    [MemberData(nameof(Contradictions), DisableDiscoveryEnumeration = true)]
    public void Record_that_contradicts_the_image_is_refused(string what, IMetadataRecord record)
    {
        var deleted = new Guid("00000000-0000-0000-0000-00000000000d");
        var image = Apply(
            Cluster(), Topic(A, "a"), Topic(deleted, "d"), new TopicDeleted { TopicId = deleted },
            new ProducerIdsReserved { NextProducerId = 1000 });
        var before = Print(image);

        Assert.True(Record.Exception(() => image.Apply(record)) is MetadataException, what);
        Assert.Equal(before, Print(image));
    }

    [Fact]
    public void Nothing_comes_before_the_cluster()
    {
        Assert.Throws<MetadataException>(() => MetadataImage.Empty.Apply(Topic(A, "a")));
        Assert.Throws<MetadataException>(() => MetadataImage.Empty.Apply(new ProducerIdsReserved { NextProducerId = 1 }));
    }

    [Fact]
    public void Feature_level_above_this_version_is_refused_as_newer()
    {
        var newer = new ClusterCreated { ClusterId = "c", FeatureLevel = MetadataRecordCodec.FeatureLevel + 1 };
        Assert.Throws<UnsupportedMetadataException>(() => MetadataImage.Empty.Apply(newer));
    }

    [Fact]
    public void Topic_is_found_by_name_and_id_until_it_is_deleted_and_its_id_stays_known()
    {
        var image = Apply(Cluster(), Topic(A, "a", 3), Topic(B, "A", 2));
        Assert.Equal(A, image.Find("a")!.TopicId);
        Assert.Equal(B, image.Find("A")!.TopicId);
        Assert.Same(image.Find("a"), image.Find(A));
        Assert.Equal((2, 5, 3L), (image.TopicCount, image.PartitionCount, image.NextOffset));

        var after = image.Apply(new TopicDeleted { TopicId = A });
        Assert.Null(after.Find("a"));
        Assert.Null(after.Find(A));
        Assert.True(after.WasDeleted(A));
        Assert.False(after.WasDeleted(B));
        Assert.Equal((1, 2, 4L), (after.TopicCount, after.PartitionCount, after.NextOffset));
        Assert.NotNull(image.Find("a"));
    }

    [Fact]
    public void Setting_set_to_null_goes_back_to_the_default()
    {
        var image = Apply(
            Cluster(), Topic(A, "a"),
            new TopicConfigChanged { TopicId = A, Configs = [Setting("retention.ms", "5"), Setting("segment.ms", "2000")] },
            new TopicConfigChanged { TopicId = A, Configs = [Setting("retention.ms", null)] });

        Assert.Null(image.Find("a")!.Settings.RetentionAge);
        Assert.Equal(TimeSpan.FromSeconds(2), image.Find("a")!.Settings.SegmentAge);
    }

    [Fact]
    public void Deleted_topics_are_forgotten_oldest_first()
    {
        var image = Apply(Cluster());
        for (var i = 1; i <= MetadataImage.MaxDeletedTopics + 1; i++)
        {
            image = image.Apply(Topic(Id(i), "a")).Apply(new TopicDeleted { TopicId = Id(i) });
        }

        var reloaded = MetadataImage.FromSnapshot(image.ToSnapshot(), image.NextOffset);
        foreach (var each in (MetadataImage[])[image, reloaded])
        {
            Assert.False(each.WasDeleted(Id(1)));
            Assert.True(each.WasDeleted(Id(2)));
            Assert.True(each.WasDeleted(Id(MetadataImage.MaxDeletedTopics + 1)));
        }

        Assert.Equal(Print(image), Print(reloaded));
    }

    [Fact]
    public void Ten_thousand_topics_are_applied_and_kept_by_a_snapshot()
    {
        var image = Apply(Cluster());
        for (var i = 0; i < 10_000; i++)
        {
            image = image.Apply(Topic(Id(i), $"topic-{i}", 2));
        }

        Assert.Equal((10_000, 20_000), (image.TopicCount, image.PartitionCount));
        var reloaded = MetadataImage.FromSnapshot(image.ToSnapshot(), image.NextOffset);
        Assert.Equal(Print(image), Print(reloaded));
    }

    private static Guid Id(int number) => new(number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

    private static ConfigSetting Setting(string name, string? value) => new() { Name = name, Value = value };

    private static TopicCreated With(TopicCreated topic, Action<TopicCreated> change)
    {
        change(topic);
        return topic;
    }
}
