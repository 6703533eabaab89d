using Weir.Metadata.Records;
using Weir.Protocol.Messages;
using Xunit;

namespace Weir.Metadata.Tests;

/// <summary>The bytes of every record kind and version. They are on disks: a change here needs a new version.</summary>
[Trait("Category", "Unit")]
public sealed class MetadataRecordGoldenTests
{
    private static readonly Guid Topic = new("00112233-4455-6677-8899-aabbccddeeff");

    private static readonly PartitionAssignment Assignment =
        new()
        {
            Index = 1, Leader = 2, LeaderEpoch = 3, PartitionEpoch = 5, Replicas = [2, 4, 6], Isr = [2], Elr = [4],
            AddingReplicas = [6], RemovingReplicas = [4],
        };

    private const string AssignmentBytes =
        "01000000" + "02000000" + "03000000" + "05000000" + "03000000" + "02000000" + "04000000" + "06000000"
            + "01000000" + "02000000" + "01000000" + "04000000" + "01000000" + "06000000" + "01000000" + "04000000";

    private const string TopicBytes = "00112233445566778899aabbccddeeff";

    public static TheoryData<IMetadataRecord, string> Records => new()
    {
        {
            new ClusterCreated { ClusterId = "abc", CreatedAtMs = 0x0102030405060708, FeatureLevel = 1 },
            "01" + "01" + "0300" + "616263" + "0807060504030201" + "0100"
        },
        {
            new TopicCreated
            {
                TopicId = Topic,
                Name = "t.1",
                TopicKind = TopicKind.Event,
                CreatedAtMs = 1,
                PartitionerSeed = -1,
                Configs = [new ConfigSetting { Name = "k", Value = "v" }],
                Partitions = [Assignment],
            },
            "02" + "01" + TopicBytes + "0300" + "742e31" + "01" + "0100000000000000" + "ffffffffffffffff"
                + "01000000" + "0100" + "6b" + "0100" + "76" + "01000000" + AssignmentBytes
        },
        {
            new TopicConfigChanged
            {
                TopicId = Topic,
                Configs = [new ConfigSetting { Name = "k", Value = null }, new ConfigSetting { Name = "l", Value = "" }],
            },
            "03" + "01" + TopicBytes + "02000000" + "0100" + "6b" + "ffff" + "0100" + "6c" + "0000"
        },
        {
            new PartitionsAdded { TopicId = Topic, Partitions = [Assignment] },
            "04" + "01" + TopicBytes + "01000000" + AssignmentBytes
        },
        { new TopicDeleted { TopicId = Topic }, "05" + "01" + TopicBytes },
        { new ProducerIdsReserved { NextProducerId = 1000 }, "06" + "01" + "e803000000000000" },
        {
            new BrokerRegistered
            {
                NodeId = 1, BrokerEpoch = 2, IncarnationId = Topic, DirectoryId = Topic, Host = "h", Port = 3, Rack = null,
                Version = "v", IsVoter = true,
            },
            "07" + "01" + "01000000" + "0200000000000000" + TopicBytes + TopicBytes + "0100" + "68" + "03000000" + "ffff"
                + "0100" + "76" + "01"
        },
        {
            new BrokerStateChanged { NodeId = 1, BrokerEpoch = 2, Fenced = true, Cordoned = true },
            "08" + "01" + "01000000" + "0200000000000000" + "01" + "00" + "01" + "00"
        },
        { new BrokerRemoved { NodeId = 1 }, "09" + "01" + "01000000" },
        {
            new PartitionsChanged { TopicId = Topic, Partitions = [Assignment] },
            "0a" + "01" + TopicBytes + "01000000" + AssignmentBytes
        },
        {
            new VotersChanged { Voters = [new VoterRecord { NodeId = 1, DirectoryId = Topic, Host = "h", Port = 3 }] },
            "0b" + "01" + "01000000" + "01000000" + TopicBytes + "0100" + "68" + "03000000"
        },
        { new EpochStarted { LeaderId = 1, LeaderEpoch = 2 }, "0c" + "01" + "01000000" + "02000000" },
        {
            new GroupCreated
            {
                GroupId = Topic,
                Name = "g",
                Mode = GroupMode.Keyed,
                Topics = ["t", "u*"],
                Start = StartPosition.Offset,
                StartValue = 5,
                Configs = [new ConfigSetting { Name = "k", Value = "v" }],
                DeadLetterTopic = "d",
                Owner = null,
                CreatedAtMs = 1,
            },
            "0d" + "01" + TopicBytes + "0100" + "67" + "03" + "02000000" + "0100" + "74" + "0200" + "752a" + "02"
                + "0500000000000000" + "01000000" + "0100" + "6b" + "0100" + "76" + "0100" + "64" + "ffff" + "0100000000000000"
        },
        {
            new GroupChanged { GroupId = Topic, Topics = ["t"], DeadLetterTopic = null, Owner = "o" },
            "0e" + "01" + TopicBytes + "01000000" + "0100" + "74" + "00000000" + "ffff" + "0100" + "6f"
        },
        { new GroupDeleted { GroupId = Topic }, "0f" + "01" + TopicBytes },
        {
            new ClusterConfigChanged { Configs = [new ConfigSetting { Name = "k", Value = null }] },
            "10" + "01" + "01000000" + "0100" + "6b" + "ffff"
        },
    };

