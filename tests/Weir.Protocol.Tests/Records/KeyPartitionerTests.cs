using System.Text;
using Weir.Protocol.Wire;
using Xunit;

namespace Weir.Protocol.Tests.Records;

[Trait("Category", "Unit")]
public sealed class KeyPartitionerTests
{
    private const ulong Prime64 = 0x9E3779B185EBCA8D;

    /// <summary>The vectors of docs/protocol.md: key, seed, partitions, partition.</summary>
    public static TheoryData<string, long, int, int> Vectors => new()
    {
        { "", 0, 12, 10 },
        { "", 0x1122334455667788, 12, 1 },
        { "a", 0, 12, 7 },
        { "order-42", 0, 12, 4 },
        { "order-42", 0x1122334455667788, 12, 8 },
        { "order-42", -1, 1000, 836 },
        { "customer:0123456789abcdef", 0x1122334455667788, 7, 6 },
        { "größe", 0x1122334455667788, 64, 14 },
    };

    /// <summary>From the sanity test of the reference implementation, so that the hash is XXH3 and not merely stable.</summary>
    [Theory]
    [InlineData(0, 0UL, 0x2D06800538D394C2UL)]
    [InlineData(0, Prime64, 0xA8A6B918B2F0364AUL)]
    [InlineData(1, 0UL, 0xC44BDFF4074EECDBUL)]
    [InlineData(1, Prime64, 0x032BE332DD766EF8UL)]
    [InlineData(6, 0UL, 0x27B56A84CD2D7325UL)]
    [InlineData(12, 0UL, 0xA713DAF0DFBB77E7UL)]
    [InlineData(24, 0UL, 0xA3FE70BF9D3510EBUL)]
    [InlineData(48, 0UL, 0x397DA259ECBA1F11UL)]
    [InlineData(80, 0UL, 0xBCDEFBBB2C47C90AUL)]
    [InlineData(195, 0UL, 0xCD94217EE362EC3AUL)]
    public void The_hash_has_its_published_values(int length, ulong seed, ulong expected)
    {
        var key = new byte[length];
        var state = 2654435761UL;
        foreach (ref var value in key.AsSpan())
        {
            value = (byte)(state >> 56);
            state *= Prime64;
        }

        Assert.Equal((int)(expected % 1_000_003), KeyPartitioner.Choose(key, (long)seed, 1_000_003));
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    public void A_key_goes_to_its_golden_partition(string key, long seed, int partitions, int expected) =>
        Assert.Equal(expected, KeyPartitioner.Choose(Encoding.UTF8.GetBytes(key), seed, partitions));

    [Theory]
    [InlineData("a", true)]
    [InlineData("A.b_c-9", true)]
    [InlineData("...", true)]
    [InlineData("", false)]
    [InlineData(".", false)]
    [InlineData("..", false)]
    [InlineData("a/b", false)]
    [InlineData("é", false)]
    [InlineData("a b", false)]
    [InlineData("a\0", false)]
    public void A_topic_name_is_valid_or_not(string name, bool expected) => Assert.Equal(expected, TopicName.IsValid(name));

    [Fact]
    public void A_topic_name_has_249_characters_at_most()
    {
        Assert.True(TopicName.IsValid(new string('a', ProtocolLimits.TopicNameBytes)));
        Assert.False(TopicName.IsValid(new string('a', ProtocolLimits.TopicNameBytes + 1)));
    }
}
