using Weir.Metadata.Records;
using Weir.Protocol.Messages;
using Weir.Storage;
using Xunit;

namespace Weir.Metadata.Tests;

/// <summary>Settings: defaults, ranges, faults.</summary>
[Trait("Category", "Unit")]
public sealed class TopicSettingsTests
{
    public static TheoryData<string> Keys => [.. TopicConfigCatalog.Keys.Select(static key => key.Key)];

    [Fact]
    public void Defaults_are_those_of_the_log_and_keep_records_for_ever()
    {
        var settings = TopicSettings.Default;

        Assert.Equal(new LogOptions(), settings.ToLogOptions());
        Assert.Null(settings.RetentionAge);
        Assert.Null(settings.RetentionBytes);
        Assert.Equal(1, settings.MinInsyncReplicasFor(1));
        Assert.Equal(2, settings.MinInsyncReplicasFor(3));
        Assert.All(settings.Describe(), static entry => Assert.True(entry.IsDefault));
    }

    [Fact]
    public void All_faults_are_reported_at_once()
    {
        var faults = Faults(
            ("retention.m", "1"), ("segment.bytes", "1"), ("durability", "maybe"), ("segment.ms", "1 day"),
            ("max.batch.bytes", "2048"), ("max.batch.bytes", "4096"), ("min.insync.replicas", "3"));

        Assert.Equal(
            [
                "'retention.m' is no topic setting; did you mean 'retention.ms'?",
                "segment.bytes=1 is out of range: 65536 to 1073741824",
                "durability=maybe is out of range: fsync, replicated, leader, memory",
                "segment.ms=1 day is out of range: 1000 to 3153600000000",
                "max.batch.bytes is set twice",
                "min.insync.replicas=3 is over the replication factor 2",
            ],
            faults);
    }

    [Theory]
    [InlineData("retention", "retention.ms")]
    [InlineData("durabilty", "durability")]
    [InlineData("segmentBytes", "segment.bytes")]
    [InlineData("min.insync", "min.insync.replicas")]
    [InlineData("DURABILITY", "durability")]
    public void Unknown_key_names_the_nearest_known_one(string name, string nearest) =>
        Assert.EndsWith($"did you mean '{nearest}'?", Assert.Single(Faults((name, "1"))), StringComparison.Ordinal);

    [Theory]
    [InlineData("retention.ms", "-1")]
    [InlineData("retention.ms", "1")]
    [InlineData("retention.ms", "3153600000000")]
    [InlineData("retention.bytes", "9223372036854775807")]
    [InlineData("segment.bytes", "65536")]
    [InlineData("segment.bytes", "1073741824")]
    [InlineData("segment.ms", "3153600000000")]
    [InlineData("max.batch.bytes", "1024")]
    [InlineData("max.batch.bytes", "33554432")]
    [InlineData("min.insync.replicas", "2")]
    [InlineData("producer.expiry.ms", "3153600000000")]
    [InlineData("durability", "memory")]
    public void Value_at_the_edge_of_its_range_is_taken(string key, string value)
    {
        var faults = new List<string>();
        var settings = TopicSettings.Default.With([new ConfigSetting { Name = key, Value = value }], 2, faults);

        Assert.Empty(faults);
        Assert.Equal(value, settings.Describe().Single(entry => entry.Name == key).Value);
    }

    [Theory]
    [InlineData("retention.ms", "0")]
    [InlineData("retention.ms", "-2")]
    [InlineData("retention.ms", "3153600000001")]
    [InlineData("retention.ms", "4611686018427387903")]
    [InlineData("retention.bytes", "0")]
    [InlineData("retention.bytes", "9223372036854775808")]
    [InlineData("segment.bytes", "65535")]
    [InlineData("segment.bytes", "1073741825")]
    [InlineData("segment.ms", "-1")]
    [InlineData("max.batch.bytes", "1023")]
    [InlineData("max.batch.bytes", "33554433")]
    [InlineData("min.insync.replicas", "0")]
    [InlineData("min.insync.replicas", "33")]
    [InlineData("durability", "1")]
    [InlineData("durability", "")]
    [InlineData("segment.ms", "")]
    [InlineData("segment.ms", "1e6")]
    [InlineData("segment.ms", " 2000")]
    public void Value_beyond_its_range_is_a_fault(string key, string value) => Assert.Single(Faults((key, value)));

    [Theory]
    [InlineData("durability", "FSYNC", "fsync")]
    [InlineData("segment.ms", "+0002000", "2000")]
    public void Value_is_stored_in_one_spelling(string key, string given, string stored) =>
        Assert.Equal(stored, TopicConfigCatalog.Find(key)!.Normalize(given));

    [Theory]
    [MemberData(nameof(Keys))]
    public void Every_default_is_a_value_of_its_key(string name)
    {
        var key = TopicConfigCatalog.Find(name)!;
        Assert.Equal(key.Default, key.Normalize(key.Default));
        Assert.NotEmpty(key.Range);
        Assert.NotEmpty(key.Meaning);
    }

    [Fact]
    public void Settings_reach_the_log()
    {
        var faults = new List<string>();
        var options = TopicSettings.Default.With(
            [
                new ConfigSetting { Name = "durability", Value = "memory" },
                new ConfigSetting { Name = "retention.ms", Value = "1000" },
                new ConfigSetting { Name = "retention.bytes", Value = "2000" },
                new ConfigSetting { Name = "segment.bytes", Value = "65536" },
                new ConfigSetting { Name = "segment.ms", Value = "3000" },
                new ConfigSetting { Name = "max.batch.bytes", Value = "4096" },
                new ConfigSetting { Name = "producer.expiry.ms", Value = "5000" },
                new ConfigSetting { Name = "tombstone.retention.ms", Value = "6000" },
                new ConfigSetting { Name = "compaction.dirty.percent", Value = "25" },
                new ConfigSetting { Name = "compaction.max.lag.ms", Value = "7000" },
            ],
            1,
            faults).ToLogOptions(TopicKind.Entity);

        Assert.Empty(faults);
        Assert.Equal(
            new LogOptions
            {
                Durability = Durability.Memory,
                RetentionAge = TimeSpan.FromSeconds(1),
                RetentionBytes = 2000,
                SegmentBytes = 65536,
                SegmentAge = TimeSpan.FromSeconds(3),
                MaxBatchBytes = 4096,
                ProducerExpiry = TimeSpan.FromSeconds(5),
                IsCompacted = true,
                TombstoneRetention = TimeSpan.FromSeconds(6),
                MinDirtyRatio = 0.25,
                MaxCompactionLag = TimeSpan.FromSeconds(7),
            },
            options);
    }

    private static List<string> Faults(params (string Name, string Value)[] settings)
    {
        var faults = new List<string>();
        TopicSettings.Default.With(
            settings.Select(static setting => new ConfigSetting { Name = setting.Name, Value = setting.Value }), 2, faults);
        return faults;
    }
}