    [Theory]
    [MemberData(nameof(Records), DisableDiscoveryEnumeration = true)]
    public void Record_has_its_golden_bytes_and_is_read_back(IMetadataRecord record, string golden)
    {
        Assert.Equal(golden, Convert.ToHexStringLower(MetadataRecordCodec.Encode(record)));

        var decoded = MetadataRecordCodec.Decode(Convert.FromHexString(golden));
        Assert.Equal(record.GetType(), decoded.GetType());
        Assert.Equal(golden, Convert.ToHexStringLower(MetadataRecordCodec.Encode(decoded)));
    }

    [Theory]
    [MemberData(nameof(Records), DisableDiscoveryEnumeration = true)]
    public void Record_cut_at_any_byte_is_damaged_and_so_is_a_longer_one(IMetadataRecord record, string golden)
    {
        var bytes = MetadataRecordCodec.Encode(record);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<MetadataException>(() => MetadataRecordCodec.Decode(bytes.AsMemory(0, length)));
        }

        Assert.Throws<MetadataException>(() => MetadataRecordCodec.Decode(Convert.FromHexString(golden + "00")));
    }

    [Theory]
    [InlineData("1401")]
    [InlineData("0001")]
    [InlineData("ff01")]
    [InlineData("0602e803000000000000")]
    [InlineData("0600e803000000000000")]
    public void Unknown_kind_or_version_is_refused_as_written_by_a_newer_one(string bytes)
    {
        var e = Assert.Throws<UnsupportedMetadataException>(() => MetadataRecordCodec.Decode(Convert.FromHexString(bytes)));
        Assert.Contains("newer", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_has_golden_bytes()
    {
        var kinds = Records.Select(static row => row.Data.Item1.Kind);
        Assert.Equal(Enum.GetValues<MetadataRecordKind>(), kinds.Order());
    }

    [Fact]
    public void Snapshot_has_its_golden_bytes()
    {
        var image = TestMetadata.Apply(
            new ClusterCreated { ClusterId = "abc", CreatedAtMs = 1 },
            new TopicCreated { TopicId = Topic, Name = "t", CreatedAtMs = 2, Partitions = [TestMetadata.Partition(0)] },
            new TopicDeleted { TopicId = Topic },
            new ProducerIdsReserved { NextProducerId = 1000 });

        const string Golden =
            "574549524d455441" + "01000000" + "09000000" + "0400000000000000"
            + "11000000" + "0101" + "0300616263" + "0100000000000000" + "0100"
            + "0a000000" + "0601" + "e803000000000000"
            + "12000000" + "0501" + TopicBytes;
        Assert.Equal(Golden, Convert.ToHexStringLower(MetadataSnapshot.Encode(image, epoch: 9))[16..]);
    }
}
