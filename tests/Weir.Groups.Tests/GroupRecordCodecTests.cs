using Weir.Protocol.Errors;
using Xunit;

namespace Weir.Groups.Tests;

/// <summary>What cannot be read in full is refused: a state without it would be another one.</summary>
public sealed class GroupRecordCodecTests
{
    [Fact]
    public void Record_comes_back_with_its_group()
    {
        var id = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");
        var (group, record) = GroupRecordCodec.Decode(GroupRecordCodec.Encode(id, new GroupForgotten()));
        Assert.Equal(id, group);
        Assert.IsType<GroupForgotten>(record);
    }

    [Theory]
    [InlineData(0, 99)]
    [InlineData(1, 2)]
    public void Record_of_a_newer_version_is_refused(int position, byte value)
    {
        var bytes = GroupRecordCodec.Encode(Guid.Empty, new GroupForgotten());
        bytes[position] = value;
        Assert.Equal(ErrorCode.InvalidBatch, Assert.Throws<ProtocolException>(() => GroupRecordCodec.Decode(bytes)).Code);
    }
}
